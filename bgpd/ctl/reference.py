"""Write the reference pages of both command lines from the command lines themselves.

What a page shows is what `--help` shows, so a page cannot promise an option that is not there;
`--check` fails when a page on disk is not what would be written.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import typer

from bgpd.ctl import app as bgpctl
from bgpd.ctl import daemon as bgpd
from bgpd.kube import crdpage
from bgpd.kube import reference as documents

_INTRODUCTIONS: Final = {
    "bgpctl": (
        "`bgpctl` shows on a node what bgpd advertises, and why. It talks to the node's unix\n"
        "sockets: the agent's, and the speaker's when the agent is dead.\n\n"
        "OpenBGPD has a command of the same name; where its package is installed beside ours,\n"
        "`python -m bgpd.ctl` is always ours.\n"
    ),
    "bgpd": (
        "`bgpd` starts the processes of a node. Each command checks its options and then\n"
        "becomes the process.\n"
    ),
}
_GENERATED: Final = "<!-- Written by scripts/docs from the programs' own help; do not edit. -->\n"


class _Command(Protocol):
    hidden: bool


def pages() -> Mapping[str, str]:
    """Return the name and the text of each page."""
    programs = {
        f"{name}.md": _page(name, program)
        for name, program in (("bgpctl", bgpctl.app), ("bgpd", bgpd.app))
    }
    return {
        **programs,
        "custom-resources.md": crdpage.page(),
        "documents.md": documents.page(),
    }


def drifted(directory: Path) -> tuple[str, ...]:
    """Return the names of the pages in *directory* that are not what they should be."""
    return tuple(
        name
        for name, text in pages().items()
        if not (directory / name).is_file() or (directory / name).read_text() != text
    )


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only say which ones differ."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--check", action="store_true")
    parsed = parser.parse_args(arguments)
    directory: Path = parsed.directory
    if parsed.check:
        stale = drifted(directory)
        for name in stale:
            sys.stderr.write(f"{directory / name} is out of date; run scripts/docs\n")
        return 1 if stale else 0
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text)
    return 0


def _page(name: str, program: typer.Typer) -> str:
    parts = [f"# {name}\n", _GENERATED, _INTRODUCTIONS[name]]
    for words in _commands(program):
        title = " ".join((name, *words))
        parts.append(f"## {title}\n\n```text\n{_help(name, program, words)}```\n")
    return "\n".join(parts)


def _commands(program: typer.Typer) -> Iterator[tuple[str, ...]]:
    """Return the words of every command that is not hidden, the program's own first."""
    yield ()
    yield from _below(typer.main.get_command(program), ())


def _below(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    children: Mapping[str, _Command] = getattr(command, "commands", {})
    for name, child in children.items():
        if not child.hidden:
            yield (*words, name)
            yield from _below(child, (*words, name))


def _help(name: str, program: typer.Typer, words: tuple[str, ...]) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        program([*words, "--help"], prog_name=name)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
