"""What an agent says beyond single addresses, and what changes of a peer cost no session."""

from dataclasses import replace

import msgspec

from bgpd.exabgp.command import Reload
from bgpd.ipc.message import Desired, decode, encode
from bgpd.model.peer import Takeover
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import POOL
from tests.speaker.world import World

BLOCK = Prefix("203.0.113.0/26")


def running(*, aggregates: dict[Prefix, int]) -> World:
    """Return a node that is alone, whose agent wants a block advertised."""
    world = World(count=1)
    wish = Advertisement(peer=PEER.name, prefix=BLOCK)
    world.tell("n1", msgspec.structs.replace(world.desired("n1", wish), aggregates=aggregates))
    world.run(1.0)
    return world


def test_a_block_passes_where_the_agent_may_ask_for_it() -> None:
    """Inside a pool, and as short as said."""
    assert running(aggregates={POOL: 26}).nodes["n1"].prefixes() == {BLOCK}


def test_an_agent_that_says_nothing_of_blocks_gets_none() -> None:
    """As that of the version before: it is told why."""
    world = running(aggregates={})
    node = world.nodes["n1"]
    assert not node.prefixes()
    (withheld,) = node.reflex.offer.rib.withheld
    assert (withheld.prefix, withheld.reason) == (BLOCK, Reason.PREFIX_TOO_SHORT)


def test_an_allowance_outside_the_pools_is_refused_whole() -> None:
    """The state before it stays."""
    world = running(aggregates={POOL: 26})
    world.tell("n1", msgspec.structs.replace(
        world.desired("n1"), aggregates={Prefix("198.51.100.0/24"): 24}
    ))  # fmt: skip
    world.run(0.5)
    assert world.nodes["n1"].prefixes() == {BLOCK}


def test_what_is_new_is_absent_where_it_says_nothing() -> None:
    """So that the version before reads what we write, and we what it wrote."""
    world = World(count=1)
    line = encode(world.desired("n1"))
    assert b"aggregates" not in line
    found = decode(line)
    assert isinstance(found, Desired)
    assert not found.aggregates
    old = b'{"peer":"tor","prefix":"203.0.113.1/32"}'
    assert msgspec.json.decode(old, type=Advertisement) == Advertisement(
        peer=PEER.name, prefix=Prefix("203.0.113.1/32")
    )


def test_a_change_that_is_no_sessions_business_restarts_none() -> None:
    """Another limit, another way to take over: ExaBGP does not read its configuration again."""
    world = running(aggregates={POOL: 26})
    node = world.nodes["n1"]
    before = [one for one in node.exabgp.commands if isinstance(one, Reload)]
    changed = replace(PEER, max_prefixes=1, takeover=Takeover.NEVER, damping=True)
    world.tell("n1", world.desired("n1", peers=(changed,)))
    world.run(1.0)
    assert [one for one in node.exabgp.commands if isinstance(one, Reload)] == before
    assert (len(node.prefixes()), node.meds()) == (1, {None})
