"""Trouble: an ExaBGP that refuses, a disk that takes nothing, an agent that says odd things.

What is refused is shown and tried again; what works goes on.
"""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from bgpd.exabgp.command import Command, Ping, Reload, Show, Update
from bgpd.exabgp.message import Done, Failed, SessionChanged, Shown, Terminating
from bgpd.ipc.message import Applied, Delta
from bgpd.model.member import SpeakerPolicy
from bgpd.model.peer import Peer, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import RANK_DOUBT, Attributes
from bgpd.policy.reconcile import PeerPlan
from bgpd.speaker import effect
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.peering import RETRY_SECONDS, Peering
from bgpd.speaker.rib import Rib
from bgpd.speaker.timeline import Timeline
from bgpd.speaker.updates import CHANGES, Updates
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med

ONE, TWO = Prefix("203.0.113.1/32"), Prefix("203.0.113.2/32")
SECOND = replace(PEER, name=PeerName("second"), address=Address("10.0.0.9"))


def conditions(world: World, name: str = "n1") -> dict[str, str]:
    """Return the conditions of *name*: type to message."""
    offer = world.nodes[name].reflex.offer
    found = list(offer.conditions(now=world.now, wall_offset=1e9))
    assert all(one.status for one in found), "true means trouble"
    return {one.type: one.message for one in found}


def count(node: Node, kind: type[Command]) -> int:
    """Return how many commands of *kind* ExaBGP got."""
    return sum(isinstance(one, kind) for one in node.exabgp.commands)


def updates_of(prefix: Prefix) -> Callable[[Command], bool]:
    """Return whether a command advertises *prefix*, for `FakeExabgp.refuses`."""

    def refuses(command: Command) -> bool:
        return isinstance(command, Update) and any(
            prefix in group.prefixes for change in command.peers for group in change.advertise
        )

    return refuses


def test_a_refused_route_holds_back_no_other(world: World) -> None:
    """One group that ExaBGP will not take is left out, named, and tried again when it may work."""
    node = world.nodes["n1"]
    node.exabgp.refuses = updates_of(Prefix("203.0.113.3/32"))
    odd = replace(advertisement(3), communities=("65000:1",))
    world.tell(
        "n1", Delta(sequence=2, advertise=(advertisement(4), odd), withdraw=((PEER.name, ONE),))
    )
    world.run(0.1)
    assert node.prefixes() == {TWO, "203.0.113.4/32"}
    assert "203.0.113.3/32 to tor: scripted" in conditions(world)["RoutesRefused"]
    node.exabgp.refuses = lambda _: False
    world.run_until(lambda: "203.0.113.3/32" in node.prefixes(), within=15.0)
    world.run(11.0)
    assert "RoutesRefused" not in conditions(world)


def test_a_raise_passes_while_a_route_is_refused(world: World) -> None:
    """A takeover waits for nothing."""
    node = world.nodes["n1"]
    node.exabgp.refuses = updates_of(Prefix("203.0.113.3/32"))
    odd = replace(advertisement(3), communities=("65000:1",))
    world.tell("n1", Delta(sequence=2, advertise=(odd,)))
    world.run(1.0)
    world.dead.add("n3")
    world.run_until(lambda: node.meds() == {med(2)}, within=0.5)


def test_an_exabgp_that_refuses_everything_is_not_pestered(world: World) -> None:
    """No busy loop, no silence: a few commands a second at most, and a condition."""
    node = world.nodes["n1"]
    node.exabgp.refuses = lambda command: isinstance(command, (Update, Show, Reload))
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),)))
    before = len(node.exabgp.commands)
    world.run(20.0)
    assert len(node.exabgp.commands) - before < 20 * 5
    assert node.reflex.counters["exabgp_commands_failed"] > 0
    node.exabgp.refuses = lambda _: False
    world.run_until(lambda: "203.0.113.3/32" in node.prefixes(), within=15.0)


