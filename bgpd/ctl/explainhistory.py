"""Who carried an elastic IP before now: from the Events of its Service, as long as they are kept.

An Event says when a node began to advertise it or stopped to, and why. From what is so now and
what happened since, what was so before follows.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bgpd.ctl.columns import columns, duration, wrapped
from bgpd.ctl.fleetview import seconds_of
from bgpd.kube.withholding import SAME_EVERYWHERE
from bgpd.model.reason import MISTAKES, Reason

Document = Mapping[str, Any]
_BEGAN: Final = "Advertised"
_NODE_LOST: Final = frozenset({"TakenOver", "Drained"})
"""Events of a Node after which routers leave its routes."""
_ENDED: Final = re.compile(r" does not advertise (\S+) any more: ")
"""What an Event names whose note is of one node and one route (`bgpd.kube.withholding`)."""
_MISTAKES: Final = frozenset(reason.value for reason in MISTAKES)
_WORDS: Final = {_BEGAN, *_NODE_LOST, *(reason.value for reason in Reason)}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Moment:
    """One thing that changed who carries it."""

    at: float
    """Wall clock, seconds since the epoch."""
    node: str
    """Empty: every node, as all see the same."""
    began: bool
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to one elastic IP since some moment."""

    since: float
    """Wall clock; that of the oldest Event where none is as old as was asked for."""
    moments: tuple[Moment, ...]
    carried: tuple[str, ...]
    """The nodes that carried it at the beginning, as far as Events tell."""
    unsure: tuple[str, ...] = ()
    """Those of which Events do not tell it."""
    reaches: bool
    """Whether Events are kept for as long as was asked for: the oldest of any kind is older."""


def history(
    events: Iterable[Document],
    service: str,
    prefix: str,
    *,
    nodes: Mapping[str, bool],
    since: float,
) -> History:
    """Return what *events* say of *prefix* of *service* since the wall clock *since*.

    *nodes* says of each node whether it carries it now.
    """
    every = tuple(events)
    found = sorted({m for one in every for m in _moments(one, service, prefix) if m.at >= since})
    past = {
        node: _carried(now, [one for one in found if one.node in {"", node}])
        for node, now in sorted(nodes.items())
    }
    oldest = min((at for one in every for at in _times(one)), default=math.inf)
    return History(
        since=since if oldest <= since or oldest == math.inf else oldest,
        moments=tuple(found),
        carried=tuple(node for node, then in past.items() if then),
        unsure=tuple(node for node, then in past.items() if then is None),
        reaches=oldest <= since,
    )


def _carried(now: bool, moments: Sequence[Moment]) -> bool | None:
    """Return whether a node carried it before *moments*; None: they do not tell."""
    if not moments:
        return now
    # Who began after then did not carry it; who stopped after then did.
    if moments[0].reason not in _MISTAKES:
        return not moments[0].began
    # A mistake is told where it is new, whether the route was on its way or never was. Who lost
    # it by that has begun again before it carries it now.
    return True if now and not any(one.began for one in moments) else None


def history_text(found: History, *, now: float) -> str:
    """Return *found* in 80 columns, the oldest first."""
    who = ", ".join(found.carried) or "no node"
    lines = [f"{duration(now - found.since)} ago {who} carried it, by the Events of its Service"]
    if found.unsure:
        lines.append(f"of {', '.join(found.unsure)} they do not tell")
    if not found.reaches:
        lines.append("no Event is older: what was before is not known")
    text = "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)
    if not found.moments:
        return text + "nothing happened to it since\n"
    rows = [(clock(one.at), one.node or "all", one.reason, one.note) for one in found.moments]
    return text + columns(("TIME", "NODE", "EVENT", "NOTE"), rows, flexible=(1, 3))


def history_document(found: History) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "since": found.since,
        "reaches": found.reaches,
        "carried": list(found.carried),
        "unsure": list(found.unsure),
        "moments": [
            {
                "at": one.at,
                "node": one.node,
                "began": one.began,
                "reason": one.reason,
                "note": one.note,
            }
            for one in found.moments
        ],
    }


def clock(at: float) -> str:
    """Return a wall clock as the log has it: UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%m-%dT%H:%M:%SZ}"


def _moments(event: Document, service: str, prefix: str) -> Iterator[Moment]:
    reason, about = str(event.get("reason") or ""), event.get("regarding") or {}
    if reason not in _WORDS:
        return
    of_node = about.get("kind") == "Node" and reason in _NODE_LOST
    mine = about.get("kind") == "Service" and service == _named(about)
    note = str(event.get("note") or "")
    if not (of_node or mine) or (reason == _BEGAN and prefix not in note.split()):
        return
    ended = _ENDED.search(note)
    if mine and ended is not None and ended[1] not in {"it", prefix}:
        return  # another address of the Service
    node = str(about.get("name") if of_node else event.get("reportingInstance") or "")
    if reason in {one.value for one in SAME_EVERYWHERE}:
        node = ""
    for at in _times(event):
        yield Moment(at=at, node=node, began=reason == _BEGAN, reason=reason, note=note)


def _named(about: Mapping[str, Any]) -> str:
    return f"{about.get('namespace')}/{about.get('name')}"


def _times(event: Document) -> Iterator[float]:
    """Yield when it happened first, and last where it happened again."""
    last = (event.get("series") or {}).get("lastObservedTime")
    for text in (event.get("eventTime"), last):
        at = seconds_of(text)
        if at is not None:
            yield at
