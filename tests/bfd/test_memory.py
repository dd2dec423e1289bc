"""What a reflex that died leaves for the next one, on disk."""

import os
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest

from bgpd.bfd.memory import Memory
from bgpd.model.prefix import Address
from bgpd.speaker.state import State

ROUTER = Address("10.9.0.2")
MEMORY = Memory(
    my_discr=1,
    your_discr=2**32 - 1,
    remote_detect_mult=3,
    remote_desired_min_tx=50_000,
    remote_min_rx=0,
)


def test_it_is_found_by_the_next_reflex_of_the_same_exabgp(tmp_path: Path) -> None:
    """As it was written; a second writing replaces the first."""
    State(tmp_path).save_bfd({ROUTER: MEMORY}, os.getppid())
    assert State(tmp_path).load_bfd() == {ROUTER: MEMORY}
    State(tmp_path).save_bfd({}, os.getppid())
    assert State(tmp_path).load_bfd() == {}


def test_another_exabgp_begins_anew(tmp_path: Path) -> None:
    """Its BGP sessions are other ones, and routers have noticed."""
    State(tmp_path).save_bfd({ROUTER: MEMORY}, os.getppid() + 1)
    assert State(tmp_path).load_bfd() == {}


def test_nothing_is_found_where_nothing_was_written(tmp_path: Path) -> None:
    """And that is no problem."""
    state = State(tmp_path)
    assert state.load_bfd() == {}
    assert state.problems == []


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"my_discr": 0}, id="a discriminator that means nobody"),
        pytest.param({"your_discr": 2**32}, id="a discriminator of 33 bits"),
        pytest.param({"remote_detect_mult": 0}, id="no patience at all"),
        pytest.param({"remote_min_rx": -1}, id="a negative interval"),
        pytest.param({"remote_desired_min_tx": "soon"}, id="no number"),
    ],
)
def test_a_file_that_makes_no_sense_is_ignored(tmp_path: Path, spoiled: dict[str, object]) -> None:
    """With a sentence for the log: BFD starts anew, as after a boot."""
    State(tmp_path).save_bfd({ROUTER: MEMORY}, os.getppid())
    path = tmp_path / "bfd.json"
    kept = msgspec.json.decode(path.read_bytes())
    kept["sessions"][ROUTER] = {**asdict(MEMORY), **spoiled}
    path.write_bytes(msgspec.json.encode(kept))
    state = State(tmp_path)
    assert state.load_bfd() == {}
    assert len(state.problems) == 1
    assert "bfd.json" in state.problems[0]
