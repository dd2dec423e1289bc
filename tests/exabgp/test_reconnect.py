"""After a router was away the session is back soon."""

import sys
import time
from pathlib import Path

import pytest

from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, OTHER, ROUTER_V4, offer, peer, to
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration
_SILENCE = (
    "table inet t { chain i { type filter hook input priority 0; policy drop; }; "
    "chain o { type filter hook output priority 0; policy drop; }; }"
)


@each_way
def test_after_a_silent_reboot_of_the_router_the_session_is_back_soon(
    lab: Rig, mended: bool
) -> None:
    """Hold time 90: ExaBGP alone notices at its next KEEPALIVE, up to 30 seconds later."""
    lab.establish(without=[] if mended else ["reconnect"])
    _reboot_router(lab, seconds=3.0)
    assert _back(lab, seconds=15.0 if mended else 3.0) is mended


@each_way
def test_a_router_that_comes_late_is_greeted_soon(lab: Rig, mended: bool) -> None:
    """A SYN that nobody answers is repeated by the kernel after 1, 3, 7 and 15 seconds."""
    lab.router_space.run("nft", _SILENCE)
    lab.speaker.start(peer(), without=[] if mended else ["reconnect"])
    ports = _tried(lab, seconds=8.5, attempts=4 if mended else 1)
    lab.router.start("")
    lab.router_space.run("nft", "delete", "table", "inet", "t")
    assert (len(ports) > 1) is mended, "a port for each attempt, and the kernel's only has one"
    assert _back(lab, seconds=15.0 if mended else 2.5) is mended


@each_way
def test_a_router_that_missed_something_is_asked_where_the_kernel_backs_off(
    lab: Rig, mended: bool
) -> None:
    """On a kernel that cannot cap retransmission, the next one is eleven seconds away."""
    lab.establish(without=["cap"] if mended else ["cap", "prod"])
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    _reboot_router(lab, seconds=14.0, missed=OTHER)
    assert _back(lab, seconds=9.0 if mended else 2.5) is mended


def test_a_session_is_established_when_the_router_agrees_not_when_something_else_happens(
    lab: Rig, tmp_path: Path
) -> None:
    """A router with nothing to offer says nothing after its KEEPALIVE, and no Ping comes either."""
    silent = (sys.executable, "-m", "tests.exabgp.silent", ROUTER_V4)
    log = tmp_path / "router.out"
    router = lab.router_space.start(*silent, log=log)
    try:
        eventually(log.read_text, "the router listens")
        lab.speaker.start(peer(), launcher="tests.exabgp.patient")
        lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    finally:
        lab.router_space.close()
        router.wait()


def _reboot_router(lab: Rig, seconds: float, missed: str = "") -> None:
    # What is on its way arrives: its retransmission would tell us of the reboot.
    time.sleep(1.0)
    lab.router_space.run("nft", _SILENCE)
    # The dead BIRD's kernel must forget the connection, as one that lost power would.
    lab.router_space.run("sysctl", "-q", "-w", "net.ipv4.tcp_orphan_retries=1")
    lab.router.kill()
    if missed:
        lab.speaker.update(to(ROUTER_V4, offer(missed)))
    time.sleep(seconds)
    lab.router.start("")
    lab.router_space.run("nft", "delete", "table", "inet", "t")


def _tried(lab: Rig, seconds: float, attempts: int) -> set[str]:
    """Return from which ports the router was tried for *seconds*, or until so many *attempts*."""
    began = time.monotonic()
    ports: set[str] = set()

    def over() -> bool:
        shown = lab.node_space.run("ss", "-tnH", "state", "syn-sent", "dst", ROUTER_V4)
        ports.update(line.split()[2].rpartition(":")[2] for line in shown.splitlines())
        return time.monotonic() - began > seconds and len(ports) >= attempts

    eventually(over, f"{attempts} attempts")
    return ports


def _back(lab: Rig, seconds: float) -> bool:
    began = time.monotonic()
    while not lab.router.established() and time.monotonic() - began < seconds:
        lab.speaker.read(0.1)
    return lab.router.established()
