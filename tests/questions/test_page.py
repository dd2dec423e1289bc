"""docs/questions.md and the tests below it say the same."""

import re

import pytest

from tests.questions import page, test_questions
from tests.questions.asking import asked_by

QUESTIONS = 28


def declared() -> dict[int, list[str]]:
    """Return the commands of the tests by the number of the question, each once."""
    found: dict[int, dict[str, None]] = {}
    classes = [one for one in vars(test_questions).values() if isinstance(one, type)]
    for test in (test for one in classes for test in vars(one).values()):
        number, commands = asked_by(test)
        if number:
            found.setdefault(number, {}).update(dict.fromkeys(commands))
    return {number: list(commands) for number, commands in found.items()}


def test_every_question_is_on_the_page() -> None:
    """All in their order, each with a section of its own."""
    numbers = list(range(1, QUESTIONS + 1))
    assert list(page.questions()) == numbers
    assert list(page.printed()) == numbers


@pytest.mark.parametrize("number", range(1, QUESTIONS + 1))
def test_what_is_printed_is_what_is_tested(number: int) -> None:
    """Each command of the section is run by a test, and each of the tests' is in the section."""
    assert sorted(declared().get(number, [])) == sorted(page.printed()[number])


@pytest.mark.parametrize("number", range(1, QUESTIONS + 1))
def test_the_table_names_a_command_of_the_section(number: int) -> None:
    """Whoever reads the table alone types the right verb."""
    verbs = {" ".join(command.split()[:2]) for command in page.bgpctl(number)}
    assert verbs <= set(re.findall(r"bgpctl [a-z]+", page.answers()[number]))
