"""Is this host set up right? Checks from the documents to the packets, each with what to do.

A check is a pure function of `Facts`; `examine` runs them in the order in which things depend on
each other, so the first line that fails is the one to begin with. What depends on something that
failed is not judged a second time: it says what it waits for.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from bgpd.ctl.columns import WIDTH, counted, printable, wrapped
from bgpd.ctl.doctorfacts import Facts


class Level(StrEnum):
    """What a line means."""

    OK = "OK"
    WARN = "WARN"
    """It works, and a person should know."""
    FAIL = "FAIL"
    """It does not work, and a person has to do something."""
    SKIP = "SKIP"
    """Nobody could look, or there is nothing to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line."""

    check: str
    level: Level
    subject: str
    """What it is about: a peer, a member, an interface; empty: the node."""
    sentence: str
    next_command: str = ""
    """What to run next; always there beside WARN and FAIL."""


Findings: TypeAlias = Iterator[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, and what people are told about it."""

    name: str
    asks: str
    """The question, for the page."""
    remedy: str
    """What to do when the answer is no, for the page."""
    find: Callable[[Facts], Findings]
    needs: tuple[str, ...] = ()
    """Where one of these failed for the same subject, this one is not judged."""
    nothing: str = ""
    """What is said where there is nothing to look at; empty: nothing."""


EXIT_FAILED: Final = 1


def examine(
    facts: Facts, checks: Iterable[Check], only: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return the findings of *checks*, in their order; of *only* those, if any are named."""
    failed: dict[str, set[str]] = {}
    found: list[Finding] = []
    for check in checks:
        lines = tuple(_independent(check, tuple(check.find(facts)), failed))
        if not lines and check.nothing:
            lines = (
                Finding(
                    check=check.name, level=Level.SKIP, subject="", sentence=_why(check, facts)
                ),
            )
        failed[check.name] = {one.subject for one in lines if one.level is Level.FAIL}
        if not only or check.name in only:
            found.extend(lines)
    return tuple(found)


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 1 when something failed, else 0."""
    return EXIT_FAILED if any(one.level is Level.FAIL for one in findings) else 0


def report(findings: Sequence[Finding], node: str = "") -> str:
    """Return *findings* for people, 80 columns wide; a command stays in one piece."""
    widest = max((len(one.check) for one in findings), default=0)
    return summary(findings, node) + "".join(_lines(one, widest) for one in _folded(findings))


def summary(findings: Sequence[Finding], node: str = "") -> str:
    """Return the first line."""
    levels = [one.level for one in findings]
    parts = [f"{levels.count(level)} {level.value}" for level in (Level.FAIL, Level.WARN, Level.OK)]
    skipped = levels.count(Level.SKIP)
    if skipped:
        parts.append(f"{skipped} not judged")
    first = next((one for one in findings if one.level is Level.FAIL), None)
    begin = f"; begin with {first.check}" if first is not None else ""
    text = f"{node or 'this node'}: {', '.join(parts)} of {counted(len(levels), 'line')}{begin}"
    return wrapped(text, indent="  ") + "\n"


def document(findings: Iterable[Finding], node: str = "") -> dict[str, object]:
    """Return *findings* for programs."""
    items = tuple(findings)
    levels = [one.level for one in items]
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "Examination",
        "node": node,
        "healthy": Level.FAIL not in levels,
        "counts": {level.value: levels.count(level) for level in Level},
        "items": [
            {
                "level": one.level.value,
                "check": one.check,
                "subject": one.subject,
                "sentence": one.sentence,
                "next": one.next_command,
            }
            for one in items
        ],
    }


def _why(check: Check, facts: Facts) -> str:
    return f"{check.nothing}{f' ({facts.kept_problem})' if facts.kept_problem else ''}"


def _independent(
    check: Check, findings: Sequence[Finding], failed: Mapping[str, set[str]]
) -> Findings:
    """Yield *findings*, one line in the place of those about what failed before already."""
    said: set[str] = set()
    for one in findings:
        cause = next((name for name in check.needs if one.subject in failed.get(name, ())), None)
        if cause is None or not one.subject:
            yield one
        elif one.subject not in said:
            said.add(one.subject)
            yield Finding(
                check=one.check,
                level=Level.SKIP,
                subject=one.subject,
                sentence=f"not judged, because {cause} failed",
            )


def _folded(findings: Iterable[Finding]) -> Findings:
    """Yield *findings*, those that could not be judged for one and the same reason as one line."""
    waiting: list[Finding] = []
    for one in (*findings, None):
        if waiting and (one is None or not _alike(waiting[0], one)):
            first, *others = waiting
            names = ", ".join(dict.fromkeys(each.check for each in others))
            also = f"; so it is with {names}" if names else ""
            yield replace(first, sentence=first.sentence + also)
            waiting = []
        if one is not None and one.level is Level.SKIP:
            waiting.append(one)
        elif one is not None:
            yield one


def _alike(one: Finding, other: Finding) -> bool:
    return replace(one, check=other.check) == other


def _lines(one: Finding, widest: int) -> str:
    head = f"{one.level.value:<4}  {one.check:<{widest}}  "
    indent = " " * len(head)
    about = f"{one.subject}: " if one.subject else ""
    text = wrapped(f"{about}{one.sentence}", width=WIDTH - len(head)).splitlines()
    lines = [f"{indent if number else head}{line}" for number, line in enumerate(text or [""])]
    if one.next_command:
        lines.extend(_command(one.next_command, indent))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _command(command: str, indent: str) -> Iterator[str]:
    """Yield a command so that it can be copied: one that is too long goes on after a backslash."""
    start, room = f"{indent}$ ", WIDTH - len(indent) - 4
    line = ""
    for word in printable(command).split(" "):
        if line and len(line) + 1 + len(word) > room:
            yield f"{start}{line} \\"
            start, line = f"{indent}    ", ""
        line = f"{line} {word}" if line else word
    yield start + line