def test_updates_that_are_always_refused_end_in_a_condition(world: World) -> None:
    """Asking and planning again comes to an end, however often ExaBGP says no."""
    node = world.nodes["n1"]
    node.exabgp.refuses = lambda command: isinstance(command, Update)
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),), withdraw=((PEER.name, ONE),)))
    before = len(node.exabgp.commands)
    world.run(30.0)
    assert len(node.exabgp.commands) - before < 30 * 5
    assert "203.0.113.1/32 to tor" in conditions(world)["RoutesRefused"]
    assert node.prefixes() == {ONE, TWO}


def test_a_failure_right_after_an_answer_is_repaired(world: World) -> None:
    """What a refused update leaves behind is never taken for done."""
    node = world.nodes["n1"]
    node.reflex.offer.ask(world.now)
    node.settle(world.now)
    failing = iter([True])
    node.exabgp.refuses = lambda command: isinstance(command, Update) and next(failing, False)
    world.tell("n1", Delta(sequence=2, withdraw=((PEER.name, ONE),)))
    world.run(0.1)
    assert node.prefixes() == {TWO}


def test_a_reload_that_fails_is_tried_again(world: World) -> None:
    """The peers stay as they were, a person is told, and it heals by itself."""
    node = world.nodes["n1"]
    node.exabgp.reload_error = "md5 key refused"
    wish = world.desired("n1", advertisement(1), advertisement(2, SECOND), peers=(PEER, SECOND))
    world.tell("n1", wish)
    world.run(1.0)
    assert node.prefixes() == {ONE}
    assert "md5 key refused" in conditions(world)["PeersNotConfigured"]
    before = count(node, Reload)
    world.run(60.0)
    assert 2 <= count(node, Reload) - before <= 6, "again, less and less often"
    node.exabgp.reload_error = ""
    world.run_until(lambda: node.prefixes() == {ONE, TWO}, within=61.0)
    assert conditions(world) == {}


def test_a_peer_that_cannot_be_configured_costs_no_other_anything() -> None:
    """Also on the very first start, when there is no good configuration to keep."""
    world = World(count=1)
    bad = replace(SECOND, password="x" * 81)
    world.tell("n1", world.desired("n1", peers=(PEER, bad)))
    world.run_until(lambda: world.nodes["n1"].prefixes() == {ONE, TWO})
    assert "BGPPeer second: password" in conditions(world, "n1")["PeersRefused"]


def test_a_working_peer_survives_its_own_bad_change() -> None:
    """A key that is too long leaves the session with the key that works."""
    world = World(count=1)
    node = world.nodes["n1"]
    world.run_until(lambda: node.prefixes() == {ONE, TWO})
    world.tell("n1", world.desired("n1", peers=(replace(PEER, password="x" * 81),)))
    world.run(1.0)
    assert node.exabgp.peers() == (PEER.address,)
    assert node.prefixes() == {ONE, TWO}
    assert "PeersRefused" in conditions(world)
    world.tell("n1", world.desired("n1"))
    assert conditions(world) == {}


def test_a_disk_that_takes_no_configuration_is_tried_again(world: World) -> None:
    """ExaBGP reads the old file and is content: we must not be."""
    node = world.nodes["n1"]
    wish = world.desired("n1", advertisement(1), advertisement(2, SECOND), peers=(PEER, SECOND))
    node.disk_full = True
    world.tell("n1", wish)
    world.run(1.0)
    assert node.prefixes() == {ONE}
    assert "no space" in conditions(world)["PeersNotConfigured"]
    node.disk_full = False
    world.run_until(lambda: node.prefixes() == {ONE, TWO}, within=15.0)
    assert conditions(world) == {}


def test_a_disk_that_hangs_stops_no_takeover(world: World) -> None:
    """New peers wait for the disk; the peers that there are do not."""
    node = world.nodes["n1"]
    node.disk_hangs = True
    wishes = (advertisement(1), advertisement(2), replace(advertisement(1), peer=SECOND.name))
    world.tell("n1", world.desired("n1", *wishes, peers=(PEER, SECOND)))
    assert count(node, Reload) == 1, "ExaBGP would read the old file"
    world.run(2.0)
    world.dead.add("n3")
    world.run_until(lambda: node.meds() == {med(2)}, within=0.5)
    node.exabgp.configuration = node.unwritten
    node.reflex.configuration_written(node.unwritten, world.now)
    node.settle(world.now)
    world.run_until(lambda: set(node.exabgp.routes[SECOND.address]) == {ONE}, within=1.0)


