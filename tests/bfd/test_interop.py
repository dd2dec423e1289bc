"""BFD with the BFD of real routers: BIRD's, and FRR's bfdd."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.model.peer import BFD, Peer
from tests.bfd.node import peer
from tests.bfd.rig import FAR, NODE, ROUTER, Bfd, wait
from tests.bfd.stories import FAST, PATIENT, SECRET, STORIES, Story

pytestmark = pytest.mark.integration

BY_NAME = {story.name: story for story in STORIES}
BOTH = pytest.mark.parametrize("name", ["bird", "frr"])


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> Iterator[Bfd]:
    with Bfd(tmp_path, prompt=True) as lab:
        yield lab


def _with(wanted: Peer, **bfd: Any) -> Peer:
    assert isinstance(wanted.bfd, BFD)
    return replace(wanted, bfd=replace(wanted.bfd, **bfd))


def _router_is_up(lab: Bfd, story: Story) -> bool:
    if story.router == "bird":
        return " Up " in lab.birdc("show", "bfd", "sessions")
    return any(one["status"] == "up" for one in lab.frr_peers())


def _up_since(lab: Bfd, story: Story) -> object:
    """Return something that changes when the router's session went down and up again."""
    if story.router == "bird":
        line = next(one for one in lab.birdc("show", "bfd", "sessions").splitlines() if "Up" in one)
        return line.split()[3]
    assert _router_is_up(lab, story)
    counters = lab.vtysh("show bfd peers counters json")
    return counters.count('"session-down":0')


def _bears(lab: Bfd, story: Story) -> float:
    """Return for how many seconds the router bears our silence."""
    if story.router == "bird":
        lines = [line.split() for line in lab.birdc("show", "bfd", "sessions").splitlines()]
        return next((float(words[-1]) for words in lines if "Up" in words), 0.0)
    (one,) = lab.frr_peers()
    return float(one["remote-detect-multiplier"] * one["remote-transmit-interval"]) / 1000


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_it_comes_up_agrees_and_notices_silence(lab: Bfd, story: Story) -> None:
    """Both ends know the intervals; a cut is a failure at both; afterwards all is well again."""
    story.start(lab)
    node = lab.node(story.wanted)
    address = story.wanted.address
    status = node.until("Up", address)
    wait(lambda: _router_is_up(lab, story), "up at the router")
    assert status["last_error"] == ""

    def agreed() -> bool:
        """All at once: a router that the machine leaves alone for 150 ms begins again."""
        seen = node.session(address)
        both = seen["detection_milliseconds"], seen["remote_detection_milliseconds"]
        return seen["state"] == "Up" and both == (150.0, 150.0) and node.held == []

    wait(agreed, "the intervals, and nobody is held back")
    lab.silence()
    wait(lambda: node.held == [address], "the session is held back")
    # By the detection time, or an interval longer where this machine came late itself.
    assert node.session(address)["last_error"].startswith(f"{address} was silent for ")
    wait(lambda: not _router_is_up(lab, story), "down at the router")
    lab.restore()
    node.until("Up", address)
    wait(lambda: _router_is_up(lab, story), "up at the router again")
    wait(lambda: node.held == [], "the session is released")
    assert node.status()["conditions"] == []


@BOTH
def test_the_faster_of_two_sessions_notices_first(lab: Bfd, name: str) -> None:
    """Three intervals of 50 ms end before three of 500 ms do, on one cut link."""
    story = BY_NAME[name]
    lab.router_space.run("ip", "addr", "add", "10.9.0.12/24", "dev", "downlink")
    lab.node_space.run("ip", "addr", "add", "10.9.0.11/24", "dev", "uplink")
    second = peer("10.9.0.12", "10.9.0.11", receive_milliseconds=500, transmit_milliseconds=500)
    if name == "bird":
        both = f'{story.neighbor} neighbor 10.9.0.11 dev "downlink" local 10.9.0.12;'
        replace(story, neighbor=both).start(lab)
    else:
        other = " peer 10.9.0.11 local-address 10.9.0.12 interface downlink\n exit"
        replace(story, options=f"{story.options}\n{other}").start(lab)
    node = lab.node(story.wanted, second)
    node.until("Up")
    node.until("Up", second.address)
    wait(lambda: node.session(ROUTER)["detection_milliseconds"] == 150.0, "the fast intervals")
    wait(lambda: node.session(second.address)["detection_milliseconds"] == 1500.0, "the slow ones")
    before = len(node.events("bfd_down"))
    lab.silence()
    wait(lambda: len(node.events("bfd_down")) == before + 2, "both are down")
    downs = [one["peer"] for one in node.events("bfd_down")[before:]]
    assert downs == ["peer-10.9.0.2", "peer-10.9.0.12"]


@BOTH
def test_leaving_is_no_failure_to_the_router(lab: Bfd, name: str) -> None:
    """It hears AdminDown, before it could have missed us."""
    story = BY_NAME[name]
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    wait(lambda: _router_is_up(lab, story), "up at the router")
    node.tell(goodbye=True)
    wait(lambda: not _router_is_up(lab, story), "down at the router")
    if name == "bird":
        assert "CTL received from 10.9.0.1 [AdminDown]" in (lab.directory / "bird.log").read_text()
    else:
        (seen,) = lab.frr_peers()
        assert seen["remote-diagnostic"] == "administratively down"
        assert seen["diagnostic"] == "neighbor signaled session down"


def test_a_person_who_shuts_bfd_down_at_the_router_holds_nothing_back(lab: Bfd) -> None:
    """FRR's `shutdown` sends AdminDown (RFC 5882, section 3.2); BIRD has no such command."""
    story = BY_NAME["frr"].patient()
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    session = f"peer {NODE} local-address {ROUTER} interface downlink"
    lab.vtysh("configure terminal", "bfd", session, "shutdown")
    node.until("Down")
    assert "a person shut BFD down there" in node.session()["last_error"]
    assert not any(one.get("hold") for one in node.read())
    lab.vtysh("configure terminal", "bfd", session, "no shutdown")
    node.until("Up")


