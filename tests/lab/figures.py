"""From what the client recorded to figures: gaps, losses, percentiles. Pure.

The gap of a flow is the longest time during which no answer *arrived*, so a packet that is
answered late is no comfort. Only flows that used an affected node before the fault say something
about the fault; the others are the control group.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One UDP flow as the client saw it; times in seconds of one monotonic clock."""

    sent: tuple[float, ...]
    """When packet number i left."""
    answers: tuple[tuple[int, float, str], ...]
    """Packet number, arrival, answering node; in order of arrival."""

    def nodes_between(self, start: float, end: float) -> frozenset[str]:
        """Return the nodes whose answers arrived in that time."""
        return frozenset(node for _, at, node in self.answers if start <= at <= end)

    def used(self, nodes: Collection[str], before: float) -> bool:
        """Tell whether one of *nodes* served this flow in the half second before *before*."""
        return bool(self.nodes_between(before - 0.5, before) & frozenset(nodes))

    def met(self, nodes: Collection[str], start: float, end: float) -> bool:
        """Tell whether one of *nodes* served this flow between *start* and *end*."""
        return bool(self.nodes_between(start, end) & frozenset(nodes))

    def worst_gap(self, start: float, end: float) -> tuple[float, float, float]:
        """Return the longest silence that touches [start, end]: seconds, from, to."""
        last = start
        worst = (0.0, start, start)
        for _, at, _ in self.answers:
            if at <= start:
                last = at
                continue
            if last >= end:
                break
            worst = max(worst, (at - last, last, at))
            last = at
        return max(worst, (end - last, last, end))

    def lost(self, start: float, end: float) -> int:
        """Count packets sent in [start, end] that were never answered."""
        return len(self.lost_at(start, end))

    def lost_at(self, start: float, end: float) -> tuple[float, ...]:
        """Return when the packets were sent in [start, end] that were never answered."""
        answered = {number for number, _, _ in self.answers}
        return tuple(
            at
            for number, at in enumerate(self.sent)
            if start <= at <= end and number not in answered
        )

    def count(self, start: float, end: float) -> int:
        """Count packets sent in [start, end]."""
        return sum(start <= at <= end for at in self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFigures:
    """What one record says about one fault; a gap is None when nothing was measured."""

    affected_flows: int
    worst_flow_gap_ms: float | None
    other_flows_gap_ms: float | None
    sent: int
    lost: int
    lost_affected: int
    lost_other: int
    worst_flow_lost: int
    lost_seconds: tuple[float, float] | None
    """When the first and the last lost packet were sent, after the fault."""
    client_late_ms: float
    tcp_connections: int
    tcp_resets_affected: int
    tcp_resets_healthy: int


def flows_of(record: Mapping[str, Any]) -> tuple[Flow, ...]:
    """Return the UDP flows of a client's record."""
    return tuple(
        Flow(sent=tuple(flow["sent"]), answers=tuple((n, t, w) for n, t, w in flow["answers"]))
        for flow in record["udp"]
    )


def measure(
    record: Mapping[str, Any], *, affected: Collection[str], begin: float
) -> TrafficFigures:
    """Reduce a client's *record* to figures about a fault at *begin* on the nodes *affected*."""
    flows = flows_of(record)
    end = min((flow.sent[-1] for flow in flows if flow.sent), default=begin)
    # A node that slept, woke and died served flows in between that it had not served before.
    touched = [flow.used(affected, begin) or flow.met(affected, begin, end) for flow in flows]
    ours = [flow for flow, used in zip(flows, touched, strict=True) if used]
    others = [flow for flow, used in zip(flows, touched, strict=True) if not used]
    lost = sorted(at for flow in flows for at in flow.lost_at(begin, end))
    breaks = [(at, node) for flow in record["tcp"] for at, node, _ in flow["breaks"] if at >= begin]
    return TrafficFigures(
        affected_flows=len(ours),
        worst_flow_gap_ms=_milliseconds(flow.worst_gap(begin, end)[0] for flow in ours),
        other_flows_gap_ms=_milliseconds(flow.worst_gap(begin, end)[0] for flow in others),
        sent=sum(flow.count(begin, end) for flow in flows),
        lost=len(lost),
        lost_affected=sum(flow.lost(begin, end) for flow in ours),
        lost_other=sum(flow.lost(begin, end) for flow in others),
        worst_flow_lost=max((flow.lost(begin, end) for flow in flows), default=0),
        lost_seconds=(round(lost[0] - begin, 3), round(lost[-1] - begin, 3)) if lost else None,
        client_late_ms=max(
            (ms for at, ms in record["late"] if begin <= at <= end + 0.1), default=0.0
        ),
        tcp_connections=len(record["tcp"]),
        tcp_resets_affected=sum(node in affected for _, node in breaks),
        tcp_resets_healthy=sum(node not in affected for _, node in breaks),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* of *values* lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarize(values: Iterable[float | None]) -> dict[str, float] | None:
    """Return p50, p99 and max of what was measured; None when nothing was."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {
        "p50": percentile(known, 0.5),
        "p99": percentile(known, 0.99),
        "max": max(known),
        "count": len(known),
    }


def _milliseconds(gaps: Iterable[float]) -> float | None:
    known = list(gaps)
    return round(max(known) * 1000, 1) if known else None