def written(peering: Peering, outbox: Outbox) -> bool:
    """Let the disk take what *peering* wants written; return whether that was what it waits for."""
    texts = [one.text for one in outbox.empty() if isinstance(one, effect.WriteConfiguration)]
    return peering.written(texts[-1])


def test_a_session_that_is_missing_is_asked_for_again() -> None:
    """ExaBGP read a file and is content, yet has no such session: write and read it once more."""
    outbox = Outbox()
    peering = Peering("reflex", outbox)
    peering.want({PEER.name: PEER})
    peering.missing([PEER.name], 9.0)
    assert list(peering.conditions()) == [], "ExaBGP was not told yet"
    assert written(peering, outbox)
    peering.reloaded(1)
    outbox.empty()
    peering.missing([PEER.name], 10.0)
    assert [one.type for one in peering.conditions()] == ["PeersNotConfigured"]
    assert not peering.retry(10.0 + RETRY_SECONDS - 0.1)
    assert peering.retry(10.0 + RETRY_SECONDS)
    assert not any(isinstance(item, effect.Send) for item in outbox._effects), "not written yet"
    assert written(peering, outbox)
    assert any(isinstance(item, effect.Send) for item in outbox.empty())
    peering.reloaded(2)
    assert list(peering.conditions()) == []


def test_a_renamed_peer_keeps_its_routes_and_loses_what_is_unwanted(world: World) -> None:
    """The session is the same; what was offered under the old name is not forgotten."""
    node = world.nodes["n1"]
    renamed = replace(PEER, name=PeerName("renamed"))
    before = len(node.exabgp.updates)
    world.tell("n1", world.desired("n1", advertisement(2, renamed), peers=(renamed,)))
    world.run(0.1)
    assert node.prefixes() == {TWO}
    assert [update.peers[0].advertise for update in node.exabgp.updates[before:]] == [()]
    assert set(node.reflex.offer.rib.actual) == {"renamed"}


def test_the_same_state_twice_changes_nothing(world: World) -> None:
    """An agent that starts again says the same, with the same sequence."""
    node = world.nodes["n1"]
    before = len(node.exabgp.updates)
    world.nodes["n1"].reflex.orders.connected(world.now)
    node.told.clear()
    world.tell("n1", world.desired("n1"))
    world.run(0.1)
    assert len(node.exabgp.updates) == before
    assert [one for one in node.told if isinstance(one, Applied)] == [Applied(sequence=1)]


def test_a_new_agent_speaks_of_its_own_state(world: World) -> None:
    """Its first delta cannot follow the state of another agent, whatever its number."""
    node = world.nodes["n1"]
    node.reflex.orders.connected(world.now)
    world.tell("n1", Delta(sequence=2, withdraw=((PEER.name, ONE),)))
    assert any(isinstance(one, effect.DropAgent) for one in node.told)
    assert node.prefixes() == {ONE, TWO}


def test_an_agent_that_comes_again_and_again_without_a_word_is_away(world: World) -> None:
    """One of another version is not understood, comes again each second, and follows nothing."""
    node = world.nodes["n1"]
    state = msgspec.structs.replace(
        world.desired("n1"), policy=SpeakerPolicy(agent_grace_seconds=2)
    )
    world.tell("n1", state)
    for _ in range(8):
        node.reflex.orders.connected(world.now)
        node.reflex.orders.lost("message refused", world.now)
        world.run(0.5, agents=False)
    assert node.meds() == {med(1, RANK_DOUBT)}
    node.reflex.orders.connected(world.now)
    world.tell("n1", state)
    world.run(1.0)
    assert node.meds() == {med(1)}


