"""What happens to a mesh over its years: growth, new keys, new settings, attackers."""

import pytest

from bgpd.mesh.events import MemberChanged, MeshEvent
from bgpd.mesh.seal import key_id
from bgpd.mesh.settings import Keys, MeshSettings
from bgpd.mesh.watch import WATCHERS, candidates
from bgpd.model.member import MeshPolicy
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from tests.mesh.network import KEY, KEYS, Node
from tests.mesh.world import SEEDS, World, settled


def test_everybody_has_as_many_watchers_as_charges() -> None:
    """The load is even, and a new member changes only a few watchers."""
    names = [f"node-{n}" for n in range(200)]
    before = {name: set(who[:WATCHERS]) for name, who in candidates(names).items()}
    charges = {name: sum(name in who for who in before.values()) for name in names}
    assert all(len(who) == WATCHERS for who in before.values())
    assert all(name not in who for name, who in before.items())
    assert 3 <= min(charges.values()) <= max(charges.values()) <= 8
    after = {name: set(who[:WATCHERS]) for name, who in candidates([*names, "new"]).items()}
    moved = sum(len(before[name] - after[name]) for name in names)
    assert moved <= 2 * WATCHERS


@pytest.mark.parametrize("size", [2, 3, 6, 17])
def test_small_rings_have_no_doubles(size: int) -> None:
    """However few members there are, nobody is asked twice, nor to watch itself."""
    names = [f"n{n}" for n in range(size)]
    for name, who in candidates(names).items():
        assert len(set(who)) == len(who) == min(10, size - 1)
        assert name not in who


def test_a_mesh_grows_beyond_sixteen_without_a_raise() -> None:
    """From a full mesh to watchers, and back, while lists arrive one after the other."""
    world = World(nodes=18, seed=3)
    few = world.members[:15]
    for name in ("n16", "n17", "n18"):
        world.power_off(name)
    for member in few:
        world.configure(member.name, members=few)
    world.run(3.0)
    for name in ("n16", "n17", "n18"):
        world.power_on(name)
    for member in few:
        world.configure(member.name, members=world.members)
        world.run(0.2)
    world.run(5.0)
    assert world.raises == []
    world.power_off("n4")
    world.run(0.5)
    assert world.generations() == {2}
    for node in world.up():
        world.configure(node.name, members=few)
        world.run(0.1)
    world.run(3.0)
    assert [one for one in world.raises if "n4" not in one.members] == []


def test_lost_watchers_are_replaced() -> None:
    """A member whose watchers all died but one is watched again, and its death is noticed."""
    world = World(nodes=22, seed=5)
    world.run(2.0)
    watchers = candidates(world.nodes)["n7"][:WATCHERS]
    for name in watchers[:-1]:
        world.power_off(name)
        world.run(1.0)
    world.run(4.5)
    before = max(world.generations())
    died = world.now
    world.power_off("n7")
    world.run(0.5)
    assert world.generations() == {before + 1}
    assert all(one.at - died < 0.2 for one in world.raises if "n7" in one.members)


@SEEDS
def test_keys_are_changed_without_a_raise(seed: int) -> None:
    """First everybody accepts the new key, then it is sent, then the old one goes."""
    new = b"the new key, in a Secret since today"
    both = Keys(sending=KEY, accepted=(new, KEY))
    world = settled(seed=seed)
    for name in world.nodes:
        world.configure(name, keys=both)
        world.run(3.0)
    seen: set[bytes] = set()
    world.tap = lambda _source, _target, payload: seen.add(payload[6:10])
    world.run(3.0)
    assert seen == {key_id(new).to_bytes(4, "big")}
    for name in world.nodes:
        world.configure(name, keys=Keys(sending=new, accepted=(new,)))
        world.run(3.0)
    assert world.raises == []
    assert world.generations() == {1}


@SEEDS
def test_a_new_key_is_taken_back_without_a_raise(seed: int) -> None:
    """As `helm rollback` does: one node after the other refuses the key that all send under."""
    oldest, new = b"the key before the last rotation, gone", b"the new key, for an hour"
    world = settled(seed=seed)
    for name in world.nodes:
        world.configure(name, keys=Keys(sending=new, accepted=(new, KEY)))
    world.run(3.0)
    seen: set[bytes] = set()
    world.tap = lambda _source, _target, payload: seen.add(payload[6:10])
    world.run(0.5)
    assert seen == {key_id(new).to_bytes(4, "big")}
    for name in world.nodes:
        world.configure(name, keys=Keys(sending=KEY, accepted=(KEY, oldest)))
        world.run(3.0)
    assert world.raises == []
    assert world.generations() == {1}


