"""What every node's agent told the cluster, as one `View` a node: for commands with --all-nodes.

A BGPNodeStatus holds what its agent wrote last. Whether that is still so, other nodes know: their
speakers hear its heartbeats. Everything here is pure; `bgpd.ctl.fleetlook` reads the API.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bgpd.ctl.fleetview import seconds_of, view_of
from bgpd.ctl.view import View
from bgpd.kube import nodeform as form
from bgpd.model.status import MemberState

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """One node, as the whole cluster sees it."""

    name: str
    view: View
    """What `bgpctl status` would show there, as its agent wrote it last; empty: it never did."""
    status: form.StatusForm | None = None
    """The same as it was written: `counts` has whole numbers where lists were cut."""
    known: bool = True
    """Whether there is a Node of that name."""
    ready: str = "Unknown"
    """The Node's condition Ready: True, False or Unknown."""
    cordoned: bool = False
    written: float | None = None
    """Wall clock of the agent's last write, seconds since the epoch."""
    doubts: tuple[str, ...] = ()
    """Why what the agent wrote may be old, a sentence each; empty: nobody says so."""
    gone: bool = False
    """Whether the other members call its speaker dead: then its routes are lost, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything of the cluster that was asked for."""

    where: str = ""
    """The API server."""
    nodes: tuple[NodeSeen, ...] = ()
    """By name."""
    documents: tuple[Document, ...] = ()
    """Services, EndpointSlices, our kinds: as they are, in the order of kind, namespace, name."""
    unread: tuple[str, ...] = ()
    """What could not be read, a sentence each: what is not here may exist all the same."""

    def of(self, kind: str) -> tuple[Document, ...]:
        """Return the documents of *kind*."""
        return tuple(one for one in self.documents if one.get("kind") == kind)

    def node(self, name: str) -> NodeSeen | None:
        """Return the node *name*, or None."""
        return next((one for one in self.nodes if one.name == name), None)


def fleet_of(
    documents: Iterable[Document], *, where: str = "", unread: Iterable[str] = ()
) -> Fleet:
    """Return the fleet that *documents* describe: Nodes, BGPNodeStatuses and whatever else."""
    every = sorted(documents, key=_order)
    nodes = {_name(one): one for one in every if one.get("kind") == "Node"}
    told = {_name(one): one for one in every if one.get("kind") == "BGPNodeStatus"}
    wire = {name: _form(one) for name, one in told.items()}
    said = {name: one for name, one in wire.items() if isinstance(one, form.StatusForm)}
    gone = _gone(said)
    seen = []
    for name in sorted(nodes.keys() | told.keys()):
        found = wire.get(name, "there is no BGPNodeStatus: its agent never wrote one")
        status = found if isinstance(found, form.StatusForm) else None
        seen.append(
            NodeSeen(
                name=name,
                view=view_of(status) if status else _empty(str(found)),
                status=status,
                known=name in nodes,
                ready=_ready(nodes.get(name, {})),
                cordoned=bool((nodes.get(name, {}).get("spec") or {}).get("unschedulable")),
                written=_written(told.get(name, {})),
                doubts=tuple(_doubts(name, _heard(name, said, gone), nodes)),
                gone=name in gone,
            )
        )
    rest = (one for one in every if one.get("kind") not in {"Node", "BGPNodeStatus"})
    return Fleet(where=where, nodes=tuple(seen), documents=tuple(rest), unread=tuple(unread))


def _empty(why: str) -> View:
    return View(agent_error=why, speaker_error="nobody told of it")


def _order(document: Document) -> tuple[str, str, str]:
    metadata = document.get("metadata") or {}
    return (
        str(document.get("kind") or ""),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
    )


def _name(document: Document) -> str:
    return _order(document)[2]


def _form(document: Document) -> form.StatusForm | str:
    """Return the status in *document*, or why there is none."""
    if not document.get("status"):
        return "its agent has not written its BGPNodeStatus yet"
    try:
        return msgspec.convert(document["status"], form.StatusForm)
    except msgspec.ValidationError as error:
        return (
            f"its BGPNodeStatus is not understood ({error}); is this bgpctl older than its agent?"
        )


def _ready(node: Document) -> str:
    for one in (node.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Ready":
            return str(one.get("status") or "Unknown")
    return "Unknown"


def _is_lost(node: Document) -> bool:
    """Return whether the cluster has lost sight of *node*: its kubelet says nothing any more."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "Unknown" for one in conditions)


def _written(document: Document) -> float | None:
    """Return when the status was written last, as the server noted it."""
    times = [
        str(one.get("time") or "")
        for one in (document.get("metadata") or {}).get("managedFields") or ()
        if one.get("subresource") == "status"
    ]
    return seconds_of(max(times, default=""))


def _heard(
    name: str, said: Mapping[str, form.StatusForm], without: Collection[str] = ()
) -> dict[str, form.MemberForm]:
    """Return what the others say of the member *name*; the dead are not asked."""
    return {
        witness: member
        for witness, status in sorted(said.items())
        if witness != name and witness not in without and status.mesh is not None
        for member in status.mesh.members
        if member.name == name
    }


def _gone(said: Mapping[str, form.StatusForm]) -> frozenset[str]:
    """Return who is dead by the word of most of those who know it: the dead have words, too."""
    found = set()
    for name in {one.name for each in said.values() if each.mesh for one in each.mesh.members}:
        words = [one.state == MemberState.DEAD.value for one in _heard(name, said).values()]
        if 2 * sum(words) > len(words):
            found.add(name)
    return frozenset(found)


def _doubts(
    name: str, heard: Mapping[str, form.MemberForm], nodes: Mapping[str, Document]
) -> Iterator[str]:
    """Yield why what the agent of *name* wrote may be old."""
    if nodes and name not in nodes:
        yield "there is no Node of that name any more"
    if _is_lost(nodes.get(name, {})):
        # Where all members are dead nobody is left to say so.
        yield "its kubelet is silent: the Node's condition Ready is Unknown"
    for state in sorted({one.state for one in heard.values()} - {MemberState.ALIVE.value}):
        who = [witness for witness, one in heard.items() if one.state == state]
        if state != MemberState.UNHEARD.value or len(who) == len(heard):
            yield f"its speaker is {state}, say {_names(who)}"
    silent = [
        witness
        for witness, one in heard.items()
        if not one.agent_alive and one.state == MemberState.ALIVE.value
    ]
    if silent:
        yield f"its agent is silent, say {_names(silent)}; its routes stay as they were"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
