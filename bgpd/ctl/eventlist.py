"""What happened on a node, merged from its processes by time: choose, show, and tell what is new.

Pure functions of the lists of events that the processes keep.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

from bgpd.ctl.columns import WIDTH, columns, printable
from bgpd.ctl.document import API_VERSION
from bgpd.model.event import Event

LEVELS: Final = ("debug", "info", "warning", "error")
_HEADER: Final = ("TIME", "LEVEL", "PROCESS", "EVENT", "KEYS")


def merged(lists: Iterable[Sequence[Event]]) -> tuple[Event, ...]:
    """Return all events, oldest first; what one process says stays in its order."""
    return tuple(sorted((one for each in lists for one in each), key=lambda one: one.at))


def chosen(
    events: Iterable[Event], *, level: str = "info", names: Sequence[str] = ()
) -> tuple[Event, ...]:
    """Return those from *level* up that are called as one of *names*, which may hold `*`."""
    least = LEVELS.index(level)
    return tuple(
        one
        for one in events
        # A level that a newer program knows is shown: nobody asked to leave it out.
        if one.level not in LEVELS[:least]
        and (not names or any(fnmatchcase(one.event, name) for name in names))
    )


def news(before: Iterable[Event], after: Iterable[Event]) -> tuple[Event, ...]:
    """Return what is in *after* and was not in *before*: clocks jump, so times say nothing."""
    known = Counter(before)
    found = []
    for one in after:
        if known[one]:
            known[one] -= 1
        else:
            found.append(one)
    return tuple(found)


def table(events: Sequence[Event], *, now: float, wide: bool = False, headers: bool = True) -> str:
    """Return *events* for people, oldest first; times are UTC, and only the time for today's."""
    if not events:
        return "no event that was asked for is remembered here\n" if headers else ""
    rows = [_row(one, now=now, wide=wide) for one in events]
    text = columns(_HEADER, rows, width=None if wide else WIDTH, flexible=(3, 4))
    return text if headers else text.partition("\n")[2]


def line(event: Event, *, now: float, wide: bool) -> str:
    """Return one event as a line of a table that has no end, so its columns are set."""
    time, level, process, name, keys = _row(event, now=now, wide=wide)
    text = printable(f"{time}  {level:<7}  {process:<10}  {name}  {keys}").rstrip()
    return text if wide or len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def document(events: Iterable[Event], missing: Mapping[str, str]) -> dict[str, object]:
    """Return what `bgpctl events -o json` prints; *missing* is who did not answer, and why."""
    return {
        "apiVersion": API_VERSION,
        "kind": "EventList",
        "items": [item(one) for one in events],
        "missing": dict(sorted(missing.items())),
    }


def item(event: Event) -> dict[str, object]:
    """Return one event for programs: the fields of a line of the log."""
    return {
        "time": moment(event.at),
        "level": event.level,
        "process": event.process,
        "event": event.event,
        "keys": dict(event.keys),
    }


def moment(at: float) -> str:
    """Return *at* as the log writes it."""
    milliseconds = int(at * 1000)
    second = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def _row(event: Event, *, now: float, wide: bool) -> tuple[str, str, str, str, str]:
    keys = " ".join(f"{key}={_quoted(value)}" for key, value in event.keys)
    return (_when(event.at, now=now, wide=wide), event.level, event.process, event.event, keys)


def _when(at: float, *, now: float, wide: bool) -> str:
    text = moment(at)
    if wide:
        return text
    today = moment(now)[:10]
    # Both forms are twelve characters: what is older than today needs no milliseconds.
    return text[11:23] if text[:10] == today else f"{text[5:16]}Z"


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value or not value else value
