"""A lever that changes does so on all nodes at one generation, and takes no route away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bgpd.mesh.packet import DeathRecord, Heartbeat, decode, encode, member_id
from bgpd.mesh.seal import Sealer
from bgpd.model.member import NodeName
from bgpd.model.peer import Lever, Takeover
from bgpd.model.prefix import Address
from bgpd.model.route import Advertisement
from bgpd.model.status import MemberState, MemberStatus
from bgpd.model.timeline import TAKEOVERS
from bgpd.speaker import comparable
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.levers import (
    CALM_SECONDS,
    LEAST_SECONDS,
    MOST_SECONDS,
    Headroom,
    Levers,
)
from bgpd.speaker.state import KeptMesh
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import KEY, STEP, Node, World, med

WITHOUT = replace(PEER, lever=Lever.NONE)
BY_PATH = (replace(PEER, lever=Lever.AS_PATH),)
BOTH = {"203.0.113.1/32", "203.0.113.2/32"}


@pytest.fixture(name="world")
def held_world() -> World:
    """Return three nodes that advertise without a lever."""
    world = World()
    for name in world.nodes:
        world.tell(name, world.desired(name, peers=(WITHOUT,)))
    world.run_until(lambda: all(meds == {None} for meds in _meds(world)))
    return world


def _meds(world: World) -> list[set[int | None]]:
    return [node.meds() for node in world.nodes.values()]


def _watched(world: World, seconds: float) -> Iterator[list[set[int | None]]]:
    """Let time pass and yield, step by step, the MEDs of all nodes; no route may go meanwhile."""
    end = world.now + seconds
    while world.now < end:
        world.run(STEP)
        assert all(node.prefixes() == BOTH for node in world.nodes.values())
        yield _meds(world)


def _raises(world: World) -> int:
    meshes = [node.reflex.mesh for node in world.nodes.values()]
    return sum(mesh.status(world.now).raises for mesh in meshes if mesh is not None)


def test_the_lever_is_turned_on_everywhere_at_one_generation(world: World) -> None:
    """However far apart the agents say it, all routes change within a few milliseconds."""
    for name in world.nodes:
        world.tell(name, world.desired(name))
        for meds in _watched(world, 0.2):
            assert all(one == {None} for one in meds)
    mixed = [meds for meds in _watched(world, 4.0) if len({frozenset(one) for one in meds}) > 1]
    assert _meds(world) == [{med(2)}] * 3
    assert len(mixed) <= 2, "no longer than a datagram takes"
    assert _raises(world) == 1


def test_the_lever_is_turned_off_in_the_same_way() -> None:
    """Whoever went back first would have all traffic: no MED is the best MED."""
    world = World()
    world.run_until(lambda: all(meds == {med(1)} for meds in _meds(world)))
    for name in world.nodes:
        world.tell(name, world.desired(name, peers=(WITHOUT,)))
        assert all(meds == {med(1)} for moment in _watched(world, 0.2) for meds in moment)
    mixed = [meds for meds in _watched(world, 4.0) if len({frozenset(one) for one in meds}) > 1]
    assert _meds(world) == [{None}] * 3
    assert len(mixed) <= 2


def test_a_node_that_has_not_heard_of_it_is_waited_for(world: World) -> None:
    """An agent may be some seconds behind; its node would have all traffic until then."""
    for name in ("n1", "n2"):
        world.tell(name, world.desired(name))
    for meds in _watched(world, 5.0):
        assert all(one == {None} for one in meds)
    world.tell("n3", world.desired("n3"))
    world.run(4.0)
    assert _meds(world) == [{med(2)}] * 3
    assert _raises(world) == 1


def test_a_node_that_never_hears_of_it_holds_nobody_up_for_long(world: World) -> None:
    """Its agent may be away for hours; it follows when it is back, at the cost of a raise."""
    for name in ("n1", "n2"):
        world.tell(name, world.desired(name))
    world.run(MOST_SECONDS + 3.0)
    assert _meds(world) == [{med(2)}, {med(2)}, {None}]
    world.tell("n3", world.desired("n3"))
    world.run(4.0)
    assert _meds(world) == [{med(3)}] * 3


def test_a_death_in_the_meantime_is_the_raise(world: World) -> None:
    """The raise that a death asks for turns the lever on as well: two would be one too many."""
    for name in world.nodes:
        world.tell(name, world.desired(name))
    world.dead.add("n3")
    world.run_until(lambda: _meds(world)[:2] == [{med(2)}] * 2, within=LEAST_SECONDS)
    world.run(4.0)
    assert _meds(world)[:2] == [{med(2)}] * 2
    kinds = [one.kind for one in world.nodes["n1"].reflex.timeline.failovers]
    assert len([kind for kind in kinds if kind in TAKEOVERS]) == 1


def test_ranks_of_the_lever_to_come_withdraw_nothing(world: World) -> None:
    """Without a lever a rank means `withdraw`; a user's own preference must not do that here."""
    for name in world.nodes:
        ranked = (advertisement(1, rank=5), advertisement(2))
        world.tell(name, world.desired(name, *ranked))
    for _ in _watched(world, 4.0):
        pass
    assert _meds(world) == [{med(2), med(2, 5)}] * 3


