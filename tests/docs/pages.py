"""What the pages of the documentation promise: links that lead somewhere, commands that exist."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import typer

from bgpd.ctl import app as bgpctl
from bgpd.ctl import daemon
from bgpd.ctl.doctorchecks import CHECKS
from bgpd.ctl.resource import HOST, NOUNS

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
MAP: Final = DOCS / "README.md"
KINDS: Final = ("Tutorial", "How-to", "Concepts", "Reference")

_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_SHELLS: Final = frozenset({"", "sh", "bash", "console"})
_SHOWN: Final = frozenset({"text", "ini", "json", "yaml"})
_TYPED: Final = ("$ ", "ExecSt")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
_CALL: Final = re.compile(
    r"(?:^|[\s/(;|&])(?:(?P<program>kubectl bgpd|bgpctl) (?=[a-z-])"
    r"|(?P<daemon>bgpd) (?=(?:speaker|agent|controller|mesh-key|version|host)(?:[\s)]|$)))"
)
_LACKING: Final = frozenset({"MissingParameter", "BadOptionUsage"})
_OPTIONAL: Final = re.compile(r"\[[^\]]*\]")
_PROGRAMS: Final = {"bgpctl": bgpctl.app, "kubectl bgpd": bgpctl.app, "bgpd": daemon.app}


def pages() -> tuple[Path, ...]:
    """Return every page that people read here."""
    return (ROOT / "README.md", ROOT / "charts/bgpd/README.md", *sorted(DOCS.rglob("*.md")))


def named(page: Path) -> str:
    """Return the page's path in the repository."""
    return str(page.relative_to(ROOT))


def links(text: str) -> Iterator[str]:
    """Yield where *text* links to within the repository."""
    for found in _LINK.finditer(_FENCE.sub("", text)):
        if not found[1].startswith(("http://", "https://", "mailto:")):
            yield found[1]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the names of the headings of *page*, as GitHub and others make them."""
    found: list[str] = []
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text())):
        name = re.sub(r"\]\([^)]*\)", "", heading)
        name = re.sub(r"[^\w\- ]", "", name.lower()).strip().replace(" ", "-")
        before = found.count(name)
        found.append(name)
        if before:
            found.append(f"{name}-{before}")
    return frozenset(found)


def target(page: Path, link: str) -> tuple[Path, str]:
    """Return the file that *link* of *page* leads to, and the heading in it."""
    path, _, heading = link.partition("#")
    return ((page.parent / path).resolve() if path else page), heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One of our programs as a page calls it."""

    program: str
    words: tuple[str, ...]
    whole: bool
    """Whether it is to be typed as it stands; a sentence may name a command without its words."""


def calls(text: str) -> Iterator[Call]:
    """Yield each of our programs that *text* calls, in blocks and in sentences."""
    for _, form, block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if form in _SHELLS or (form in _SHOWN and line.startswith(_TYPED)):
                yield from _calls(line, whole=True)
    for found in _CODE.finditer(_FENCE.sub("", text)):
        yield from _calls(found[1], whole=False)


def complaint(call: Call) -> str:
    """Return why the program would not take the call; nothing where it would."""
    found = _root(call.program)
    rest = list(call.words)
    while rest and rest[0] in getattr(found, "commands", {}):
        found = found.commands[rest.pop(0)]
    children = getattr(found, "commands", {})
    if children and not found.invoke_without_command and "--help" not in rest:
        return f"{' '.join(rest)!r} is none of {', '.join(children)}"
    try:
        parsed = found.make_context(call.program, rest).params
    except typer.Exit:
        return ""
    except Exception as error:  # noqa: BLE001 - whatever a person would be told
        mentioned = type(error).__name__ in _LACKING and not call.whole
        return "" if mentioned else str(error)
    return _unknown(parsed)


def _unknown(parsed: Mapping[str, Any]) -> str:
    """Return which word of a known command names nothing: a list, a check of the doctor's."""
    noun = str(parsed.get("noun") or "")
    if noun.islower() and noun not in {
        HOST,
        *(one for n in NOUNS for one in (n.singular, n.plural)),
    }:
        return f"there is no list of {noun!r}"
    known = {"CHECK", *(one.name for one in CHECKS)}
    asked = [one for words in parsed.get("only") or () for one in words.split(",")]
    wrong = [one for one in asked if one not in known]
    return f"the doctor knows no {', '.join(wrong)}" if wrong else ""


def _calls(line: str, *, whole: bool) -> Iterator[Call]:
    typed = line.split(" #", maxsplit=1)[0]
    for found in _CALL.finditer(typed):
        rest = _OPTIONAL.sub("", typed[found.end() :])
        yield Call(program=found["program"] or found["daemon"], words=_words(rest), whole=whole)


@cache
def _root(program: str) -> Any:
    """Return what parses the command line of *program*."""
    return typer.main.get_command(_PROGRAMS[program])


def _words(text: str) -> tuple[str, ...]:
    """Return the words of the command that *text* begins with, up to what the shell does next."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";|&()<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(";|&()<>") or word in {"…", "..."}:
            break
        words.append(word)
    return tuple(words)