@BOTH
def test_we_change_the_intervals_of_a_session_that_is_up(lab: Bfd, name: str) -> None:
    """Slower, then faster, by Poll Sequences: both ends follow, and nobody goes down."""
    story = BY_NAME[name].patient()
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    wait(lambda: node.session()["detection_milliseconds"] == 50.0 * PATIENT, "the intervals")
    for interval in (400, 20):
        node.want(
            _with(story.wanted, receive_milliseconds=interval, transmit_milliseconds=interval)
        )
        agreed = float(PATIENT * max(interval, 50))
        wait(
            lambda agreed=agreed: node.session()["detection_milliseconds"] == agreed,  # type: ignore[misc]
            "the new detection time",
        )
        time.sleep(0.5)
    assert node.session()["transitions"] == 1
    assert _router_is_up(lab, story)
    if name == "frr":
        (seen,) = lab.frr_peers()
        assert (seen["remote-receive-interval"], seen["remote-transmit-interval"]) == (20, 20)


def test_the_router_changes_the_intervals_of_a_session_that_is_up(lab: Bfd) -> None:
    """FRR polls; we answer and follow."""
    story = BY_NAME["frr"].patient()
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    wait(lambda: node.session()["detection_milliseconds"] == 50.0 * PATIENT, "the intervals")
    for interval in (300, 60):
        lab.vtysh(
            *("configure terminal", "bfd", "profile fast"),
            *(f"transmit-interval {interval}", f"receive-interval {interval}"),
        )
        agreed = float(PATIENT * interval)
        wait(
            lambda agreed=agreed: node.session()["detection_milliseconds"] == agreed,  # type: ignore[misc]
            "the router's intervals",
        )
    assert node.session()["transmit_milliseconds"] == 60.0
    assert node.session()["transitions"] == 1
    assert _router_is_up(lab, story)


def test_passwords_that_differ_are_explained(lab: Bfd) -> None:
    """Down at both ends, and a sentence that says what to compare."""
    story = BY_NAME["bird-sha1"]
    story.start(lab)
    node = lab.node(_with(story.wanted, password="another"))  # noqa: S106
    wait(lambda: "the passwords differ" in node.session()["last_error"], "the sentence")
    node.want(_with(story.wanted, password=SECRET))
    assert node.until("Up")["last_error"] == ""
    node.want(_with(story.wanted, password=None))
    wait(lambda: "no password is configured" in node.session()["last_error"], "the sentence")


def test_a_router_too_far_away_is_explained(lab: Bfd) -> None:
    """BIRD's packets over several hops leave with TTL 64."""
    story = BY_NAME["bird-multihop"]
    story.start(lab)
    node = lab.node(_with(story.wanted, minimum_ttl=254))
    wait(
        lambda: "its TTL is 64, and at least 254" in node.session(FAR)["last_error"], "the sentence"
    )
    node.want(story.wanted)
    node.until("Up", FAR)


@BOTH
def test_a_way_that_works_half_is_none(lab: Bfd, name: str) -> None:
    """The router hears nothing any more and says so: down here, though we hear it well."""
    story = BY_NAME[name].patient(20)
    story.start(lab)
    node = lab.node(story.wanted)
    node.until("Up")
    lab.silence(both_ways=False)
    wait(lambda: node.held == [ROUTER], "the session is held back")
    assert "it heard nothing of us for its detection time" in node.session()["last_error"]


@BOTH
def test_a_process_that_restarts_quickly_goes_on(lab: Bfd, name: str) -> None:
    """Killed and started again within the detection time, it is not missed."""
    story = BY_NAME[name]
    slow = {"receive_milliseconds": 1000, "transmit_milliseconds": 1000, "multiplier": 10}
    story.start(lab)
    node = lab.node(_with(story.wanted, **slow))
    node.until("Up")
    wait(lambda: node.session()["remote_detection_milliseconds"] == 10_000.0, "the intervals")
    wait(lambda: node.memories, "what is kept")
    wait(lambda: _bears(lab, story) == 10.0, "the router has taken over the slow intervals, too")
    since = _up_since(lab, story)
    memories = node.memories
    node.close()
    lab.nodes.remove(node)
    again = lab.node(_with(story.wanted, **slow), memories=memories)
    assert again.until("Up")["transitions"] == 0
    wait(lambda: again.session()["detection_milliseconds"] == 3000.0, "the router is heard")
    time.sleep(2.0)
    assert again.session()["transitions"] == 0
    assert _up_since(lab, story) == since


def test_a_router_without_bfd_holds_nothing_back(lab: Bfd) -> None:
    """Nobody answers: the BGP session is BGP's affair."""
    node = lab.node(peer(ROUTER, NODE, **FAST))
    time.sleep(2.5)
    assert node.session()["state"] == "Down"
    assert not any("hold" in one for one in node.read())


def test_a_port_that_is_taken_is_a_condition_until_it_is_free(lab: Bfd) -> None:
    """Another BFD daemon runs on the node; nothing else is disturbed by that."""
    story = BY_NAME["bird"]
    story.start(lab)
    program = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        " s.bind(('', 3784)); print('bound', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        lab.node_space.wrap(sys.executable, "-c", program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == b"bound\n"
        node = lab.node(story.wanted)
        wait(lambda: node.status()["conditions"], "the condition")
        assert "UDP port 3784 (IPv4) is in use" in node.status()["conditions"][0]
        other.stdin.close()
        other.wait()
    node.until("Up")
    assert node.status()["conditions"] == []
