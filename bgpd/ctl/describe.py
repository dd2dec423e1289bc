"""Everything that is known of one thing, for people: each field of its document on a line.

Pure, and made from the very document that `-o json` prints, so that no field can be forgotten.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bgpd.ctl.columns import NONE, UNKNOWN, duration, wrapped

_STEP: Final = 2
_MOMENTS: Final = frozenset({"since", "started", "written", "probedAt"})
"""Fields that are wall clocks, seconds since the epoch."""
_UNITS: Final = {"Milliseconds": " ms", "Percent": " %"}
_SECONDS: Final = frozenset({"holdTime", "wantedHoldTime"})
_CAPITALS: Final = {"asn": "ASN", "id": "ID", "ids": "IDs", "med": "MED", "bfd": "BFD"} | {
    "ip": "IP",
    "ips": "IPs",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
}


def describe(document: Mapping[str, object], *, now: float) -> str:
    """Return *document* for people; *now* is the wall clock."""
    fields = {name: value for name, value in document.items() if name != "apiVersion"}
    return "".join(f"{line}\n" for line in _fields(fields, now, indent=0))


def words_of(name: str) -> str:
    """Return the name of a field as people say it: `peerRouterId` is `Peer router ID`."""
    parts = re.sub(r"(?<!^)([A-Z])", r" \1", name).lower().split()
    text = " ".join(_CAPITALS.get(part, part) for part in parts)
    return text[:1].upper() + text[1:]


def _fields(fields: Mapping[str, object], now: float, *, indent: int) -> Iterator[str]:
    labels = {name: f"{words_of(name)}:" for name in fields}
    flat = [name for name, value in fields.items() if not _nested(value)]
    width = max((len(labels[name]) for name in flat), default=0) + 2
    margin = " " * indent
    for name, value in fields.items():
        if _nested(value):
            yield f"{margin}{labels[name]}"
            yield from _below(value, now, indent=indent + _STEP)
        else:
            text = _said(name, value, now)
            head = f"{margin}{labels[name]:<{width}}"
            yield head + wrapped(text, width=max(20, 80 - len(head)), indent="").replace(
                "\n", "\n" + " " * len(head)
            )


def _below(value: Any, now: float, *, indent: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _fields(value, now, indent=indent)
        return
    for one in value:
        if isinstance(one, Mapping):
            first, *rest = _fields(one, now, indent=indent + _STEP)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        else:
            yield wrapped(f"{' ' * indent}- {one}", indent=" " * (indent + _STEP))


def _nested(value: object) -> bool:
    """Return whether *value* takes lines of its own."""
    if isinstance(value, Mapping):
        return bool(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(isinstance(one, Mapping) or len(str(one)) > 40 for one in value)
    return False


def _said(name: str, value: object, now: float) -> str:
    text = str(value)
    match value:
        case None:
            text = UNKNOWN if name in {"services", "document", "state"} else NONE
        case "" | [] | {}:
            text = NONE
        case bool():
            text = "yes" if value else "no"
        case int() | float() if name in _MOMENTS:
            text = _moment(value, now)
        case float():
            text = f"{value:.10g}{_unit(name)}"
        case int():
            text += _unit(name)
        case list():
            text = ", ".join(str(one) for one in value)
        case _:
            pass
    return text


def _unit(name: str) -> str:
    if name in _SECONDS:
        return " s"
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def _moment(at: float, now: float) -> str:
    text = datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="seconds")
    return f"{text.removesuffix('+00:00')}Z ({duration(now - at)} ago)"
