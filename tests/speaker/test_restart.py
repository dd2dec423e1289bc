"""A reflex that starts again: what is on the disk may be older than what is on the wire."""

from dataclasses import replace

from bgpd.exabgp.command import Command, EndOfRib, Reload, Update
from bgpd.exabgp.message import SessionChanged
from bgpd.ipc.message import Applied, Delta, Desired
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason
from bgpd.speaker import effect, status
from bgpd.speaker.offer import AGENT_SECONDS
from tests.fakes.exabgp import FakeExabgp
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med

ONE, TWO = Prefix("203.0.113.1/32"), Prefix("203.0.113.2/32")
SECOND = replace(PEER, name=PeerName("second"), address=Address("10.0.0.9"))


def restart(world: World, saved: Desired, exabgp: FakeExabgp | None = None) -> Node:
    """Start the reflex of n1 anew with *saved* on its disk; *exabgp* is new, too, where given."""
    node = Node("n1", world.now, exabgp or world.nodes["n1"].exabgp, saved=saved)
    world.nodes["n1"] = node
    node.exabgp.commands.clear()
    node.exabgp.updates.clear()
    node.settle(world.now)
    return node


def count(node: Node, kind: type[Command]) -> int:
    """Return how many commands of *kind* ExaBGP got."""
    return sum(isinstance(one, kind) for one in node.exabgp.commands)


def test_an_older_state_on_disk_changes_no_route_while_the_agent_may_come(world: World) -> None:
    """A delta of the last second is not on the disk: it is neither undone nor done again."""
    old = world.desired("n1")
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),), withdraw=((PEER.name, ONE),)))
    node = restart(world, old)
    world.run(AGENT_SECONDS - 0.1, agents=False)
    assert node.exabgp.updates == []
    assert node.prefixes() == {TWO, "203.0.113.3/32"}
    world.tell("n1", world.desired("n1", advertisement(2), advertisement(3)))
    world.run(5.0)
    assert node.exabgp.updates == [], "the agent wants what there is"
    assert any(isinstance(one, Applied) for one in node.told)


def test_a_saved_state_counts_when_the_agent_stays_away(world: World) -> None:
    """It is the best that is known: what it lacks goes, what it wants comes."""
    old = world.desired("n1")
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),), withdraw=((PEER.name, ONE),)))
    node = restart(world, old)
    world.run(AGENT_SECONDS + 0.2, agents=False)
    assert node.prefixes() == {ONE, TWO}


def test_older_peers_on_disk_touch_no_session_while_the_agent_may_come(world: World) -> None:
    """A session that was just configured is not taken down for a second."""
    old = world.desired("n1")
    wishes = (advertisement(1), advertisement(2), replace(advertisement(1), peer=SECOND.name))
    new = world.desired("n1", *wishes, peers=(PEER, SECOND))
    world.tell("n1", new)
    world.run(0.1)
    node = restart(world, old)
    world.run(1.0, agents=False)
    assert count(node, Reload) == 0
    world.tell("n1", new)
    world.run(1.0)
    assert set(node.exabgp.routes[SECOND.address]) == {ONE}
    assert node.exabgp.updates == []


def test_a_raise_does_not_wait_for_the_agent(world: World) -> None:
    """What is on the wire follows the generation, whatever else is unknown."""
    node = restart(world, world.desired("n1"))
    world.run_until(lambda: node.reflex.offer.advertising)
    world.dead.add("n3")
    world.run_until(lambda: node.meds() == {med(2)}, within=0.5)
    assert node.reflex.offer.agent_awaited_until is not None
    assert node.prefixes() == {ONE, TWO}


def test_a_new_exabgp_waits_for_the_agent_and_then_for_nobody(world: World) -> None:
    """Both crashed: routes of the disk come when the agent has had its time, and status says so."""
    exabgp = FakeExabgp()
    exabgp.configuration = world.nodes["n1"].exabgp.configuration
    exabgp.routes = {PEER.address: {}}
    node = restart(world, world.desired("n1"), exabgp)
    world.run(1.0, agents=False)
    assert node.prefixes() == set()
    seen = status.observe(
        node.reflex, now=world.now, version="0", started=0, exabgp_pid=None, counters={}
    )
    assert {(one.prefix, one.reason) for one in seen.withheld} == {
        (ONE, Reason.NOT_STARTED),
        (TWO, Reason.NOT_STARTED),
    }
    world.run(AGENT_SECONDS, agents=False)
    assert node.prefixes() == {ONE, TWO}


def test_a_whole_state_is_saved_at_once(world: World) -> None:
    """A crash in the first second must not start from nothing."""
    node = world.nodes["n1"]
    node.reflex.orders.take(world.desired("n1"), world.now)
    assert effect.SaveDesired() in node.reflex.effects()


