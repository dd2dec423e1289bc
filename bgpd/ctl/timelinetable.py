"""`bgpctl timeline` for people: one node's records, or the same thing as several nodes saw it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from bgpd.ctl.columns import columns, counted, wrapped
from bgpd.ctl.timelinejoin import BY_WALL, Joined, Pair, Row
from bgpd.model.timeline import Failover, StepName


def timeline_table(failovers: Sequence[Failover]) -> str:
    """Return `bgpctl timeline` for people: the newest last, next to the prompt."""
    if not failovers:
        return "no failover is remembered\n"
    return "\n".join(_failover(failover) for failover in failovers)


def joined_table(happened: Sequence[Joined]) -> str:
    """Return `bgpctl timeline --join` for people: the newest last, each on one clock."""
    if not happened:
        return "no failover is remembered by any of these nodes\n"
    return "\n".join(map(_joined, happened))


def moment(at: float) -> str:
    """Return the wall clock *at* as people and logs have it."""
    text = datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('+00:00')}Z"


def summary(joined: Joined) -> str:
    """Return how long it took to the routers, in a sentence; empty where no router heard of it."""
    first, last = joined.first(StepName.FLUSHED), joined.last(StepName.SENT)
    since = "the last sign of life" if joined.members else "the cause"
    if first is None:
        return ""
    if first is joined.last(StepName.FLUSHED):
        text = f"flushed {_after(first)} after {since}"
    else:
        text = f"first flushed {_after(first)} after {since}"
    return f"{text}, all acknowledged after {_after(last)}" if last is not None else text


def outage(joined: Joined) -> str:
    """Return how long packets to the dead were lost until routers could know, in a sentence.

    It was heard of every so often: of when it died between two signs of life nobody knows.
    """
    first, due = joined.first(StepName.FLUSHED), joined.due_milliseconds
    if first is None or due is None:
        return ""
    least = max(0.0, first.milliseconds - due)
    return (
        f"the next sign of life was due after {due:.1f} ms, so until that flush"
        f" {least:.1f} to {first.milliseconds:.1f} ms of packets were lost; the router's own"
        " work comes on top"
    )


def clocks(pairs: Iterable[Pair], reference: str) -> Iterator[str]:
    """Yield for each clock how it stands to that of *reference*, and how sure that is."""
    for pair in pairs:
        if pair.how == BY_WALL:
            yield (
                f"clock of {pair.node}: no heartbeat tells how it stands to that of {reference};"
                " joined by wall clocks, which may be wrong by any amount"
            )
        else:
            yield (
                f"clock of {pair.node}: {pair.milliseconds:+.3f} ms to that of {reference},"
                f" ± {pair.uncertainty:.3f} ms ({pair.how})"
            )


def _failover(failover: Failover) -> str:
    head = (
        f"{moment(failover.at)} {failover.kind}, generation {failover.generation},"
        f" {counted(failover.routes, 'route')}: {failover.cause}"
    )
    text = f"{wrapped(head, indent='  ')}\n" + "".join(_steps(failover))
    if failover.changes > 1:
        text += f"  {_several(failover.changes, failover.slowest_milliseconds)}\n"
    return text


def _several(changes: int, slowest: float | None) -> str:
    took = "" if slowest is None else f", the slowest flushed {slowest:.1f} ms after its cause"
    return f"{counted(changes, 'cause')} in one{took}"


def _steps(failover: Failover) -> Iterator[str]:
    for step in failover.steps:
        # The cause is in the line above.
        detail = "" if step.name == StepName.CAUSE else step.detail
        line = f"  {step.milliseconds:9.1f} ms  {step.name:<8}  {detail}".rstrip()
        yield f"{wrapped(line, indent=' ' * 24)}\n"


def _joined(joined: Joined) -> str:
    words = [f"{moment(joined.at)} {joined.kind}"]
    if joined.kind == "takeover":
        words.append(f"to generation {joined.generation}")
    head = f"{' '.join(words)}, {counted(joined.routes, 'route')}: {joined.cause}"
    lines = [wrapped(head, indent="  ")]
    header = ("MS", "±", "NODE", "STEP", "WHAT")
    table = columns(header, map(_cells, joined.rows), width=78, flexible=(2, 4))
    lines += [f"  {line}" for line in table.splitlines()]
    told = summary(joined)
    notes = [told[:1].upper() + told[1:]] if told else []
    notes += filter(None, [outage(joined)])
    if joined.changes > 1:
        notes.append(_several(joined.changes, joined.slowest_milliseconds))
    notes += clocks(joined.pairs, joined.nodes[0])
    lines += [f"  {wrapped(note, width=78, indent='    ')}" for note in notes]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    unsure = "?" if row.uncertainty is None else f"{row.uncertainty:.1f}" if row.uncertainty else ""
    detail = "" if row.step == StepName.CAUSE else row.detail
    return (tenths(row.milliseconds), unsure, row.node or "?", row.step, detail)


def _after(row: Row) -> str:
    unsure = f" (± {row.uncertainty:.1f})" if row.uncertainty else ""
    return f"{tenths(row.milliseconds)} ms{unsure}"


def tenths(milliseconds: float) -> str:
    """Return *milliseconds* with one digit; never a zero below zero."""
    return f"{round(milliseconds, 1) + 0.0:.1f}"
