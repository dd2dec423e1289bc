"""What of our node the cluster may see: the agent's status, cut to what does not move by itself."""

from collections.abc import Callable
from dataclasses import replace

from bgpd.agent.planner import Planner
from bgpd.kube.kept import KeptSource
from bgpd.kube.telling import Look, Telling
from bgpd.model.member import Member
from bgpd.model.peer import PeerName
from bgpd.model.status import NodeStatus


def telling_of(
    source: KeptSource,
    planner: Planner,
    *,
    program: str,
    status: Callable[[], NodeStatus | None],
    on_conditions: Callable[[], None],
) -> Telling | None:
    """Return what tells the cluster of our node, or None where the source is no cluster.

    *status* is None as long as there is nothing worth telling.
    """
    if source.access is None:
        return None

    def look() -> Look | None:
        found = status()
        return None if found is None else look_at(found, planner, source)

    return Telling(
        source.access, node=planner.node, agent=program, look=look, on_conditions=on_conditions
    )


def providers_of(planner: Planner) -> dict[PeerName, str]:
    """Return which provider each BGPPeer in force names; most name none."""
    context = planner.context
    documents = () if context is None else context.in_force.peers.documents.values()
    return {one.name: one.provider.kind.value for one in documents if one.provider is not None}


def look_at(status: NodeStatus, planner: Planner, source: KeptSource) -> Look:
    """Return *status* for the cluster.

    Services and endpoints come and go all day on every node alike, so they are not counted: that
    would be a write by each node for each of them.
    """
    context = planner.context
    member, documents = None, 0
    if context is not None:
        member = Member(name=planner.node, address=context.mesh_address)
        held = context.in_force
        documents = len(held.pools) + len(held.advertisements) + len(held.peers.documents)
    return Look(
        status=replace(status, documents=documents), member=member, problems=source.problems
    )
