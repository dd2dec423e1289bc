"""Say before a roll-out what the agent would say after it: which documents it would refuse."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bgpd.ctl.columns import counted
from bgpd.kube.documents import Key, read

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was found in all files together."""

    errors: list[str] = field(default_factory=list)
    """Documents that would be refused, a sentence each."""
    warnings: list[str] = field(default_factory=list)
    """What holds, but has no effect."""
    keys: dict[Key, str] = field(default_factory=dict)
    """Every valid object and the file that names it first."""


def validate(paths: Iterable[Path]) -> Findings:
    """Return what is wrong with the documents in *paths*, files or directories."""
    findings = Findings()
    for path in paths:
        try:
            for file in _files(path):
                _read(file, findings)
        except OSError as error:
            findings.errors.append(f"{path}: {error.strerror}")
    return findings


def report(findings: Findings) -> Iterator[str]:
    """Return the lines to print: errors, warnings, then the sum."""
    yield from (f"error: {sentence}" for sentence in findings.errors)
    yield from (f"warning: {sentence}" for sentence in findings.warnings)
    yield (
        f"{counted(len(findings.keys), 'object')} valid,"
        f" {counted(len(findings.errors), 'error')}, {counted(len(findings.warnings), 'warning')}"
    )


def _files(path: Path) -> Iterator[Path]:
    """Return *path* itself, or the documents in it as the agent would find them."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix in SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    )


def _read(file: Path, findings: Findings) -> None:
    documents = read(str(file), file.read_bytes())
    for problem in documents.problems:
        (findings.errors if problem.refused else findings.warnings).append(problem.message)
    for key in documents.objects:
        first = findings.keys.setdefault(key, str(file))
        if first != str(file):
            findings.errors.append(f"{file}: {key} is already in {first}; remove one of them")
