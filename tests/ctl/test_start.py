"""Facts about the start: one command alone is what it is among all others, and sooner there."""

import asyncio
import sys

import pytest

from bgpd.ctl.start import ALONE
from tests.ctl.fakes import Result, bgpctl, command

ALL = (
    "from bgpd.ctl.app import app; from bgpd.ctl.program import run;"
    " run('bgpctl', lambda: app(prog_name='bgpctl', standalone_mode=False))"
)


def among_all(*words: str) -> Result:
    """Run a command from the program that has all of them."""
    return asyncio.run(command((sys.executable, "-c", ALL, *words)))


@pytest.mark.parametrize("name", sorted(ALONE))
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--help",), id="its help"),
        pytest.param(("--bogus",), id="wrong usage"),
    ],
)
def test_a_command_alone_is_what_it_is_among_all(name: str, words: tuple[str, ...]) -> None:
    """The same words, on the same stream, with the same exit status."""
    alone, among = asyncio.run(bgpctl(name, *words)), among_all(name, *words)
    assert (alone.status, alone.output, alone.errors) == (among.status, among.output, among.errors)
    assert f"bgpctl {name}" in alone.output + alone.errors


def test_a_command_alone_imports_no_other() -> None:
    """What a person waits for is what he asked for."""
    script = (
        "import sys\n"
        "from bgpd.ctl.start import program\n"
        "program(['status'])\n"
        "print([name for name in sys.modules if name.startswith('bgpd.ctl.')"
        " and name.endswith(('command', 'commands')) and 'status' not in name])\n"
    )
    assert asyncio.run(command((sys.executable, "-c", script))).output == "[]\n"


def test_everything_else_starts_with_all_commands() -> None:
    """Also what is no command, so that the hint is the same."""
    assert asyncio.run(bgpctl("frobnicate")).errors == among_all("frobnicate").errors
    assert asyncio.run(bgpctl("--version")).status == 0