def test_sessions_wait_for_no_file_that_only_a_restart_reads() -> None:
    """One thread writes file after file: ExaBGP's configuration goes to the disk first."""
    world = World(1)
    node = Node("n2", world.now)
    node.reflex.orders.take(world.desired("n2"), world.now)
    writes = (effect.WriteConfiguration, effect.SaveMesh, effect.SaveDesired)
    kinds = [type(item) for item in node.reflex.effects() if isinstance(item, writes)]
    assert kinds == [effect.WriteConfiguration, effect.SaveMesh, effect.SaveDesired]


def test_after_a_reboot_nothing_is_advertised_before_the_agent_says_so(world: World) -> None:
    """What ran before the boot does not run now; the sessions come up all the same."""
    exabgp = FakeExabgp()
    exabgp.configuration = world.nodes["n1"].exabgp.configuration
    exabgp.routes = {PEER.address: {}}
    saved = replace_routes(world.desired("n1"))
    node = restart(world, saved, exabgp)
    world.run(AGENT_SECONDS + 3.0, agents=False)
    assert count(node, Update) == 0
    assert node.exabgp.peers() == (PEER.address,)
    assert node.reflex.mesh is not None, "and the mesh knows who is there"
    world.tell("n1", world.desired("n1"))
    world.run_until(lambda: node.prefixes() == {ONE, TWO}, within=0.5)


def replace_routes(desired: Desired) -> Desired:
    """Return *desired* as the disk gives it back after a reboot."""
    return Desired(
        sequence=desired.sequence,
        node=desired.node,
        cluster_uid=desired.cluster_uid,
        members=desired.members,
        peers=desired.peers,
        pools=desired.pools,
        advertisements=(),
        policy=desired.policy,
    )


def test_the_marker_follows_the_routes(world: World) -> None:
    """A router that kept our routes drops at End-of-RIB what it has not heard again."""
    keeps = replace(PEER, graceful_restart=120)
    world.tell("n1", world.desired("n1", peers=(keeps,)))
    world.run(0.1)
    exabgp = FakeExabgp()
    exabgp.configuration = world.nodes["n1"].exabgp.configuration
    exabgp.routes = {PEER.address: {}}
    node = restart(world, world.desired("n1", peers=(keeps,)), exabgp)
    up = SessionChanged(peer=PEER.address, state=PeerState.ESTABLISHED)
    node.reflex.exabgp(up, world.now)
    world.run(1.0, agents=False)
    assert count(node, EndOfRib) == 0, "no route was sent yet"
    world.run(AGENT_SECONDS, agents=False)
    kinds = [type(one) for one in node.exabgp.commands if isinstance(one, (Update, EndOfRib))]
    assert kinds == [Update, EndOfRib]
    node.reflex.exabgp(replace(up, state=PeerState.IDLE), world.now)
    node.reflex.exabgp(up, world.now)
    node.settle(world.now)
    assert count(node, EndOfRib) == 2, "each session that comes up gets its own"


def test_a_session_that_is_down_hears_of_nothing(world: World) -> None:
    """Its routes wait, and status does not count them as advertised to it."""
    node = world.nodes["n1"]

    def seen() -> tuple[list[int], set[tuple[PeerName, ...]]]:
        now = status.observe(
            node.reflex, now=world.now, version="0", started=0, exabgp_pid=None, counters={}
        )
        return [one.advertised for one in now.sessions], {one.peers for one in now.routes}

    node.reflex.exabgp(SessionChanged(peer=PEER.address, state=PeerState.ESTABLISHED), world.now)
    assert seen() == ([2], {(PEER.name,)})
    node.reflex.exabgp(SessionChanged(peer=PEER.address, state=PeerState.ACTIVE), world.now)
    assert seen() == ([0], {()})


def test_what_a_router_at_its_limit_may_have_kept_is_taken_back_with_the_first_routes(
    world: World,
) -> None:
    """ExaBGP crashed and the agent wants something else now; the router still has the old."""
    peer = replace(PEER, graceful_restart=60, max_prefixes=2)
    saved = world.desired("n1", peers=(peer,))
    exabgp = FakeExabgp()
    exabgp.configuration = world.nodes["n1"].exabgp.configuration
    exabgp.routes = {PEER.address: {}}
    node = restart(world, saved, exabgp)
    wishes = (advertisement(3), advertisement(4))
    world.tell("n1", world.desired("n1", *wishes, peers=(peer,)))
    world.run(1.0)
    (first,) = node.exabgp.updates[0].peers
    assert set(first.withdraw) == {ONE, TWO}
    assert node.prefixes() == {"203.0.113.3/32", "203.0.113.4/32"}
    world.tell("n1", Delta(sequence=2, withdraw=((PEER.name, Prefix("203.0.113.3/32")),)))
    world.run(0.1)
    assert [one.withdraw for update in node.exabgp.updates[1:] for one in update.peers] == [
        ("203.0.113.3/32",)
    ], "once"
