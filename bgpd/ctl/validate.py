"""Say before a roll-out what the agent would say after it: which documents it would refuse."""

import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from bgpd.ctl.columns import counted
from bgpd.ctl.document import API_VERSION, plain
from bgpd.ctl.textplace import Marks, Spot
from bgpd.kube.documents import Key, Object, read
from bgpd.kube.text import MAX_BYTES
from bgpd.model.configuration import BGPAdvertisement, BGPPeer, Community, IPAddressPool
from bgpd.policy.advertisements import dangling
from bgpd.policy.together import contradictions, may_be_session, undefined

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
STDIN: Final = Path("-")
"""The path that stands for standard input."""
_NAMES: Final = "*.yaml, *.yml, *.json"
_SHOWN: Final = 5
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that a person should correct, and where."""

    level: str
    """`error` or `warning`."""
    file: str
    line: int | None
    """Counted from 1, as *column*; None: it is about the whole file."""
    column: int | None
    sentence: str


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was found in all files together."""

    errors: list[str] = field(default_factory=list)
    """Documents that would be refused, a sentence each."""
    warnings: list[str] = field(default_factory=list)
    """What holds, but has no effect."""
    skipped: list[str] = field(default_factory=list)
    """Documents of kinds that bgpd does not read: `ConfigMap a in x.yaml`."""
    objects: dict[Key, Object] = field(default_factory=dict)
    """Every valid object."""
    sources: dict[Key, str] = field(default_factory=dict)
    """The file that names each of them first."""
    refused: set[Key] = field(default_factory=set)
    """What is there, but would be refused."""
    mistakes: list[Mistake] = field(default_factory=list)
    """The errors and warnings about single documents, with their places."""

    def add(self, source: str, spot: Spot | None, message: str, *, refused: bool) -> None:
        """Take in that *message* is to be said of the file *source* at *spot*."""
        rest = message.removeprefix(source).lstrip(": ")
        sentence = message if spot is None else f"{source}:{spot}: {rest}"
        (self.errors if refused else self.warnings).append(sentence)
        self.mistakes.append(
            Mistake(
                level="error" if refused else "warning",
                file=source,
                line=spot.line if spot else None,
                column=spot.column if spot else None,
                sentence=rest,
            )
        )


def validate(paths: Iterable[Path]) -> Findings:
    """Return what is wrong with the documents in *paths*: files, directories, `-`."""
    findings = Findings()
    for path in paths:
        try:
            for file in _files(path, findings):
                _check(file, findings)
        except OSError as error:
            findings.errors.append(f"{path}: {error.strerror}")
    findings.errors += _together(findings)
    findings.warnings += _dangling(findings)
    if not (findings.objects or findings.errors):
        findings.errors.append("nothing was checked: no document of a kind that bgpd reads")
    return findings


def report(findings: Findings) -> Iterator[str]:
    """Return the lines to print: errors, warnings, then the sum."""
    yield from (f"error: {sentence}" for sentence in findings.errors)
    yield from (f"warning: {sentence}" for sentence in findings.warnings)
    yield (
        f"{counted(len(findings.objects), 'object')} valid,"
        f" {counted(len(findings.errors), 'error')}, {counted(len(findings.warnings), 'warning')}"
    )


def skipped(findings: Findings) -> str:
    """Return what was not looked at, in a sentence; the empty text where that is nothing."""
    if not findings.skipped:
        return ""
    names = ", ".join(findings.skipped[:_SHOWN])
    rest = len(findings.skipped) - _SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return f"skipped, because bgpd does not read these kinds: {names}{more}"


def document(findings: Findings) -> dict[str, object]:
    """Return *findings* for scripts."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Validation",
        "valid": [str(key) for key in findings.objects],
        "errors": findings.errors,
        "warnings": findings.warnings,
        "skipped": findings.skipped,
        "mistakes": [plain(one) for one in findings.mistakes],
    }


def _files(path: Path, findings: Findings) -> Iterator[Path]:
    """Return *path* itself, or the documents in it as the agent would find them."""
    if path == STDIN or not path.is_dir():
        yield path
        return
    found = [
        entry
        for entry in sorted(path.iterdir())
        if entry.suffix in SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()
    ]
    if not found:
        findings.warnings.append(f"{path}: holds no documents ({_NAMES})")
    yield from found


def _check(file: Path, findings: Findings) -> None:
    """Check one file; one that cannot be read is an error, and the others are checked."""
    try:
        text = _text(file)
    except OSError as error:
        why = error.strerror
        if file.is_symlink():
            why = f"is a link to {file.readlink()}: {why}"
        findings.errors.append(f"{file}: {why}")
        return
    if text is None:
        findings.errors.append(f"{file}: is not a regular file; use - to read standard input")
        return
    _judge("standard input" if file == STDIN else str(file), text, findings)


def _text(file: Path) -> bytes | None:
    """Return what *file* says, or None where reading could wait for ever."""
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    return file.read_bytes() if stat.S_ISREG(file.stat().st_mode) else None


def _judge(source: str, text: bytes, findings: Findings) -> None:
    documents = read(source, text)
    marks = Marks(text) if documents.problems else None
    for problem in documents.problems:
        assert marks is not None
        spot = marks.of(problem.source.removeprefix(source), problem.path, problem.message)
        findings.add(source, spot, problem.message, refused=problem.refused)
    findings.skipped += (f"{one} in {source}" for one in documents.foreign)
    findings.refused |= documents.damaged
    for key, one in documents.objects.items():
        first = findings.sources.setdefault(key, source)
        if first != source:
            findings.errors.append(f"{source}: {key} is already in {first}; remove one of them")
        else:
            findings.objects[key] = one


def _together(findings: Findings) -> Iterator[str]:
    """Yield a sentence for each document that cannot hold beside another one."""
    return contradictions(
        pools=_of(findings, IPAddressPool),
        advertisements=_of(findings, BGPAdvertisement),
        peers=_of(findings, BGPPeer),
        communities=_of(findings, Community),
    )


def _dangling(findings: Findings) -> Iterator[str]:
    """Yield a sentence for each name in an advertisement that nothing here has."""
    there = findings.objects.keys() | findings.refused
    advertisements, peers = _of(findings, BGPAdvertisement), _of(findings, BGPPeer)
    named = {name for one in advertisements for name in one.peers if may_be_session(name, peers)}
    sentences = dangling(
        advertisements,
        {key.name for key in there if key.kind == "IPAddressPool"},
        {key.name for key in there if key.kind == "BGPPeer"} | named,
    )
    for sentence in (*sentences, *undefined(advertisements, _of(findings, Community))):
        yield f"among what was checked: {sentence}"


def _of(findings: Findings, kind: type[_Kind]) -> tuple[_Kind, ...]:
    return tuple(one for one in findings.objects.values() if isinstance(one, kind))
