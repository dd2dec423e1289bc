"""Facts about completion: what may stand next, and that real shells get it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from bgpd.ctl.app import app
from bgpd.ctl.complete import FILES, candidates
from bgpd.ipc.message import Answer
from tests.ctl.fakes import bgpctl, command, environment, serving
from tests.ctl.samples import NODE, SPEAKER
from tests.lacking import lacking

ROOT = cast("Any", typer.main.get_command(app))
NOUNS = ("sessions", "members", "elasticips")
NAMES = {"session": ["tor-a", "tor-b"], "sessions": ["tor-a", "tor-b"], "members": ["n2"]}


def names(noun: str, _: Mapping[str, str]) -> Iterable[str]:
    """Return names as a node would have them."""
    return NAMES.get(noun, [])


def found(*words: str) -> list[str]:
    """Return what may stand where the last of *words* does."""
    return candidates(ROOT, words, nouns=NOUNS, names=names)


@pytest.mark.parametrize(
    ("words", "next_words"),
    [
        pytest.param(("stat",), ["status"], id="a command"),
        pytest.param(("sho",), [], id="a hidden command is not offered"),
        pytest.param(("generation", ""), ["reset"], id="a command of a group"),
        pytest.param(("get", "sess"), ["sessions"], id="a noun"),
        pytest.param(("get", "sessions", ""), ["tor-a", "tor-b"], id="the names of a noun"),
        pytest.param(
            ("get", "sessions", "tor-a", ""), ["tor-b"], id="the names that are not there yet"
        ),
        pytest.param(("describe", "session", "tor-b"), ["tor-b"], id="a name that is whole"),
        pytest.param(("get", "-o", "wi"), ["wide"], id="the value of an option"),
        pytest.param(
            ("get", "-o", "wide", "sess"), ["sessions"], id="what follows an option's value"
        ),
        pytest.param(("get", "-A", "mem"), ["members"], id="what follows a flag"),
        pytest.param(("get", "--output=wide", "mem"), ["members"], id="an option with its value"),
        pytest.param(("status", "--no-c"), ["--no-color"], id="an option"),
        pytest.param(("explain", "n"), ["n2"], id="names of several kinds"),
        pytest.param(("validate", ""), [FILES], id="files"),
        pytest.param(("status", "--kubeconfig", ""), [FILES], id="a file as an option's value"),
        pytest.param(("completion", ""), ["bash", "zsh", "fish"], id="a shell"),
        pytest.param(("get", "nonsense", ""), [], id="names of a noun that there is not"),
        pytest.param((), found(""), id="nothing at all"),
    ],
)
def test_what_may_stand_next_is_offered(words: tuple[str, ...], next_words: list[str]) -> None:
    """Commands, options, their values, nouns and the names that a node has."""
    assert found(*words) == next_words


def test_every_command_that_help_shows_is_offered() -> None:
    """And no other."""
    assert set(found("")) == {name for name, one in ROOT.commands.items() if not one.hidden}


def test_a_node_that_does_not_answer_costs_no_error(tmp_path: Path) -> None:
    """A person in the middle of a line sees no sentence there."""
    result = asyncio.run(
        bgpctl("__complete", "--", "get", "members", "", BGPD_RUN_DIR=f"{tmp_path}")
    )
    assert (result.status, result.output, result.errors) == (0, "", "")


BASH = """
source <(bgpctl completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
_bgpctl
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
autoload -Uz compinit && compinit -D -u
source <(bgpctl completion zsh)
compadd() { shift; printf '%s\\n' "${(P)1[@]}" }
words=(${(z)1}) CURRENT=$#words
[[ $1 == *' ' ]] && words+=('') CURRENT=$#words
_bgpctl
"""
FISH = """
bgpctl completion fish | source
complete -C"$argv[1]" | string replace -r '\\t.*' ''
"""
LINES = {
    "bash": lambda line: ["bash", "-c", BASH, "bash", line],
    "zsh": lambda line: ["zsh", "-f", "-c", ZSH, "zsh", line],
    "fish": lambda line: ["fish", "-N", "-c", FISH, line],
}


@pytest.mark.parametrize("shell", sorted(LINES))
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("bgpctl descr", ["describe"], id="a command"),
        pytest.param("bgpctl get sessions ", ["tor-a", "tor-b"], id="names that the node has"),
        pytest.param("bgpctl status -o y", ["yaml"], id="the value of an option"),
    ],
)
def test_a_real_shell_completes(tmp_path: Path, shell: str, line: str, offered: list[str]) -> None:
    """The script of each shell is read by that shell, and offers what the program says."""
    if shutil.which(shell) is None:
        lacking(f"{shell} is not installed", unproven="that it reads our completion")
    assert _offered(tmp_path, LINES[shell](line)) == offered


def test_bash_is_told_the_rest_of_an_address(tmp_path: Path) -> None:
    """It takes a colon for the end of a word, so that only what follows it may be offered."""
    assert _offered(tmp_path, LINES["bash"]("bgpctl get elasticips 2001:d")) == ["db8::7"]


def test_kubectl_is_answered_as_cobra_would() -> None:
    """Candidates, and then a directive: no files, or files."""
    script = "from bgpd.ctl.completecommand import kubectl_main; kubectl_main()"

    def asked(*words: str) -> str:
        return asyncio.run(command((sys.executable, "-c", script, *words))).output

    assert asked("stat") == "status\n:4\n"
    assert asked("validate", "") == ":0\n"


def _offered(directory: Path, line: list[str]) -> list[str]:
    program = directory / "bin/bgpctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bgpd.ctl "$@"\n')
    program.chmod(0o755)

    async def story() -> subprocess.CompletedProcess[str]:
        status = {"status": Answer(content=SPEAKER)}
        async with serving(directory, agent={"status": Answer(content=NODE)}, speaker=status):
            return await asyncio.to_thread(
                subprocess.run,
                line,
                env=environment(
                    PATH=f"{program.parent}:{os.environ['PATH']}",
                    BGPD_RUN_DIR=str(directory),
                    HOME=str(directory),
                    PYTHONPATH=str(Path(__file__).parents[2]),
                ),
                capture_output=True,
                text=True,
                check=False,
                timeout=50,
            )

    result = asyncio.run(story())
    assert result.stderr == ""
    return result.stdout.split()
