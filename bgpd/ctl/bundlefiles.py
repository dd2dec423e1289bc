"""What lies on the disk of a node: its state, its documents, its logs."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from bgpd.ctl.bundlehost import run
from bgpd.ctl.bundlepart import MOST_BYTES, Gathered, Where, why
from bgpd.ctl.bundleprocess import Process, inside
from bgpd.model.errors import BgpdError

_UNITS: Final = ("bgpd-speaker", "bgpd-agent", "bgpd-controller", "bgpd")
_LOG_LINES: Final = "20000"


def state(directory: Path) -> Gathered:
    """Return what outlives a restart."""
    found = Gathered()
    for path in _files(directory):
        name = f"state/{path.relative_to(directory)}"
        try:
            text = _text(path)
        except (OSError, ValueError) as error:
            found.missing[name] = why(error)
            continue
        if path.suffix == ".new":
            # What a power loss or a full disk left of a write: where its passwords stand, nobody
            # can tell, and the file that it was to replace may hold others.
            found.missing[name] = "is half of a write, so its secrets cannot be told"
            continue
        if path.suffix != ".json":
            found.texts[name] = text
            continue
        try:
            found.documents[name] = json.loads(text)
        except (ValueError, RecursionError) as error:
            # Nobody can tell where in it a password stands.
            found.missing[name] = f"is no JSON, so its secrets cannot be told: {error}"
    return found


def documents(state_dir: Path, running: Iterable[Process]) -> Gathered:
    """Return the documents of a directory, where that is the source of the agent."""
    found = Gathered()
    for directory in _sources(state_dir, tuple(running)):
        for file in _files(directory):
            found.take(_of_file(f"documents/{file.relative_to(directory)}", file))
    return found


def _sources(state_dir: Path, running: tuple[Process, ...]) -> Iterator[Path]:
    """Yield the directory that the agent reads, or read when it lived."""
    agents = [one for one in running if one.what == "agent"]
    for agent in agents:
        kind, _, path = agent.options.get("source", "").partition(":")
        if kind == "directory":
            yield inside(agent, path)
    if agents:
        return
    try:
        kept = json.loads(_text(state_dir / "objects.json"))
    except (OSError, ValueError, RecursionError):
        return
    origin = kept.get("origin") if isinstance(kept, dict) else ""
    kind, _, path = str(origin).partition(" ")[0].partition(":")
    if kind == "directory":
        yield Path(path)


def _of_file(name: str, path: Path) -> Gathered:
    import yaml  # noqa: PLC0415 - a third of bgpctl's start

    try:
        text = _text(path)
        documents = list(yaml.safe_load_all(text))
        return Gathered(documents={f"{name}.json": json.loads(json.dumps(documents, default=str))})
    except (yaml.YAMLError, RecursionError) as error:
        # Nobody can tell where in it a password stands; nor may the error show the place.
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        return Gathered(missing={name: f"is no YAML{place}, so its secrets cannot be told"})
    except (OSError, ValueError) as error:
        return Gathered(missing={name: why(error)})


def _files(directory: Path) -> Iterator[Path]:
    """Yield the files below *directory*, without those that a mounted ConfigMap hides."""
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise BgpdError(f"{directory}: {error.strerror}") from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def _text(path: Path) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    return path.read_text()


def logs(where: Where) -> Gathered:
    """Return the log files that a person named, and what the journal has of us."""
    found = Gathered()
    for number, path in enumerate(where.logs):
        name = f"logs/{number}-{path.name}"
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - MOST_BYTES))
                found.texts[name] = file.read().decode("utf-8", "replace")
        except OSError as error:
            found.missing[name] = f"{path}: {why(error)}"
    if shutil.which("journalctl"):
        units = [word for unit in _UNITS for word in ("-u", unit)]
        line = ("journalctl", *units, "-n", _LOG_LINES, "-o", "short-iso-precise", "--no-pager")
        said = run(line, 3 * where.timeout)
        if said and not said.startswith("-- No entries"):
            found.texts["logs/journal.txt"] = said
    if not found.texts and not found.missing:
        found.missing["logs"] = (
            "there is no journal of our units here; --log names a file, and kubectl logs has those"
            " of a pod"
        )
    return found