def test_the_same_state_again_begins_no_new_wait() -> None:
    """An agent that reconnects says everything again; the others wait no longer for that."""
    levers = Levers()
    before, wanted = {PEER.name: WITHOUT}, {PEER.name: PEER}
    held = levers.hold(before, wanted, generation=4, now=10.0)
    assert held == before
    assert levers.hold(held, wanted, generation=4, now=10.0 + LEAST_SECONDS) == before
    assert levers.raise_due(10.0 + LEAST_SECONDS, generation=4, others_differ=False)
    assert levers.release(held, generation=4) is None
    assert levers.release(held, generation=5) == wanted
    assert not levers.waiting


def test_a_change_that_is_taken_back_waits_for_nothing() -> None:
    """What was held and is as before again needs no raise."""
    levers = Levers()
    before = {PEER.name: WITHOUT}
    levers.hold(before, {PEER.name: PEER}, generation=1, now=0.0)
    assert levers.hold(before, before, generation=1, now=0.5) == before
    assert not levers.raise_due(99.0, generation=1, others_differ=False)


def test_a_new_peer_has_its_lever_at_once() -> None:
    """There is no route of ours on it that could be compared with another."""
    levers = Levers()
    assert levers.hold({}, {PEER.name: PEER}, generation=1, now=0.0) == {PEER.name: PEER}
    assert not levers.waiting


def _paths(world: World) -> list[set[int]]:
    return [
        {said.as_path_prepend for routes in node.exabgp.routes.values() for said in routes.values()}
        for name, node in world.nodes.items()
        if name not in world.dead
    ]


def test_a_lever_of_three_steps_answers_every_death() -> None:
    """Between two deaths, with everybody back, it begins anew: at once on all nodes."""
    world = World()
    by_path = replace(PEER, lever=Lever.AS_PATH)
    for name in world.nodes:
        world.tell(name, world.desired(name, peers=(by_path,)))
    world.run_until(lambda: all(node.prefixes() == BOTH for node in world.nodes.values()))
    for name in world.nodes:
        before = {one for node in _paths(world) for one in node}
        world.dead.add(name)
        world.run(0.5)
        after = {one for node in _paths(world) for one in node}
        assert max(after) < min(before), f"the survivors of {name} have the shorter path"
        world.run(CALM_SECONDS + 2.0)
        assert {one for node in _paths(world) for one in node} == after, "somebody is away"
        world.dead.clear()
        world.run(CALM_SECONDS + 2.0)
        assert len({frozenset(one) for one in _paths(world)}) == 1
        assert min(one for node in _paths(world) for one in node) > 0, "there is room"


def _on_the_last_step(*wishes: Advertisement) -> World:
    """Return three nodes at generation 2, whose paths cannot get shorter."""
    world = World()
    for name in world.nodes:
        world.nodes[name] = Node(name, world.now, kept=KeptMesh(generation=2))
    for name in world.nodes:
        world.tell(name, world.desired(name, *wishes, peers=BY_PATH))
    world.run_until(lambda: all(node.prefixes() == BOTH for node in world.nodes.values()))
    world.run(1.0)
    return world


@pytest.mark.parametrize("own", [0, 2])
def test_a_reflex_that_starts_again_goes_on_to_hold_a_wrap_back(own: int) -> None:
    """How far the one before it went stands on the wire; a dead node's path would beat the next."""
    wishes = [replace(advertisement(last), as_path_prepend=own) for last in (1, 2)]
    world = _on_the_last_step(*wishes)
    world.dead.add("n3")
    world.run(1.0)
    assert _paths(world) == [{own}, {own}], "the last step, which n3 had as well"
    saved = world.desired("n1", *wishes, peers=BY_PATH)
    again = Node(
        "n1", world.now, world.nodes["n1"].exabgp, saved=saved, kept=KeptMesh(generation=3)
    )
    world.nodes["n1"] = again
    again.settle(world.now)
    world.run(1.0)
    world.tell("n1", saved)
    world.run(3.0)
    assert _paths(world) == [{own}, {own}]
    world.dead.clear()
    world.run_until(lambda: _paths(world) == [{own + 2}] * 3)