def test_a_state_that_means_nothing_drops_the_agent_and_changes_nothing(world: World) -> None:
    """A pool that is no prefix is refused as a whole; what was wanted before stays."""
    node = world.nodes["n1"]
    world.tell("n1", msgspec.structs.replace(world.desired("n1"), pools=(Prefix("everything"),)))
    assert any(isinstance(one, effect.DropAgent) for one in node.told)
    assert node.prefixes() == {ONE, TWO}
    assert node.reflex.counters["states_refused"] == 1


def test_nothing_is_confirmed_that_is_not_done() -> None:
    """While ExaBGP has not answered, a wish is only a wish."""
    world = World(count=1)
    node = world.nodes["n1"]
    world.run_until(lambda: node.prefixes() == {ONE, TWO})
    node.deaf = True
    node.told.clear()
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),)))
    world.run(0.5)
    assert not any(isinstance(one, Applied) for one in node.told), "the update is under way"
    node.reflex.offer.ask(world.now)
    world.tell("n1", Delta(sequence=3, advertise=(advertisement(4),)))
    world.run(0.5)
    assert not any(isinstance(one, Applied) for one in node.told)


def test_a_state_that_comes_while_a_question_is_open_waits_for_the_answer(world: World) -> None:
    """The answer describes the time before; nothing is planned on it twice, nothing is lost."""
    node = world.nodes["n1"]
    node.deaf = True
    node.reflex.offer.ask(world.now)
    node.settle(world.now)
    question = node.asked[-1]
    world.tell("n1", world.desired("n1", advertisement(2)))
    assert isinstance(question, Show)
    node.deaf = False
    for message in node.exabgp.answer(question):
        node.reflex.exabgp(message, world.now)
    node.settle(world.now)
    assert node.prefixes() == {TWO}


def test_an_old_answer_makes_us_say_nothing_twice(world: World) -> None:
    """Of two questions only the last one's answer says what ExaBGP has now."""
    node = world.nodes["n1"]
    (stale,) = node.exabgp.answer(Show(id=0))
    assert isinstance(stale, Shown)
    world.tell("n1", Delta(sequence=2, withdraw=((PEER.name, ONE),)))
    before = len(node.exabgp.updates)
    node.reflex.exabgp(stale, world.now)
    node.settle(world.now)
    assert len(node.exabgp.updates) == before
    world.tell("n1", Delta(sequence=3, advertise=(advertisement(1),)))
    assert node.prefixes() == {ONE, TWO}


def test_a_peer_that_exabgp_does_not_know_is_noticed(world: World) -> None:
    """An answer that says `unknown` makes us look, not believe."""
    node = world.nodes["n1"]
    asked = count(node, Show)
    world.run(1.5)
    node.reflex.exabgp(Done(id=0, unknown=(PEER.address,)), world.now)
    world.run(0.6)
    assert count(node, Show) == asked + 1


def test_an_error_without_an_id_makes_us_look(world: World) -> None:
    """We do not know what was refused, so we know nothing of what is there."""
    node = world.nodes["n1"]
    world.run(1.5)
    del node.exabgp.routes[PEER.address][ONE]
    node.reflex.exabgp(Failed(id=None, error="not a command of ours"), world.now)
    world.run(0.1)
    assert node.prefixes() == {ONE, TWO}


def test_told_to_leave_before_anything_was_wanted() -> None:
    """SIGTERM in the first second: close, exit, and no wait for anybody."""
    world = World(count=1)
    node = world.nodes["n1"] = Node("n1", world.now)
    node.reflex.exabgp(Terminating(), world.now)
    world.run_until(lambda: node.exabgp.exited, within=3.0)
    assert node.exabgp.closed == [2]
    assert node.quit


