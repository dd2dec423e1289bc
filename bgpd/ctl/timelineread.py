"""Read the timelines of several nodes: from files, or as agents told the cluster."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from bgpd.model.errors import ConfigError
from bgpd.model.timeline import Failover

KIND: Final = "FailoverList"
MOST_BYTES: Final = 64 * 1024 * 1024


def read_all(paths: Iterable[Path]) -> list[Failover]:
    """Return the failovers in all files, or raise `ConfigError` that names the first bad one."""
    return [failover for path in paths for failover in read(path)]


def read(path: Path) -> list[Failover]:
    """Return the failovers in one file.

    It is what `bgpctl timeline -o json` printed, or a speaker's own `timeline.json`, of a node
    that answers no more.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path}: larger than {MOST_BYTES} bytes: no timeline is")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON ({error}); {_MAKE}") from None
    if isinstance(content, dict):
        if content.get("kind") != KIND:
            raise ConfigError(f"{path}: kind: {content.get('kind')!r}, must be {KIND}; {_MAKE}")
        content = list(_snaked(content.get("items") or ()))
    try:
        found = msgspec.convert(content, list[Failover])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: not understood ({error}); {_MAKE}") from None
    nameless = path.stem
    return [one if one.node else replace(one, node=nameless) for one in found]


_MAKE: Final = "make it on each node with `bgpctl timeline -o json`"


def _snaked(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        yield snake(item)


def snake(value: Any) -> Any:
    """Return *value* with the names of fields as the program has them."""
    if isinstance(value, dict):
        return {
            re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name): snake(one)
            for name, one in value.items()
        }
    return [snake(one) for one in value] if isinstance(value, list) else value
