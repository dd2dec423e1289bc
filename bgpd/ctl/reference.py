"""Write what is read from the code: the reference pages and the definitions of the kinds.

`python -m bgpd.ctl.reference ROOT` writes below the checkout ROOT. What a page shows of a command
is what its `--help` shows, so a page cannot promise an option that is not there; `--check` fails
when a file on disk is not what would be written.
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
from bgpd.ctl import (
    configurationpage,
    eventspage,
    metricspage,
    portspage,
    reasonspage,
    schemas,
    schemaspage,
)
from bgpd.ctl import daemon as bgpd
from bgpd.kube import crd, crdpage, referencefile
from bgpd.kube import reference as documents

_INTRODUCTIONS: Final = {
    "bgpctl": (
        "`bgpctl` shows on a node what bgpd advertises, and why. It talks to the node's unix\n"
        "sockets: the agent's, and the speaker's when the agent is dead.\n\n"
        "OpenBGPD has a command of the same name; where its package is installed beside ours,\n"
        "`python -m bgpd.ctl` is always ours.\n"
    ),
    "bgpd": (
        "`bgpd` starts the processes of a node, and the controller. Each command checks its\n"
        "options and then becomes the process.\n"
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
        "conditions.md": eventspage.conditions_page(),
        "configuration.md": configurationpage.page(),
        "custom-resources.md": crdpage.page(),
        "documents.md": documents.page(),
        "events.md": eventspage.events_page(),
        "metrics.md": metricspage.page(),
        "ports.md": portspage.page(),
        "reasons.md": reasonspage.page(),
        "schemas.md": schemaspage.page(),
    }


def folders() -> Mapping[str, Mapping[str, str]]:
    """Return every folder that is written whole, with the name and the text of each file."""
    return {
        "docs/reference": pages(),
        schemas.FOLDER: schemas.files(),
        "charts/bgpd/files/crds": crd.files(),
    }


def singles() -> Mapping[str, str]:
    """Return the path and the text of each file that stands among others written by hand."""
    return {referencefile.PATH: referencefile.file()}


def drifted(root: Path) -> tuple[str, ...]:
    """Return the paths below *root* that are not what they should be, also those left over."""
    alone = (one for one, text in singles().items() if _differs(root / one, text))
    whole = (path for folder, files in folders().items() for path in _stale(root, folder, files))
    return (*alone, *whole)


def write(root: Path) -> None:
    """Write every file below *root*."""
    for folder, files in folders().items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (root / folder / name).write_text(text)
    for name, text in singles().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` only say which ones differ."""
    parser = argparse.ArgumentParser(prog="python -m bgpd.ctl.reference", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--check", action="store_true")
    parsed = parser.parse_args(arguments)
    root: Path = parsed.root
    if not parsed.check:
        write(root)
        return 0
    stale = drifted(root)
    for path in stale:
        sys.stderr.write(f"{path} is out of date; run scripts/docs\n")
    return 1 if stale else 0


def _stale(root: Path, folder: str, files: Mapping[str, str]) -> Iterator[str]:
    present = {path.name for path in (root / folder).glob("*") if path.is_file()}
    for name in sorted(files.keys() | present):
        if name not in files or _differs(root / folder / name, files[name]):
            yield f"{folder}/{name}"


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text() != text


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
