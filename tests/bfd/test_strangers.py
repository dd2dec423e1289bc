"""Packets that nobody should believe, sent to a session with a real router: counted, explained."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bfd.node import peer
from tests.bfd.rig import HERE, NODE, ROUTER, Bfd, Node, wait
from tests.bfd.stories import FAST, PATIENT, STORIES

pytestmark = pytest.mark.integration

STRANGER = "10.9.0.99"
AGREED = 50.0 * PATIENT
"""Milliseconds after which a patient session would be given up."""
_BY_NAME = {story.name: story for story in STORIES}


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> Iterator[Bfd]:
    with Bfd(tmp_path, prompt=True) as lab:
        lab.router_space.run("ip", "addr", "add", f"{STRANGER}/24", "dev", "downlink")
        yield lab


def _flood(lab: Bfd, source: str, ttl: int, count: int) -> None:
    words = (source, NODE, str(ttl), str(count), "1")
    subprocess.run(
        lab.router_space.wrap(sys.executable, "-m", "tests.bfd.flood", *words), env=HERE, check=True
    )


def _refused(node: Node) -> int:
    counters: dict[str, int] = node.status()["counters"]
    accepted = {"sent", "received", "late_microseconds"}
    return sum(count for name, count in counters.items() if name not in accepted)


@pytest.mark.parametrize(
    ("source", "ttl"),
    [
        pytest.param(STRANGER, 255, id="a stranger on the link"),
        pytest.param(STRANGER, 64, id="a stranger far away"),
        pytest.param(ROUTER, 255, id="somebody with the router's address"),
        pytest.param(ROUTER, 64, id="somebody far away with the router's address"),
    ],
)
@pytest.mark.parametrize("name", ["bird", "bird-sha1"])
def test_nothing_stops_and_all_is_counted(lab: Bfd, name: str, source: str, ttl: int) -> None:
    """The session stays up, new ones come up, and each refused packet has its counter."""
    story = _BY_NAME[name].patient()
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    _flood(lab, source, ttl, 1000)
    # What comes from near is all read; of what comes from far, as much as its queue has room for.
    most = 1000 if ttl == 255 else 50
    wait(lambda: _refused(node) >= most, "the refused packets are counted")
    assert node.session()["state"] == "Up"
    assert node.session()["transitions"] == 1
    assert node.held == []
    wait(lambda: node.session()["detection_milliseconds"] == AGREED, "the session goes on")
    counted = set(node.session()["counters"])
    if source == STRANGER:
        assert counted == set()
    elif ttl == 64:
        assert counted == {"ttl"}
    else:
        assert {"too_short", "version", "detect_mult_zero", "unknown_session"} <= counted


def test_a_flood_from_far_away_delays_nobody(lab: Bfd) -> None:
    """It neither wakes us nor takes the places of our router's packets in the queue."""
    story = _BY_NAME["bird"].patient()
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    wait(lambda: node.session()["detection_milliseconds"] == AGREED, "the intervals")
    before = node.status()
    _flood(lab, STRANGER, 64, 30_000)
    after = node.status()
    assert after["sessions"][ROUTER]["transitions"] == 1
    # Each of our own wake-ups reads a few of them: far from all of 30,000 are ever looked at.
    read = after["counters"]["received"] - before["counters"]["received"]
    assert read < 15_000


def test_a_router_that_is_refused_is_explained(lab: Bfd) -> None:
    """The sentence is there as long as nothing better has come from the peer."""
    node = lab.node(peer(ROUTER, NODE, **FAST))
    wait(lambda: node.status()["counters"].get("sent"), "the node listens")
    _flood(lab, ROUTER, 64, 50)
    wait(lambda: "its TTL is 64" in node.session()["last_error"], "the sentence")
    assert node.session()["counters"]["ttl"] > 0
    _BY_NAME["bird"].start(lab)
    assert node.until("Up")["last_error"] == ""
