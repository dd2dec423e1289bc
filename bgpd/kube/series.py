"""Which Events to write: the first of a kind at once, its repeats as a number, never a flood.

A session that flaps for an hour is two Events that count. A repeat is written at most every
`EVERY` seconds, all of them together at most one a second after a short burst; what was not told
yet when there is too much of it is dropped and counted, because an Event is no record.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bgpd.kube.happening import Happening, Regarding
from bgpd.kube.nodecondition import cut

EVERY: Final = 10.0
"""Seconds between two writes about one thing, at least."""
FRESH: Final = 360.0
"""What happens again after so long is a new Event."""
BURST: Final = 5.0
RATE: Final = 1.0
"""Writes a second, once the burst is spent."""
MOST_KEYS: Final = 256
"""Things that are remembered; more at one time are dropped."""
CONTROLLER: Final = "bgpd.io/agent"
_NOTE: Final = 1024
_INSTANCE: Final = 128
_NAME: Final = 230
"""Characters of an object's name in that of its Event, which has 253."""

_Key = tuple[Regarding, str, str]


@dataclass(slots=True, kw_only=True)
class Entry:
    """One thing that happens, perhaps again and again. Times *at* are the wall clock."""

    happening: Happening
    name: str
    first_at: float
    last_at: float
    seen: int
    told: int = 0
    """How many the server knows of; none before the Event is made."""
    last: float
    """Monotonic, as is *due*."""
    due: float

    @property
    def behind(self) -> bool:
        """Whether the server knows less than we do."""
        return self.told < self.seen

    @property
    def made(self) -> bool:
        """Whether the Event exists."""
        return self.told > 0


@dataclass(slots=True)
class Series:
    """What happened, and what of it the server knows. Times are monotonic seconds."""

    node: str
    dropped: int = 0
    written: int = 0
    burst: float = BURST
    rate: float = RATE
    most: int = MOST_KEYS
    _entries: dict[_Key, Entry] = field(default_factory=dict)
    _tokens: float = 0.0
    _counted: float = 0.0

    def __post_init__(self) -> None:
        """Begin with a whole burst."""
        self._tokens = self.burst

    def tell(self, happening: Happening, *, now: float, wall: float) -> None:
        """Note that something happened."""
        key = (happening.regarding, happening.reason, happening.about)
        entry = self._entries.get(key)
        if entry is not None and (entry.behind or now - entry.last < FRESH):
            entry.seen += happening.times
            entry.last, entry.last_at = now, wall
            return
        if entry is None and len(self._entries) >= self.most and not self._forget():
            self.dropped += 1
            return
        self._entries[key] = Entry(
            happening=happening,
            name=_name(self.node, happening, wall),
            first_at=wall,
            last_at=wall,
            seen=happening.times,
            last=now,
            due=now,
        )

    def due(self, now: float) -> float | None:
        """Return when the next write may be, or None while there is nothing to write."""
        waiting = [one.due for one in self._entries.values() if one.behind]
        if not waiting:
            return None
        self._fill(now)
        return max(min(waiting), now + max(0.0, 1.0 - self._tokens) / self.rate)

    def next(self, now: float) -> Entry | None:
        """Return what to write now; the write counts as begun."""
        due = self.due(now)
        if due is None or due > now:
            return None
        ready = [one for one in self._entries.values() if one.behind and one.due <= now]
        entry = min(ready, key=lambda one: (one.made, one.due))
        self._tokens -= 1.0
        entry.due = now + EVERY
        return entry

    def done(self, entry: Entry, seen: int) -> None:
        """Note that the server knows of *seen* happenings."""
        entry.told = seen
        self.written += 1

    def gone(self, entry: Entry, *, wall: float) -> None:
        """Note that the Event is no more: what is not told yet makes a new one."""
        entry.seen = max(1, entry.seen - entry.told)
        entry.told = 0
        entry.first_at = entry.last_at
        entry.name = _name(self.node, entry.happening, wall)

    def refused(self, entry: Entry) -> None:
        """Note that the server will not have it."""
        entry.told = entry.seen
        self.dropped += 1

    def _fill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._counted) * self.rate)
        self._counted = now

    def _forget(self) -> bool:
        """Forget what was quiet for longest; return False where everything waits to be told."""
        quiet = [key for key, one in self._entries.items() if not one.behind]
        if not quiet:
            return False
        del self._entries[min(quiet, key=lambda key: self._entries[key].last)]
        return True


def path(entry: Entry, *, name: bool = False) -> str:
    """Return the path of the collection that the Event is in, or of the Event itself."""
    namespace = entry.happening.regarding.namespace or "default"
    collection = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    return f"{collection}/{entry.name}" if name else collection


def new(entry: Entry, node: str) -> dict[str, Any]:
    """Return the Event to make."""
    one = entry.happening
    document: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": entry.name, "namespace": one.regarding.namespace or "default"},
        "eventTime": _time(entry.first_at),
        "reportingController": CONTROLLER,
        "reportingInstance": cut(node, _INSTANCE),
        "action": one.action,
        "reason": one.reason,
        "type": "Warning" if one.warning else "Normal",
        "note": cut(one.note, _NOTE),
        "regarding": _reference(one.regarding),
    }
    if one.regarding != Regarding(kind="Node", name=node):
        document["related"] = _reference(Regarding(kind="Node", name=node))
    return {**document, **(repeats(entry) if entry.seen > 1 else {})}


def repeats(entry: Entry) -> dict[str, Mapping[str, Any]]:
    """Return what changes in an Event that exists: nothing else may (KEP-383)."""
    return {"series": {"count": max(2, entry.seen), "lastObservedTime": _time(entry.last_at)}}


def _reference(one: Regarding) -> dict[str, str]:
    reference = {"apiVersion": one.version, "kind": one.kind, "name": one.name}
    if one.namespace:
        reference["namespace"] = one.namespace
    if one.uid:
        reference["uid"] = one.uid
    elif one.kind == "Node":
        # As the kubelet does, so that `kubectl describe node` finds it.
        reference["uid"] = one.name
    return reference


def _name(node: str, one: Happening, wall: float) -> str:
    """Return a name that no other Event has; where all nodes see one thing, all find the same."""
    apart = one.about if one.shared else f"{node} {one.about} {wall}"
    words = f"{one.regarding.kind} {one.regarding.namespace} {one.reason} {apart}"
    return f"{one.regarding.name[:_NAME]}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
