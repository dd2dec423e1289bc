"""How a whole cluster fares: the worst of its nodes, what each lacks, and what nobody carries.

Pure: from a `Scene` of all nodes to a value, and from that to text and to a document.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from bgpd.ctl import listing
from bgpd.ctl import listtable as tables
from bgpd.ctl.columns import counted, wrapped
from bgpd.ctl.document import API_VERSION, plain
from bgpd.ctl.items import ElasticIP, NodeItem, Stand
from bgpd.ctl.listcolumns import Shape, render
from bgpd.ctl.scene import Scene
from bgpd.ctl.view import EXIT_CODES, State

_ORDER: Final = (State.FINE, State.DEGRADED, State.DOWN)
_MOST_NAMES: Final = 5
_MOST_ROWS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """One cluster, as its agents told it."""

    where: str
    """The API server; empty: the API was not asked, and one node tells what it hears."""
    state: State
    problems: tuple[str, ...]
    """A sentence each, with the nodes that have the problem."""
    nodes: tuple[NodeItem, ...]
    uncarried: tuple[ElasticIP, ...]
    """Elastic IPs that no node advertises to anybody."""
    carried: int

    @property
    def exit_code(self) -> int:
        """That of the worst node."""
        return EXIT_CODES[self.state]


def fleet_status(scene: Scene, *, where: str = "") -> FleetStatus:
    """Return how the nodes of *scene* fare."""
    nodes = listing.nodes(scene)
    every = listing.elastic_ips(scene)
    uncarried = tuple(one for one in every if one.state is not Stand.ADVERTISED)
    problems = tuple(_problems(nodes))
    states = [_judged(one) for one in nodes] or [State.DEGRADED]
    return FleetStatus(
        where=where,
        state=max(states, key=_ORDER.index),
        problems=problems if nodes else ("no agent of any node told the cluster anything",),
        nodes=nodes,
        uncarried=uncarried,
        carried=len(every) - len(uncarried),
    )


def fleet_document(found: FleetStatus) -> dict[str, object]:
    """Return what `bgpctl status --all-nodes -o json` prints."""
    fields = plain(found)
    return {
        "apiVersion": API_VERSION,
        "kind": "FleetStatus",
        **(fields if isinstance(fields, dict) else {}),
    }


def fleet_table(found: FleetStatus, *, now: float, wide: bool = False) -> str:
    """Return the same for people: the bad news first."""
    shape = Shape(wide=wide, whole=True)
    blocks = [_head(found)]
    if found.nodes:
        blocks.append("NODES\n" + render(tables.NODES, found.nodes, now=now, shape=shape))
    if found.uncarried:
        shown = found.uncarried if wide else found.uncarried[:_MOST_ROWS]
        text = "CARRIED BY NO NODE\n" + render(tables.ELASTIC_IPS, shown, now=now, shape=shape)
        if rest := len(found.uncarried) - len(shown):
            text += f"and {rest} more: `bgpctl get elasticips --all-nodes`\n"
        blocks.append(text)
    return "\n".join(blocks)


def _judged(node: NodeItem) -> State:
    """Return the state of *node*; one that nobody can judge is a problem, and not the worst."""
    if node.heard is not None:
        return State.DEGRADED if node.problems else State.FINE
    try:
        return State(node.state)
    except ValueError:
        return State.DEGRADED


def _problems(nodes: tuple[NodeItem, ...]) -> list[str]:
    """Return each problem once, with the nodes that have it."""
    who: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for sentence in (*node.doubts, *node.problems):
            who[sentence].append(node.name)
    return [f"{_names(names)}: {sentence}" for sentence, names in who.items()]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    rest = len(names) - _MOST_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown


def _head(found: FleetStatus) -> str:
    nodes = found.nodes
    fine = sum(one.state == State.FINE.value for one in nodes)
    up = sum(one.established or 0 for one in nodes)
    sessions = sum(one.sessions or 0 for one in nodes)
    armed = sum(bool(one.armed) for one in nodes)
    parts = [
        f"{fine} of {counted(len(nodes), 'node')} fine",
        f"{up} of {counted(sessions, 'session')} established",
        f"{counted(found.carried, 'elastic IP')} carried",
        f"takeover armed on {armed}",
    ]
    if found.uncarried:
        parts.insert(3, f"{len(found.uncarried)} by no node")
    name = f"the cluster at {found.where}" if found.where else "the cluster, seen from here,"
    lines = [f"{name} is {found.state.value}: {', '.join(parts)}"]
    lines += [f"- {problem}" for problem in found.problems]
    return "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)
