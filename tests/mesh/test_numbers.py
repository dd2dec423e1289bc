"""What a person is told of a pair: how far away it is, how late it beats, how often it was doubted.

Nothing is decided by these numbers.
"""

from bgpd.model.status import MemberStatus
from tests.mesh.world import World, settled


def _seen(world: World, of: str, by: str) -> MemberStatus:
    members = world.nodes[by].mesh.status(world.now).members
    return next(one for one in members if one.name == of)


def test_the_round_trip_is_that_of_the_network() -> None:
    """An echo takes 0.2 to 0.8 ms here, there and back; that is what is shown."""
    world = settled()
    world.run(40.0)  # echoes leave each 30 s
    found = _seen(world, "n2", by="n1").round_trip_milliseconds
    assert found is not None
    assert 0.2 <= found <= 1.0


def test_without_pings_heartbeats_tell_the_round_trip() -> None:
    """Where no echo is answered heartbeats tell, at most a millisecond too much."""
    world = World(nodes=3)
    world.pings = False
    world.run(5.0)
    found = _seen(world, "n2", by="n1").round_trip_milliseconds
    assert found is not None
    assert 0.2 <= found <= 2.0


def test_a_clean_pair_has_no_late_heartbeat_and_no_suspicion() -> None:
    """In a mesh that is well both counts stay at nothing."""
    world = settled()
    world.run(60.0)
    found = _seen(world, "n2", by="n1")
    assert (found.late_heartbeats, found.suspicions) == (0, 0)


def test_a_pair_that_loses_packets_has_late_heartbeats() -> None:
    """Each lost heartbeat makes the next one late."""
    world = World(nodes=3, loss=0.05)
    world.run(60.0)
    assert _seen(world, "n2", by="n1").late_heartbeats > 10


def test_a_member_that_died_was_suspected_once_by_each() -> None:
    """The count says it after the state has gone on to Dead, and after the member is back."""
    world = settled()
    world.power_off("n3")
    world.run(5.0)
    assert _seen(world, "n3", by="n1").suspicions == 1
    world.power_on("n3")
    world.run(5.0)
    assert _seen(world, "n3", by="n1").suspicions == 1
