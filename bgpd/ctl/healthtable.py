"""What a node knows of its own health, as `bgpctl status` shows it."""

from collections.abc import Iterator
from typing import Final

from bgpd.ctl.columns import NONE, WIDTH, columns, counted, duration, wrapped
from bgpd.model.health import Health, ProbeResult
from bgpd.model.status import BFDStatus, HealthStatus, SessionStatus

_HEADER: Final = ("SERVICE", "CHECK", "HEALTH", "SINCE", "FAILED", "MESSAGE")


def health_block(health: HealthStatus, *, now: float, width: int | None = WIDTH) -> str:
    """Return the node's health and its probes; without *width* also those that are well."""
    if not health.node and not health.probes:
        return ""
    lines = "HEALTH\n"
    for name, found in sorted(health.node.items()):
        detail = health.details.get(name, "")
        line = f"{name} is {found.value}{f': {detail}' if detail else ''}"
        lines += f"{line if width is None else wrapped(line, indent='  ')}\n"
    if not health.probes:
        return lines
    lines += f"{_census(health.probes)}\n"
    shown = [one for one in health.probes if width is None or one.health is not Health.HEALTHY]
    if not shown:
        return lines
    return lines + _table([_row(one, now=now) for one in shown], width=width)


def _table(rows: list[tuple[str, ...]], *, width: int | None) -> str:
    """Return *rows*; where their messages do not fit, each has its own line below."""
    whole = columns(_HEADER, rows, width=None)
    if width is None or all(len(line) <= width for line in whole.splitlines()):
        return whole
    first, *lines = columns(
        _HEADER[:-1], [row[:-1] for row in rows], width=width, flexible=(0, 1)
    ).splitlines()
    text = [first]
    for line, row in zip(lines, rows, strict=True):
        text += [line, wrapped(f"  {row[-1]}", width=width, indent="  ")]
    return "\n".join(text) + "\n"


def _census(probes: tuple[ProbeResult, ...]) -> str:
    parts = [
        f"{sum(one.health is health for one in probes)} {health.value}"
        for health in Health
        if any(one.health is health for one in probes)
    ]
    return f"{counted(len(probes), 'probe')}: {', '.join(parts)}"


def _row(one: ProbeResult, *, now: float) -> tuple[str, ...]:
    return (
        one.service,
        one.check or "healthCheckNodePort",
        one.health.value,
        # A health that never changed is as old as the agent's first question.
        duration(now - one.since) if one.since else "start",
        f"{one.failures}/{one.probes}",
        one.message or NONE,
    )


def bfd_cell(session: SessionStatus) -> str:
    """Return the state of the BFD session, and what silence ends it, in a few letters."""
    bfd = session.bfd
    if bfd is None:
        return NONE
    state = bfd.state.value + (",dampened" if bfd.dampened else "")
    if bfd.detection_milliseconds is None:
        return state
    return f"{state} {bfd.detection_milliseconds:.0f}ms"


def bfd_problem(peer: str, bfd: BFDStatus) -> Iterator[str]:
    """Yield what a person should know of the BFD session with *peer*."""
    if bfd.dampened:
        yield f"BFD with {peer} went up and down too often: its word does not count for a while"
    elif bfd.last_error and bfd.state.value != "Up":
        yield (
            f"BFD with {peer} is {bfd.state.value} ({bfd.last_error}): switch it on at the router,"
            " with the same password if there is one, or take `bfdProfile` off the peer"
        )


def health_problems(health: HealthStatus) -> Iterator[str]:
    """Yield what a person should know of the node itself."""
    for sentence in health.doubt:
        yield f"the node is in doubt, so its routes rank 250: {sentence}"
    if not health.doubt:
        for name, found in sorted(health.node.items()):
            if found is Health.UNHEALTHY:
                detail = health.details.get(name, "")
                yield f"{name} is Unhealthy{f': {detail}' if detail else ''}"
