"""A trial: it is beside everything else, inside the fence, and ends by itself."""

from dataclasses import replace

import msgspec
import pytest

from bgpd.ipc.message import Delta
from bgpd.model.errors import ConfigError
from bgpd.model.peer import Lever
from bgpd.model.prefix import Prefix
from bgpd.model.route import Attributes, Origin
from bgpd.speaker import status
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.trial import Trial, parsed
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World

SPARE = Prefix("203.0.113.77/32")
TRIAL = Trial(owner="t", prefix=SPARE, lever=Lever.MED)


@pytest.fixture(name="world")
def running_world() -> World:
    """Return one node that advertises two prefixes."""
    world = World(1)
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 2)
    return world


def spare(node: Node) -> Attributes | None:
    """Return what the router hears of the spare prefix."""
    return node.exabgp.routes.get(PEER.address, {}).get(SPARE)


def ask(world: World, trial: Trial = TRIAL) -> None:
    """Ask for *trial*."""
    node = world.nodes["n1"]
    node.reflex.trials.ask(trial, world.now)
    node.settle(world.now)


def test_a_trial_ends_when_nobody_prolongs_it(world: World) -> None:
    """The other routes are untouched from the beginning to the end."""
    node = world.nodes["n1"]
    before = dict(node.exabgp.routes[PEER.address])
    ask(world)
    assert node.exabgp.routes[PEER.address].keys() == {*before, SPARE}
    for _ in range(4):
        world.run(2.0)
        assert spare(node) is not None
        ask(world)
    world.run(TRIAL.seconds + 0.1)
    assert node.exabgp.routes[PEER.address] == before
    assert [n.event for n in node.notes if "trial" in n.event] == ["trial_began", "trial_ended"]


def test_whoever_began_a_trial_ends_it(world: World) -> None:
    """Nobody else can end or change it while it lasts."""
    node = world.nodes["n1"]
    ask(world)
    with pytest.raises(ConfigError, match="another probe"):
        ask(world, replace(TRIAL, owner="u"))
    node.reflex.trials.end("u", world.now)
    node.settle(world.now)
    assert spare(node) is not None
    node.reflex.trials.end("t", world.now)
    node.settle(world.now)
    assert spare(node) is None


@pytest.mark.parametrize(
    ("lever", "attribute", "worse", "better"),
    [
        (Lever.MED, "med", 2**31 - 256, 2**31 - 512),
        (Lever.AS_PATH, "as_path_prepend", 1, 0),
        (Lever.ORIGIN, "origin", Origin.EGP, Origin.IGP),
    ],
)
def test_a_trial_says_what_a_takeover_would_say(
    world: World, lever: Lever, attribute: str, worse: object, better: object
) -> None:
    """The attributes come from the lever itself."""
    for best in (False, True):
        ask(world, replace(TRIAL, lever=lever, better=best))
        said = spare(world.nodes["n1"])
        assert getattr(said, attribute) == (better if best else worse)


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        pytest.param("198.51.100.1/32", "in no IPAddressPool", id="outside the pools"),
        pytest.param("203.0.113.1/32", "belongs to a Service", id="in use"),
        pytest.param("2001:db8::1/128", "in no IPAddressPool", id="another family"),
    ],
)
def test_the_last_gate_stays(world: World, prefix: str, sentence: str) -> None:
    """A trial is for a spare address of ours, and for nothing else."""
    with pytest.raises(ConfigError, match=sentence):
        ask(world, replace(TRIAL, prefix=Prefix(prefix)))
    assert len(world.nodes["n1"].prefixes()) == 2


def test_a_service_that_gets_the_address_has_it(world: World) -> None:
    """Its own route replaces the trial's at once, and stays when that ends."""
    node = world.nodes["n1"]
    ask(world)
    wish = replace(advertisement(1), prefix=SPARE, communities=("65000:7",))
    world.tell("n1", Delta(sequence=2, advertise=(wish,)))
    said = spare(node)
    assert said is not None
    assert said.communities == ("65000:7",)
    world.run(TRIAL.seconds + 0.1)
    assert spare(node) == said


def test_a_full_peer_has_no_room_for_a_trial(world: World) -> None:
    """What a router takes at most is for Services; a trial gives way to them."""
    limited = replace(PEER, max_prefixes=3)
    world.tell("n1", world.desired("n1", peers=(limited,)))
    world.run(0.2)
    ask(world)
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),)))
    assert SPARE not in world.nodes["n1"].prefixes()
    assert len(world.nodes["n1"].prefixes()) == 3
    with pytest.raises(ConfigError, match="no room"):
        ask(world)


def test_a_trial_survives_whole_states_and_not_a_drain(world: World) -> None:
    """The agent may say everything again; a drained node probes nothing."""
    node = world.nodes["n1"]
    ask(world)
    world.tell("n1", world.desired("n1"))
    assert spare(node) is not None
    node.reflex.offer.ask(world.now)
    node.settle(world.now)
    assert spare(node) is not None, "ExaBGP's own word on what it has takes nothing back"
    assert node.reflex.draining.ask(DrainRequest(forced=True), world.now) is None
    node.settle(world.now)
    with pytest.raises(ConfigError, match="drained"):
        ask(world)


def test_a_trial_ends_with_the_pool_of_its_address(world: World) -> None:
    """The last gate stays: a pool that is taken away takes its spare address along at once."""
    node = world.nodes["n1"]
    ask(world)
    smaller = msgspec.structs.replace(world.desired("n1"), pools=(Prefix("203.0.113.0/26"),))
    world.tell("n1", smaller)
    assert spare(node) is None
    assert len(node.prefixes()) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "owner"),
        ({"owner": "t"}, "address"),
        ({"owner": "t", "address": "203.0.113.0/24"}, "not an IPv4 or IPv6 address"),
        ({"owner": "t", "address": "203.0.113.7", "seconds": "3600"}, "at most 10"),
        ({"owner": "t", "address": "203.0.113.7", "seconds": "nan"}, "at most 10"),
        ({"owner": "t", "address": "203.0.113.7", "lever": "luck"}, "luck"),
        ({"owner": "t", "address": "203.0.113.7", "communities": "1"}, "communities"),
    ],
)
def test_a_question_that_means_no_trial_is_refused(
    arguments: dict[str, str], sentence: str
) -> None:
    """In a sentence that names what is wrong."""
    with pytest.raises(ConfigError, match=sentence):
        parsed(arguments)


def test_what_a_probe_found_is_shown(world: World) -> None:
    """The configured lever that moves nothing is a condition, with the one that does."""
    node = world.nodes["n1"]
    node.reflex.note_probed('{"tor": {"med": false, "asPath": true}}', world.now)
    seen = status.observe(
        node.reflex, now=world.now, version="0", started=0.0, exabgp_pid=None, counters={}
    )
    assert seen.sessions[0].lever_probed == {"med": False, "asPath": True}
    (condition,) = (one for one in seen.conditions if one.type == "LeverDoesNotMove")
    assert "asPath does" in condition.message
    with pytest.raises(ConfigError, match="no peer nobody"):
        node.reflex.note_probed('{"nobody": {}}', world.now)
    with pytest.raises(ConfigError, match="levers"):
        node.reflex.note_probed("[]", world.now)
