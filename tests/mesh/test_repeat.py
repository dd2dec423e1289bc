"""Repeat: what is not read again changes nothing that anybody could see."""

import hashlib
from collections.abc import Callable

import pytest

from bgpd.mesh import ear, sender
from bgpd.mesh.compose import compose
from bgpd.mesh.ear import Ear
from bgpd.mesh.packet import Heartbeat
from bgpd.mesh.track import Track
from tests.mesh.world import World


def calm(world: World) -> None:
    """Let nothing happen."""
    world.run(8.0)


def death_and_return(world: World) -> None:
    """Cut the power of one member, and give it back."""
    world.run(5.0)
    world.power_off("n2")
    world.run(3.0)
    world.power_on("n2")
    world.run(5.0)


def pause_and_restart(world: World) -> None:
    """Let one member sleep for a moment and another one's process be replaced."""
    world.run(5.0)
    world.pause("n1")
    world.run(0.09)
    world.wake("n1")
    world.run(1.0)
    world.kill("n2")
    world.run(2.0)
    world.start("n2")
    world.run(4.0)
    world.pause("n1")
    world.run(0.5)
    world.wake("n1")
    world.run(4.0)


def one_way(world: World) -> None:
    """Let nobody hear one member, and a person reset the generation."""
    world.run(5.0)
    world.mute.add(world.nodes["n1"].address)
    world.run(2.0)
    world.heal()
    world.run(3.0)
    world.nodes["n2"].mesh.reset_generation(5, world.now)
    world.run(3.0)


def told(story: Callable[[World], None], *, nodes: int, loss: float) -> tuple[str, object, object]:
    """Return a hash of every datagram of *story*, and what everybody believes at its end."""
    world = World(nodes=nodes, seed=7, loss=loss)
    said = hashlib.blake2b()
    world.tap = lambda source, target, payload: said.update(
        f"{world.now} {source} {target}".encode() + payload
    )
    story(world)
    states = [
        [(member.name, member.state, member.misses_allowed) for member in status.members]
        for status in (node.mesh.status(world.now) for node in world.nodes.values())
    ]
    return said.hexdigest(), world.changes, states


@pytest.mark.parametrize("nodes", [2, 3, 5, 18])
@pytest.mark.parametrize("loss", [0.0, 0.02], ids=["clean", "lossy"])
@pytest.mark.parametrize("story", [calm, death_and_return, pause_and_restart, one_way])
def test_reading_everything_again_says_the_same(
    story: Callable[[World], None], nodes: int, loss: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one bit of a heartbeat, nor its time, depends on whether repeats are recognized."""
    quick = told(story, nodes=nodes, loss=loss)

    def never(_: Heartbeat) -> bool:
        return False

    monkeypatch.setattr(ear, "is_repeatable", never)
    assert told(story, nodes=nodes, loss=loss) == quick


@pytest.mark.parametrize("loss", [0.0, 0.02], ids=["clean", "lossy"])
@pytest.mark.parametrize("story", [calm, death_and_return, pause_and_restart, one_way])
@pytest.mark.parametrize(
    ("where", "name"),
    [(sender, "draft"), (Track, "is_well")],
    ids=["composing everything anew", "stepping every member through the table"],
)
def test_the_long_way_says_the_same(
    where: object, name: str, story: Callable[[World], None], loss: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Not one bit of a heartbeat, nor its time, depends on what a calm mesh is spared."""
    quick = told(story, nodes=3, loss=loss)

    def never(*_: object) -> None:
        """Spare nothing."""

    monkeypatch.setattr(where, name, never)
    assert told(story, nodes=3, loss=loss) == quick


def test_most_heartbeats_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a mesh that is well no heartbeat is composed."""
    composed = []

    def counting(*words: object) -> Heartbeat:
        composed.append(words)
        return compose(*words)  # type: ignore[arg-type]

    world = World(nodes=3)
    world.run(5.0)
    monkeypatch.setattr(sender, "compose", counting)
    world.run(10.0)
    assert composed == []
    world.power_off("n2")
    world.run(1.0)
    assert composed != []


def test_most_heartbeats_are_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a mesh that is well hardly any heartbeat is read."""
    taken = []
    whole = Ear._take

    def counting(self: Ear, *words: object) -> None:
        taken.append(words)
        whole(self, *words)  # type: ignore[arg-type]

    world = World(nodes=3)
    world.run(5.0)
    monkeypatch.setattr(Ear, "_take", counting)
    world.run(10.0)
    assert taken == []
