"""What survivors' timelines say of a takeover beside what the client measured. Pure.

The client knows when the last answer came through the dead node and when the first came by
another: that silence is the gap. The joined timeline knows when the first survivor's UPDATE was
handed to the kernel; the router's netlink knows how long the router then took. What is left of the
gap belongs to neither: the packet on its way, the time until the next one was sent. All times are
seconds of one monotonic clock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tests.lab.figures import flows_of

OURS = "timeline_ours_ms"
"""From the last answer through the dead node to the first flush, by the joined timeline."""
SENT = "timeline_sent_ms"
"""From there to the acknowledgement by that router's kernel."""
REST = "timeline_rest_ms"
"""What of the client's gap is neither ours by the timeline nor the router's by its netlink."""
LEAST, MOST = "timeline_least_ms", "timeline_most_ms"
"""What the timeline alone says of the outage up to the flush: it does not know when it died."""
AGREES_MS = 20.0
_BEFORE = 1.0


def takeover(items: Sequence[Mapping[str, Any]], since: float) -> Mapping[str, Any]:
    """Return the first takeover *since* a moment of what `bgpctl timeline --join` told.

    It counts from the last sign of life, which was before the strike: a second is enough.
    """
    found = [one for one in items if one["kind"] == "takeover" and one["at"] >= since - _BEFORE]
    return found[0] if found else {}


def worst(
    record: Mapping[str, Any], affected: Collection[str], begin: float
) -> tuple[float, float] | None:
    """Return when the longest silence of a flow through *affected* began and ended."""
    flows = [one for one in flows_of(record) if one.used(affected, begin)]
    end = min((one.sent[-1] for one in flows), default=begin)
    gaps = [one.worst_gap(begin, end) for one in flows]
    return max(gaps)[1:] if gaps else None


def agreement(
    joined: Mapping[str, Any],
    *,
    offset: float,
    silence: tuple[float, float] | None,
    router_ms: float | None,
) -> dict[str, float | None]:
    """Return how *joined* agrees with the client's *silence*.

    The *offset* makes monotonic times of its wall clock.
    """
    flushed, sent = _first(joined, "flushed"), _first(joined, "sent")
    if flushed is None or silence is None:
        return dict.fromkeys((OURS, SENT, REST, LEAST, MOST))
    began, ended = silence
    ours = (joined["at"] + offset - began) * 1000 + flushed
    gap = (ended - began) * 1000
    due = joined.get("dueMilliseconds")
    return {
        OURS: round(ours, 2),
        SENT: None if sent is None else round(sent - flushed, 2),
        REST: None if router_ms is None else round(gap - ours - router_ms, 2),
        LEAST: None if due is None else round(max(0.0, flushed - due), 2),
        MOST: round(flushed, 2),
    }


def _first(joined: Mapping[str, Any], step: str) -> float | None:
    times = [row["milliseconds"] for row in joined.get("rows", ()) if row["step"] == step]
    return min(times, default=None)
