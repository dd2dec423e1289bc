"""docs/questions.md: 28 questions, and commands that exist as they are printed there."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from bgpd.ctl.app import app

PAGE: Final = (Path(__file__).parents[2] / "docs/questions.md").read_text()
SECTIONS: Final = {
    int(number): text
    for number, text in re.findall(r"^## (\d+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
COMMANDS: Final = sorted(
    {
        line.partition("; ")[2] or line
        for line in re.findall(r"^\$ (.*bgpctl.*)$", PAGE, re.MULTILINE)
    }
    | set(re.findall(r"`(bgpctl [a-z][^`]*)`", PAGE))
)


def test_each_of_the_28_questions_has_its_command_its_answer_and_its_state() -> None:
    """Whoever tests them against the lab finds the state there."""
    assert sorted(SECTIONS) == list(range(1, 29))
    for number, text in SECTIONS.items():
        assert "$ " in text, number
        assert "bgpctl" in text, number
        assert "\nState: " in text, number
        assert f"| [{number}](#{number}) |" in PAGE


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_exists_with_its_options(line: str) -> None:
    """A page that promises a command that is not there helps nobody at 3 a.m."""
    words = [word for word in shlex.split(re.sub(r"\[[^]]*\]|&&.*|<.*", "", line)) if word != "…"]
    command: Any = typer.main.get_command(app)
    assert words.pop(0) == "bgpctl"
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {option for one in command.params for option in getattr(one, "opts", ())}
    assert not getattr(command, "commands", {}) or not words, f"{line}: {words} is no command"
    for word in words:
        if word.startswith("-"):
            assert word in known, f"{line}: no option {word}"
