"""What the agent says of its node as a whole: doubt is a rank, here and in the mesh."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bgpd.ipc.message import Delta, Standing
from bgpd.model.peer import Lever
from bgpd.model.route import RANK_DOUBT
from bgpd.speaker import state as module
from bgpd.speaker.state import State
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med

ILL = Standing(doubt=("kubelet has not answered for 10 s",))


def test_doubt_ranks_every_route_at_once_and_its_end_restores_them(world: World) -> None:
    """Nothing is withdrawn, and the log has a sentence for each change."""
    node = world.nodes["n1"]
    world.tell("n1", ILL)
    assert node.meds() == {med(1, RANK_DOUBT)}
    assert len(node.prefixes()) == 2
    world.tell("n1", Standing())
    assert node.meds() == {med(1)}
    assert [note.event for note in node.notes if note.event.startswith("doubt")] == [
        "doubt_began",
        "doubt_ended",
    ]


def test_others_hear_of_the_doubt(world: World) -> None:
    """A standby whose lever has no ranks steps in only if it knows."""
    world.tell("n1", ILL)
    world.run(0.2)
    (seen,) = [
        one
        for one in world.nodes["n2"].reflex.situation.mesh_status(world.now).members
        if one.name == "n1"
    ]
    assert seen.doubtful


def test_a_whole_state_says_how_the_node_is(world: World) -> None:
    """An agent that connects anew need not say it twice, and need not have been well before."""
    doubtful = msgspec.structs.replace(world.desired("n1"), standing=ILL)
    world.tell("n1", doubtful)
    assert world.nodes["n1"].meds() == {med(1, RANK_DOUBT)}
    world.tell("n1", msgspec.structs.replace(doubtful, sequence=2, standing=Standing()))
    assert world.nodes["n1"].meds() == {med(1)}


def test_where_there_are_no_ranks_doubt_withdraws_unless_half_are_in_doubt() -> None:
    """If all are bad, traffic flows."""
    world = World()
    unranked = replace(PEER, lever=Lever.ORIGIN)
    for name in world.nodes:
        world.tell(name, world.desired(name, peers=(unranked,)))
    world.run_until(lambda: all(node.prefixes() for node in world.nodes.values()))
    world.tell("n1", ILL)
    assert world.nodes["n1"].prefixes() == set()
    world.run(0.2)
    world.tell("n2", ILL)
    assert len(world.nodes["n2"].prefixes()) == 2, "half of three would be gone"
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 2, within=2.0)


@pytest.mark.parametrize("lever", [Lever.NONE, Lever.AS_PATH, Lever.ORIGIN])
def test_where_there_are_no_ranks_doubt_keeps_what_nobody_better_carries(lever: Lever) -> None:
    """A route that no well node carries is the only way to its Service, doubtful as it is."""
    world = World()
    unranked = (replace(PEER, lever=lever),)
    shared = replace(advertisement(1), carriers=("n1", "n2"))
    ours = replace(advertisement(2), carriers=("n1",))
    world.tell("n1", world.desired("n1", shared, ours, peers=unranked))
    world.tell("n2", world.desired("n2", shared, peers=unranked))
    world.tell("n3", world.desired("n3", advertisement(3), peers=unranked))
    world.run_until(lambda: all(node.prefixes() for node in world.nodes.values()))
    world.tell("n1", ILL)
    assert world.nodes["n1"].prefixes() == {ours.prefix}
    world.tell("n1", Delta(sequence=2, advertise=(replace(ours, carriers=("n1", "n3")),)))
    assert world.nodes["n1"].prefixes() == set(), "another node has it now"
    world.dead.add("n2")
    world.run_until(lambda: world.nodes["n1"].prefixes() == {shared.prefix, ours.prefix})


def test_a_speaker_that_starts_again_is_still_in_doubt(world: World, tmp_path: Path) -> None:
    """The agent may be away just then."""
    saved = msgspec.structs.replace(world.desired("n1"), standing=ILL)
    State(tmp_path).save_desired(saved)
    again = State(tmp_path).load_desired()
    assert again is not None
    node = Node("n1", world.now, world.nodes["n1"].exabgp, saved=again)
    world.nodes["n1"] = node
    node.settle(world.now)
    world.run_until(lambda: node.meds() == {med(1, RANK_DOUBT)}, within=5.0)


@pytest.mark.parametrize(
    "boot",
    [pytest.param("another", id="the agent named it"), pytest.param("", id="the disk did")],
)
def test_what_was_so_before_a_boot_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    """Routes and standing are of the boot that they were said in; peers and members are not."""
    saved = msgspec.structs.replace(World(1).desired("n1"), standing=ILL, boot=boot)
    if not boot:
        (tmp_path / "boot").write_text("another\n")
        with monkeypatch.context() as patch:
            patch.setattr(module, "BOOT_ID", tmp_path / "boot")
            State(tmp_path).save_desired(saved)
    else:
        State(tmp_path).save_desired(saved)
    again = State(tmp_path).load_desired()
    assert again is not None
    assert again.peers == saved.peers
    assert (again.advertisements, again.standing) == ((), Standing(partial=True))


def test_a_delta_after_a_standing_follows_the_state_before(world: World) -> None:
    """How the node is has no place in the row of deltas."""
    world.tell("n1", ILL)
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),)))
    assert len(world.nodes["n1"].prefixes()) == 3
    assert world.nodes["n1"].meds() == {med(1, RANK_DOUBT)}