@SEEDS
def test_another_pace_is_rolled_out_without_a_raise(seed: int) -> None:
    """A member that beats more slowly than we do says so, and is given the time."""
    world = settled(seed=seed)
    for pace in (200, 50, 20, 50):
        for name in world.nodes:
            settings = MeshSettings(
                node=world.nodes[name].name,
                cluster_uid="simulated",
                policy=MeshPolicy(interval_milliseconds=pace),
            )
            world.configure(name, settings=settings)
            world.run(1.0)
    assert world.raises == []


@pytest.mark.parametrize("seed", range(4))
def test_a_slower_pace_is_rolled_out_over_a_lossy_network_without_a_raise(seed: int) -> None:
    """One lost heartbeat must not hide that the next one comes much later."""
    world = settled(nodes=4, seed=seed, loss=0.03)
    for node in world.nodes.values():
        settings = MeshSettings(
            node=node.name,
            cluster_uid="simulated",
            policy=MeshPolicy(interval_milliseconds=500),
        )
        world.configure(node.name, settings=settings)
        world.run(1.0)
    assert world.raises == []


def test_recordings_bring_nobody_back() -> None:
    """What a dead member once said, said again by somebody else, changes nothing."""
    world = settled()
    victim, listener = world.nodes["n3"].address, world.nodes["n1"].address
    tape: list[tuple[Address, bytes]] = []
    world.tap = lambda source, target, payload: (
        tape.append((source, payload)) if target == listener else None
    )
    world.run(2.0)
    world.kill("n3")
    world.run(0.3)
    world.start("n3")
    world.run(2.0)
    world.power_off("n3")
    world.run(1.0)
    world.tap = None
    node = world.nodes["n1"]
    for source, payload in tape:
        if source == victim:
            node.mesh.receive_datagram(payload, source, world.now)
            world._pump(node)
    world.run(0.1)
    assert world.state("n3", by="n1") is MemberState.DEAD
    assert node.mesh.counters["replayed"] + node.mesh.counters["old_incarnation"] > 50
    world.kill("n1")
    world.run(0.2)
    world.start("n1")
    for source, payload in tape:
        world.nodes["n1"].mesh.receive_datagram(payload, source, world.now)
        world._pump(world.nodes["n1"])
    world.run(1.0)
    assert world.state("n3", by="n1") is MemberState.UNHEARD
    assert world.generations() == {2}


@SEEDS
def test_restarts_are_told_from_deaths_without_pings(seed: int) -> None:
    """Where echo requests are not allowed, the refusal is latched."""
    world = World(nodes=3, seed=seed)
    world.pings = False
    world.run(5.0)
    for _ in range(6):
        world.kill("n3")
        world.run(0.3 + world.random.random() * 3)
        world.start("n3")
        world.run(2.0)
    assert world.raises == []
    world.kill("n3")
    world.run(1.0)
    world.power_off("n3")
    world.run(8.0)
    assert world.generations() == {2}, "without pings it takes the refusal to grow old"


def test_a_whole_cluster_that_starts_at_once_agrees() -> None:
    """After a power cut of the whole room everybody learns the highest that a disk remembers."""
    world = settled()
    world.power_off("n3")
    world.run(1.0)
    for name in ("n1", "n2"):
        world.power_off(name)
    world.run(1.0)
    for name in world.nodes:
        world.power_on(name)
    world.run(3.0)
    assert world.generations() == {2}
    assert all(node.mesh.may_advertise(world.now) for node in world.up())
    assert len(world.raises) <= 2


def test_another_clusters_heartbeats_are_noise() -> None:
    """Two clusters with one key and one name space never hear each other."""
    world = settled()
    stranger = World(nodes=3, seed=9)
    for node in stranger.up():
        stranger.configure(
            node.name,
            settings=MeshSettings(
                node=node.name,
                cluster_uid="other",
                policy=MeshPolicy(interval_milliseconds=50),
            ),
        )
    heard: list[bytes] = []
    stranger.tap = lambda _source, _target, payload: heard.append(payload)
    stranger.run(1.0)
    mesh = world.nodes["n1"].mesh
    for payload in heard:
        mesh.receive_datagram(payload, Address("10.0.0.2"), world.now)
    assert mesh.counters["bad_mac"] == len(heard) > 0
    assert KEYS.accepted == (KEY,)


def test_a_drain_is_news_that_does_not_wait_for_a_heartbeat() -> None:
    """Everybody hears of it within a millisecond or two, and of its end: routes depend on it."""
    heard: list[tuple[str, bool, float]] = []

    def note(node: Node, event: MeshEvent, now: float) -> None:
        if isinstance(event, MemberChanged):
            heard.append((node.name, event.draining, now))

    world = settled()
    world.on_event = note
    for draining in (True, False):
        heard.clear()
        told = world.now
        world.drain("n3", draining=draining)
        world.run(0.5)
        assert {(name, said) for name, said, _ in heard} == {("n1", draining), ("n2", draining)}
        assert max(at for *_, at in heard) - told < 0.01
    assert world.raises == []
