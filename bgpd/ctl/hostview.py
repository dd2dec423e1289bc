"""What was added to a node's network, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass

from bgpd.ctl.columns import NONE, WIDTH, columns, counted, wrapped
from bgpd.ctl.document import API_VERSION, plain
from bgpd.model.status import HostState, HostStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What could be had of it."""

    status: HostStatus
    node: str = ""
    agent_error: str = ""
    """Why the agent did not answer; the kernel was read then, and nobody says what is wanted."""


def host_document(view: HostView) -> dict[str, object]:
    """Return what `bgpctl get host -o json` prints."""
    content = plain(view.status)
    fields = content if isinstance(content, dict) else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "HostStatus",
        "node": view.node,
        "from": "kernel" if view.agent_error else "agent",
        "agentError": view.agent_error,
        **fields,
    }


def host_table(view: HostView) -> str:
    """Return `bgpctl get host` for people."""
    blocks = (_head(view), _routes(view.status), _addresses(view.status), _problems(view.status))
    return "\n".join(block for block in blocks if block)


def _head(view: HostView) -> str:
    status = view.status
    parts = [
        f"{counted(len(status.routes), 'route')} to peers",
        f"{counted(len(status.addresses), 'elastic IP')}{_place(status)}",
    ]
    lines = [f"{view.node or 'this node'}: {', '.join(parts)}"]
    if status.restored:
        found = ", ".join(f"{kind} {number}" for kind, number in sorted(status.restored.items()))
        lines.append(f"put back after somebody took it away: {found}")
    if view.agent_error:
        lines.append(f"the agent does not answer ({view.agent_error}): this is what the kernel has")
    return "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)


def _place(status: HostStatus) -> str:
    return f" on {status.interface} ({status.interface_kind})" if status.interface else ""


def _routes(status: HostStatus) -> str:
    if not status.routes:
        return ""
    header = ("DESTINATION", "VIA", "SOURCE", "PEER", "STATE")
    rows = [
        (
            one.destination,
            ",".join(one.via) or NONE,
            one.source or NONE,
            one.peer or NONE,
            one.state.value,
        )
        for one in status.routes
    ]
    return "ROUTES\n" + columns(header, rows, width=WIDTH, flexible=(3, 1))


def _addresses(status: HostStatus) -> str:
    if not status.addresses:
        return ""
    rows = [(one.address, one.state.value, one.detail) for one in status.addresses]
    if any(one.state is not HostState.PRESENT for one in status.addresses):
        return "ELASTIC IPS\n" + columns(
            ("ADDRESS", "STATE", "DETAIL"), rows, width=WIDTH, flexible=(2,)
        )
    return "ELASTIC IPS\n" + columns(("ADDRESS", "STATE"), [row[:2] for row in rows])


def _problems(status: HostStatus) -> str:
    return "".join(_wrapped_problems(status))


def _wrapped_problems(status: HostStatus) -> Iterator[str]:
    if status.problems:
        yield "PROBLEMS\n"
    for problem in status.problems:
        yield f"{wrapped(f'- {problem}', indent='  ')}\n"