def test_who_still_hears_the_dead_holds_a_wrap_back_too() -> None:
    """A raise may come before our own patience with the dead node ends, or its last heartbeat."""
    world = _on_the_last_step()
    seal = Sealer(keys=(KEY,), cluster_uid="c")
    heard = {beat.sender: beat for beat in _beats(world, seal, "n2")}
    died = DeathRecord(member_id("n3"), heard["n3"].incarnation, 3)
    first = heard["n1"]
    raised = replace(first, sequence=first.sequence + 1000, generation=3, records=(died,))
    node = world.nodes["n2"]
    assert node.reflex.mesh is not None
    told = seal.seal(encode(raised), raised.key_id)
    node.reflex.mesh.receive_datagram(told, world.nodes["n1"].address, world.now)
    node.settle(world.now)
    members = node.reflex.mesh.status(world.now).members
    assert {one.state for one in members} == {MemberState.ALIVE}
    assert node.reflex.situation.generation == 3
    assert _paths(world)[1] == {0}


def _beats(world: World, seal: Sealer, receiver: str) -> list[Heartbeat]:
    """Return the heartbeats that *receiver* hears in the next moment."""
    mesh = world.nodes[receiver].reflex.mesh
    assert mesh is not None
    found: list[Heartbeat] = []
    receive = mesh.receive_datagram

    def listen(data: bytes, source: Address, now: float) -> None:
        opened = seal.open(data)
        assert isinstance(opened, bytes)
        found.append(decode(opened))
        receive(data, source, now)

    setattr(mesh, "receive_datagram", listen)  # noqa: B010
    world.run(0.1)
    setattr(mesh, "receive_datagram", receive)  # noqa: B010
    return found


OTHERS = frozenset({"n2", "n3"})


def due(
    headroom: Headroom,
    now: float,
    *,
    generation: int = 5,
    lever: Lever = Lever.ORIGIN,
    takeover: Takeover = Takeover.AUTO,
    listed: frozenset[str] = OTHERS,
    alive: frozenset[str] = OTHERS,
) -> bool:
    """Return whether *headroom* wants a raise at *now*; by default nothing speaks against it."""
    peers = (replace(PEER, lever=lever, takeover=takeover),)
    return headroom.raise_due(
        now, generation=generation, peers=peers, listed=listed, alive=lambda: alive
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, True, id="the last step"),
        pytest.param({"generation": 4}, False, id="one step is left"),
        pytest.param({"lever": Lever.MED}, False, id="a lever without steps"),
        pytest.param({"takeover": Takeover.NEVER}, False, id="no takeover is wanted"),
        pytest.param({"alive": frozenset({"n2"})}, False, id="somebody is not heard"),
    ],
)
def test_a_raise_for_room_is_for_levers_on_their_last_step(
    facts: dict[str, Any], *, expected: bool
) -> None:
    """And only while everybody on the list is heard: nobody hears all of a large mesh."""
    headroom = Headroom()
    assert not due(headroom, 0.0, **facts)
    assert due(headroom, CALM_SECONDS, **facts) is expected


def test_a_raise_for_room_waits_until_all_is_calm() -> None:
    """For a while without a break: who flaps is about to die again."""
    headroom = Headroom()
    assert not due(headroom, 0.0)
    assert not due(headroom, CALM_SECONDS - 1, alive=frozenset({"n3"}))
    assert not due(headroom, CALM_SECONDS)
    assert due(headroom, 2 * CALM_SECONDS)


def test_who_is_taken_off_the_list_may_have_left_a_path() -> None:
    """It would win against paths that begin anew, until the routers' hold time is over."""
    headroom, rest = Headroom(), frozenset({"n3"})
    assert not due(headroom, 0.0, alive=rest)
    assert not due(headroom, 1.0, listed=rest, alive=rest)
    assert not due(headroom, PEER.hold_time, listed=rest, alive=rest)
    assert due(headroom, PEER.hold_time + 1.0, listed=rest, alive=rest)


@pytest.mark.parametrize(
    ("lever", "status"),
    [
        pytest.param(Lever.MED, True, id="a MED ends at the first router"),
        pytest.param(Lever.AS_PATH, False, id="the AS path travels on"),
        pytest.param(Lever.ORIGIN, False, id="so does ORIGIN"),
        pytest.param(Lever.LOCAL_PREF, False, id="and local preference, through the AS"),
    ],
)
def test_a_lever_that_travels_needs_no_common_router(lever: Lever, *, status: bool) -> None:
    """A router beyond both compares what each of theirs passes on."""
    world = World()
    peers = (replace(PEER, lever=lever),)
    desired = DesiredState.of(world.desired("n1", peers=peers))
    stranger = MemberStatus(
        name="n2",
        address=Address("10.0.2.1"),
        state=MemberState.ALIVE,
        router_ids=(Address("192.0.2.2"),),
    )
    found = comparable.condition(
        desired, (stranger,), ours=frozenset({Address("192.0.2.1")}), node=NodeName("n1")
    )
    assert found.status is status
