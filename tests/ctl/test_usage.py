"""A wrong command line: one sentence with the word, its value and what is legal."""

import asyncio

import pytest
from typer.exceptions import TyperException

from bgpd.ctl import start, usage
from tests.ctl.fakes import bgpd


def said(*words: str) -> str:
    """Return what a person is told who types *words* after `bgpctl`."""
    program = start.program(words)
    with pytest.raises(TyperException) as caught:
        program(list(words), prog_name="bgpctl", standalone_mode=False)
    assert caught.value.exit_code == 2
    return f"{usage.asked(caught.value, 'bgpctl')}: {usage.sentence(caught.value, 'bgpctl')}"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param(
            "status --bogus",
            "bgpctl status: there is no option --bogus; `bgpctl status --help` lists them",
            id="no such option",
        ),
        pytest.param(
            "status --outptu json",
            "bgpctl status: there is no option --outptu; did you mean `--output`?",
            id="an option that is nearly one",
        ),
        pytest.param(
            "explain -A",
            "bgpctl explain: there is no option -A; did you mean `--all-nodes`?",
            id="what kubectl's users type",
        ),
        pytest.param(
            "status -o xml",
            "bgpctl status: --output: 'xml' is not allowed; must be table, wide, json or yaml",
            id="not one of the forms",
        ),
        pytest.param(
            "status --timeout 0",
            "bgpctl status: --timeout: '0' is not allowed; must be a number, 0.1..86400",
            id="out of range",
        ),
        pytest.param(
            "generation reset x",
            "bgpctl generation reset: TO: 'x' is not allowed; must be a whole number, 1..8388607",
            id="no number",
        ),
        pytest.param(
            "timeline --last -1",
            "bgpctl timeline: --last: '-1' is not allowed; must be a whole number, 1 or more",
            id="a range without an end",
        ),
        pytest.param(
            "events --level loud",
            "bgpctl events: --level: 'loud' is not allowed; must be info, warning or error",
            id="a sentence of the command itself",
        ),
        pytest.param("status --timeout", "bgpctl: --timeout needs a value", id="no value"),
        pytest.param("status --watch=yes", "bgpctl: --watch takes no value", id="too much value"),
        pytest.param(
            "completion", "bgpctl completion: BASH|ZSH|FISH is missing: which shell", id="missing"
        ),
        pytest.param(
            "frobnicate",
            "bgpctl: no such command 'frobnicate'; `bgpctl --help` lists what there is",
            id="no such command",
        ),
        pytest.param(
            "statos",
            "bgpctl: no such command 'statos'; did you mean `status`?",
            id="nearly a command",
        ),
        pytest.param(
            "drain n1 n2",
            "bgpctl drain: nothing more is asked for, so what is 'n2'?",
            id="a word too many",
        ),
    ],
)
def test_a_wrong_command_line_is_one_sentence(line: str, sentence: str) -> None:
    """It names the word, the value, what is legal, and leaves usage to --help."""
    assert said(*line.split()) == sentence


@pytest.mark.parametrize(
    "words", [("drain", ""), ("undrain", ""), ("explain", ""), ("explain", "node", "")], ids=repr
)
def test_an_empty_name_does_not_mean_this_node(words: tuple[str, ...]) -> None:
    """`bgpctl drain "$NODE"` of a script whose variable was never set must not drain anything."""
    assert said(*words).endswith(": is empty; name one, or leave the word out")


def test_what_would_move_the_cursor_is_shown_as_text() -> None:
    """A word from a script may hold anything."""
    assert said("status", "--\x1b[2J\n") == (
        "bgpctl status: there is no option --\\x1b[2J\\n; `bgpctl status --help` lists them"
    )


def test_a_group_alone_shows_its_help() -> None:
    """Somebody who types half of a command wants to see the other half."""
    with pytest.raises(TyperException) as caught:
        start.program(["debug"])(["debug"], prog_name="bgpctl", standalone_mode=False)
    assert usage.is_help(caught.value)
    assert "bundle" in caught.value.format_message()


def test_the_processes_answer_in_the_same_way() -> None:
    """Whoever writes a unit file reads one line in its log."""
    result = asyncio.run(bgpd("speaker", "--log-level", "loud"))
    assert (result.status, result.output) == (2, "")
    assert result.errors == (
        "bgpd speaker: --log-level: 'loud' is not allowed; must be debug, info, warning or error\n"
    )
