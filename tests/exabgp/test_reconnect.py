"""After a router was away the session is back soon."""

import sys
import time
from pathlib import Path

import pytest

from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, OTHER, ROUTER_V4, offer, peer, to
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig

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
    assert _back(lab, seconds=6.0 if mended else 3.0) is mended


@each_way
def test_a_router_that_comes_late_is_greeted_soon(lab: Rig, mended: bool) -> None:
    """A SYN that nobody answers is repeated by the kernel after 1, 3, 7 and 15 seconds."""
    lab.router_space.run("nft", _SILENCE)
    lab.speaker.start(peer(), without=[] if mended else ["reconnect"])
    time.sleep(8.5)
    lab.router.start("")
    lab.router_space.run("nft", "delete", "table", "inet", "t")
    assert _back(lab, seconds=5.0 if mended else 2.5) is mended


@each_way
def test_a_router_that_missed_something_is_asked_where_the_kernel_backs_off(
    lab: Rig, mended: bool
) -> None:
    """On a kernel that cannot cap retransmission, the next one is six seconds away."""
    lab.establish(without=["cap"] if mended else ["cap", "prod"])
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    _reboot_router(lab, seconds=8.5, missed=OTHER)
    assert _back(lab, seconds=5.0 if mended else 2.5) is mended


def test_a_session_is_established_when_the_router_agrees_not_when_something_else_happens(
    lab: Rig, tmp_path: Path
) -> None:
    """A router with nothing to offer says nothing after its KEEPALIVE, and no Ping comes either."""
    silent = (sys.executable, "-m", "tests.exabgp.silent", ROUTER_V4)
    router = lab.router_space.start(*silent, log=tmp_path / "router.out")
    try:
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


def _back(lab: Rig, seconds: float) -> bool:
    began = time.monotonic()
    while not lab.router.established() and time.monotonic() - began < seconds:
        lab.speaker.read(0.1)
    return lab.router.established()
