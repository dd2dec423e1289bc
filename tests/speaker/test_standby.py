"""A standby whose lever has no ranks: silent while the active one is there, heard when not."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.exabgp.message import SessionChanged, Terminating
from bgpd.ipc.message import Beat, Desired
from bgpd.model.peer import Lever, PeerState
from bgpd.model.prefix import Address
from bgpd.model.reason import Reason
from bgpd.model.status import MemberState, MemberStatus
from bgpd.speaker.stance import present
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import World

SILENT = replace(PEER, lever=Lever.NONE)
ROUTER = Address("192.0.2.254")
ORDER = ("n1", "n2", "n3")


def wish(world: World, name: str) -> Desired:
    """Return what *name* should advertise: its place in `ORDER`."""
    position = ORDER.index(name)
    one = replace(advertisement(1), rank=position, ahead=ORDER[:position])
    return world.desired(name, one, peers=(SILENT,))


def session(world: World, name: str, *, up: bool = True) -> None:
    """Let the session of *name* with the router come up, or go down."""
    state = PeerState.ESTABLISHED if up else PeerState.IDLE
    node = world.nodes[name]
    node.reflex.exabgp(
        SessionChanged(peer=SILENT.address, state=state, peer_router_id=ROUTER if up else None),
        world.now,
    )
    node.settle(world.now)


def on_the_wire(world: World) -> set[str]:
    """Return the nodes that live and advertise."""
    return {
        name for name, node in world.nodes.items() if node.prefixes() and name not in world.dead
    }


@pytest.fixture(name="world")
def running_world() -> World:
    """Return three nodes of which only the active one advertises."""
    world = World()
    for name in ORDER:
        world.tell(name, wish(world, name))
    for name in ORDER:
        session(world, name)
    world.run(1.5)
    assert on_the_wire(world) == {"n1"}
    return world


def test_the_next_one_advertises_when_the_active_one_dies(world: World) -> None:
    """And the one after that when it dies, too."""
    world.dead.add("n1")
    world.run_until(lambda: on_the_wire(world) == {"n2"})
    world.run(1.5)
    assert on_the_wire(world) == {"n2"}
    world.dead.add("n2")
    world.run_until(lambda: on_the_wire(world) == {"n3"}, within=10.0)


def test_what_waits_says_so(world: World) -> None:
    """The reason is Standby, for that peer and prefix."""
    (withheld,) = world.nodes["n2"].reflex.offer.rib.withheld
    assert (withheld.reason, withheld.peer) == (Reason.STANDBY, SILENT.name)


def test_a_standby_advertises_where_the_active_one_lost_its_session(world: World) -> None:
    """The router hears nothing of the active one then; it steps back once that is up again."""
    session(world, "n1", up=False)
    world.run_until(lambda: on_the_wire(world) == {"n1", "n2"})
    session(world, "n1")
    world.run_until(lambda: on_the_wire(world) == {"n1"})


def test_an_active_one_that_leaves_is_followed(world: World) -> None:
    """A drain takes routes back where there are no ranks, so the next one must be there."""
    world.nodes["n1"].reflex.exabgp(Terminating(seconds=30.0), world.now)
    world.run_until(lambda: "n2" in on_the_wire(world))


def test_a_standby_waits_while_its_own_session_is_down(world: World) -> None:
    """Nothing may be on its way to a router when the session comes up."""
    session(world, "n2", up=False)
    world.run(1.5)
    assert not world.nodes["n2"].prefixes()


@pytest.mark.parametrize(
    ("changes", "router", "expected"),
    [
        pytest.param({}, ROUTER, True, id="alive, and heard by that router"),
        pytest.param({"router_ids": (Address("192.0.2.9"),)}, ROUTER, False,
                     id="heard by another router only"),
        pytest.param({"router_ids": ()}, None, True, id="our own session is down"),
        pytest.param({"router_ids": tuple(Address(f"192.0.2.{n}") for n in range(10, 18))}, ROUTER,
                     True, id="more routers than a heartbeat has room for"),
        pytest.param({"state": MemberState.SUSPECT}, ROUTER, True, id="suspected, not yet dead"),
        pytest.param({"state": MemberState.DEAD}, ROUTER, False, id="dead"),
        pytest.param({"state": MemberState.RESTARTING}, ROUTER, False, id="restarting"),
        pytest.param({"state": MemberState.UNHEARD}, ROUTER, False, id="never heard"),
        pytest.param({"state": MemberState.QUARANTINED}, ROUTER, False, id="in quarantine"),
        pytest.param({"draining": True}, ROUTER, False, id="leaving"),
        pytest.param({"doubtful": True}, ROUTER, False, id="without its agent for too long"),
        pytest.param({"agent_alive": False}, ROUTER, True, id="without its agent for a moment"),
        pytest.param({"name": "n9"}, ROUTER, False, id="nobody who comes before us"),
    ],
)  # fmt: skip
def test_who_keeps_a_standby_back(
    changes: dict[str, Any], router: Address | None, expected: bool
) -> None:
    """Only a node that surely carries the route to that router."""
    member = MemberStatus(
        name="n1", address=Address("10.0.0.1"), state=MemberState.ALIVE, router_ids=(ROUTER,)
    )
    found = present([replace(member, **changes)], {"n1", "n2"}, router)
    assert found == (frozenset({"n1"}) if expected else frozenset())


def test_an_active_one_that_is_doubtful_is_followed(world: World) -> None:
    """Once its agent was away for too long it takes its routes back; somebody must carry them."""
    seen: set[frozenset[str]] = set()
    for _ in range(70):
        world.tell("n2", Beat())
        world.tell("n3", Beat())
        world.run(1.0, agents=False)
        seen.add(frozenset(on_the_wire(world)))
    assert on_the_wire(world) == {"n2"}
    assert frozenset() not in seen
    world.run_until(lambda: on_the_wire(world) == {"n1"})
