"""Whether heartbeats go the way of the data, with a routing table made of a dictionary."""

from dataclasses import replace

import pytest

from bgpd.ipc.message import Desired
from bgpd.mesh.route import RouteSource
from bgpd.model.errors import TransientError
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Address, Family
from bgpd.speaker import path
from bgpd.speaker.desired import DesiredState
from tests.policy.test_lever import PEER

OURS, OTHER_OURS = Address("10.1.0.1"), Address("10.2.0.1")
MEMBER = Address("10.1.0.2")
TOR, SECOND = Address("10.1.0.254"), Address("10.2.0.254")
UP, DOWN = RouteSource(OURS, "eth0"), RouteSource(OTHER_OURS, "eth1")
PEER_ = replace(PEER, name=PeerName("tor"), address=TOR, local_address=OURS)


def desired(*peers: Peer, members: tuple[Address, ...] = (OURS, MEMBER)) -> DesiredState:
    """Return a state with *peers* and *members*."""
    return DesiredState.of(
        Desired(
            sequence=1,
            node=NodeName("n1"),
            cluster_uid="c",
            members=tuple(
                Member(name=NodeName(f"n{number}"), address=address)
                for number, address in enumerate(members, start=1)
            ),
            peers=peers,
            pools=(),
            advertisements=(),
        )
    )


def verdict(state: DesiredState, table: dict[Address, RouteSource]) -> str:
    """Return the message of the condition, "" when there is none."""

    def route(destination: Address) -> RouteSource:
        if destination not in table:
            raise TransientError(f"no route to {destination}")
        return table[destination]

    found = path.condition(state, OURS, route)
    if found is None:
        return ""
    assert (found.type, found.status, found.reason) == ("MeshPath", True, "OtherPath")
    return found.message


SIX = replace(
    PEER,
    name=PeerName("six"),
    address=Address("fd00::254"),
    local_address=Address("fd00::1"),
    families=(Family.IPV6,),
)
"""A peer over IPv6: its source address cannot be ours."""


@pytest.mark.parametrize(
    ("state", "table", "expected"),
    [
        pytest.param(desired(PEER_), {MEMBER: UP, TOR: UP}, (), id="one way for both"),
        pytest.param(
            desired(PEER_),
            {MEMBER: UP, TOR: RouteSource(OURS, "eth1")},
            ("from 10.1.0.1 by eth0", "peer tor (10.1.0.254)", "from 10.1.0.1 by eth1"),
            id="another interface",
        ),
        pytest.param(
            desired(replace(PEER_, local_address=OTHER_OURS)),
            {MEMBER: UP, TOR: RouteSource(OTHER_OURS, "eth0")},
            ("peer tor", "from 10.2.0.1 by eth0"),
            id="another source address",
        ),
        pytest.param(
            desired(PEER_),
            {MEMBER: UP, TOR: RouteSource(OTHER_OURS, "eth0")},
            (),
            id="the session is told to use our address",
        ),
        pytest.param(
            desired(PEER_, replace(PEER_, name=PeerName("b"), address=SECOND)),
            {MEMBER: UP, TOR: UP, SECOND: DOWN},
            ("peer b (10.2.0.254)",),
            id="one of two peers",
        ),
        pytest.param(
            desired(SIX),
            {MEMBER: UP, SIX.address: RouteSource(SIX.local_address, "eth0")},
            (),
            id="the other family by the same interface",
        ),
        pytest.param(desired(PEER_), {MEMBER: UP}, (), id="no route to the peer"),
        pytest.param(desired(PEER_), {TOR: DOWN}, (), id="no route to the member"),
        pytest.param(desired(PEER_, members=(OURS,)), {TOR: DOWN}, (), id="no other member"),
    ],
)
def test_the_way_of_heartbeats(
    state: DesiredState, table: dict[Address, RouteSource], expected: tuple[str, ...]
) -> None:
    """The condition names addresses and interfaces, and only those that differ."""
    message = verdict(state, table)
    assert bool(message) is bool(expected)
    for part in expected:
        assert part in message
