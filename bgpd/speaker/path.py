"""Do heartbeats share the fate of the data? They do while both leave the host the same way.

A heartbeat that leaves by another interface than the traffic of the BGP peers proves nothing
about it: the mesh would be well while the uplink is dead, or the reverse.
"""

from collections.abc import Callable, Iterable, Iterator

from bgpd.mesh.route import RouteSource
from bgpd.model.errors import TransientError
from bgpd.model.member import Member
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, family_of
from bgpd.model.status import Condition
from bgpd.speaker.desired import DesiredState


def condition(
    desired: DesiredState, bound: Address, route: Callable[[Address], RouteSource]
) -> Condition | None:
    """Return the condition when heartbeats from *bound* go another way than a peer's traffic.

    *route* says how the kernel would send to an address. Where there is no route there is
    nothing to compare: that is the session's trouble, not the mesh's.
    """
    try:
        beats = route(_another(desired.members, bound))
    except (StopIteration, TransientError):
        return None
    problems = list(_differences(desired.peers.values(), bound, beats.interface, route))
    if not problems:
        return None
    return Condition(
        type="MeshPath",
        status=True,
        reason="OtherPath",
        message=f"heartbeats leave from {bound} by {beats.interface}, but {'; '.join(problems)}:"
        " the mesh cannot see that path fail; give the node the address and the routes with"
        " which members are reached the way of the peers",
    )


def _another(members: Iterable[Member], bound: Address) -> Address:
    family = family_of(bound)
    return next(
        member.address
        for member in members
        if member.address != bound and family_of(member.address) is family
    )


def _differences(
    peers: Iterable[Peer], bound: Address, interface: str, route: Callable[[Address], RouteSource]
) -> Iterator[str]:
    for peer in sorted(peers, key=lambda peer: peer.name):
        try:
            source, out = route(peer.address)
        except TransientError:
            continue
        # A session may be told its source; and one of the other family has another anyway.
        comparable = family_of(bound) is family_of(peer.address)
        same = not comparable or bound in {source, peer.local_address}
        if out != interface or not same:
            yield f"peer {peer.name} ({peer.address}) is reached from {source or bound} by {out}"