@pytest.mark.parametrize("gone", ["n2", "n3"])
def test_a_shorter_list_raises_nothing(world: World, gone: str) -> None:
    """A node that is taken out of the cluster and switched off is no death."""
    rest = tuple(member for member in world.members if member.name != gone)
    for name in world.nodes:
        if name != gone:
            world.tell(name, msgspec.structs.replace(world.desired(name), members=rest))
    world.nodes[gone].reflex.exabgp(Terminating(), world.now)
    world.run_until(lambda: world.nodes[gone].exabgp.exited)
    world.dead.add(gone)
    world.run(15.0)
    assert world.nodes["n1"].prefixes() == {ONE, TWO}


def test_a_peer_has_one_name_in_all_that_is_told(world: World) -> None:
    """Who looks for a BGPPeer in the log finds its sessions."""
    node = world.nodes["n1"]
    closed = SessionChanged(peer=PEER.address, state=PeerState.ACTIVE, error="closed")
    node.reflex.exabgp(closed, world.now)
    node.settle(world.now)
    told = [dict(n.keys)["peer"] for n in node.notes if n.event == "session_changed"]
    assert told[-1:] == ["tor"]


def test_a_router_that_dampens_is_not_shaken(world: World) -> None:
    """Beyond its budget a peer keeps its generation, and no route is withdrawn."""
    damping: Peer = replace(PEER, damping=True)
    node = world.nodes["n1"]
    world.tell("n1", world.desired("n1", peers=(damping,)))
    mesh = node.reflex.mesh
    assert mesh is not None
    for generation in (5, 6, 7):
        mesh.reset_generation(generation, world.now)
        world.run(0.2)
        assert node.meds() == {med(generation)}
    mesh.reset_generation(8, world.now)
    world.run(0.2)
    assert node.meds() == {med(7)}
    assert node.prefixes() == {ONE, TWO}
    assert "DampingBudgetSpent" in conditions(world)
    assert [n.keys for n in node.notes if n.event == "damping_budget_spent"] == [(("peer", "tor"),)]
    world.now += 599.0
    world.run_until(lambda: node.meds() == {med(8)}, within=3.0)


def test_a_very_large_change_leaves_in_parcels_with_room_for_the_watchdog() -> None:
    """ExaBGP answers nothing while it works on a command: none may keep it busy for long."""
    outbox = Outbox()
    timeline = Timeline()
    updates = Updates(rib=Rib(), timeline=timeline, outbox=outbox)
    prefixes = tuple(Prefix(f"10.0.{n // 256}.{n % 256}/32") for n in range(2 * CHANGES + 500))
    said = Attributes(next_hop=Address("10.0.0.1"))
    plans = [
        PeerPlan(peer=PEER.name, withdraw=prefixes, advertise=((said, prefixes),)),
        PeerPlan(peer=SECOND.name, advertise=((said, prefixes[:10]),)),
    ]
    timeline.begin(kind="raise", cause="a test", cause_at=0.0, decided_at=1.0, generation=7)
    updates.send(plans, {PEER.name: PEER, SECOND.name: SECOND}, 1.0)
    commands = [item.command for item in outbox.empty() if isinstance(item, effect.Send)]
    assert [type(one) for one in commands[::2]] == [Update] * 6
    assert [type(one) for one in commands[1::2]] == [Ping] * 5
    parcels = [one for one in commands if isinstance(one, Update)]
    changes = [change for parcel in parcels for change in parcel.peers]
    assert sum((change.withdraw for change in changes), ()) == prefixes
    groups = [(change.peer, group) for change in changes for group in change.advertise]
    assert sum((g.prefixes for peer, g in groups if peer == PEER.address), ()) == prefixes
    assert groups[-1][0] == SECOND.address, "in the order of the plans"
    for parcel in parcels:
        updates.done(parcel.id)
        timeline.done(parcel.id, flushed={parcel.peers[-1].peer: 2.0}, now=2.0)
    assert not updates.outstanding
    (failover,) = timeline.failovers
    assert failover.routes == 2 * len(prefixes) + 10
    assert [(step.name, step.detail) for step in failover.steps[2:]] == [
        ("command", ""),
        ("flushed", PEER.address),
        ("flushed", SECOND.address),
    ]
    assert all(one.watched for one in parcels)
