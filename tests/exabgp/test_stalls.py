"""Nobody who stops reading stalls the real ExaBGP, and ExaBGP itself sleeps."""

import os
import sys
import time
from contextlib import suppress

import pytest

from bgpd.exabgp.command import Ping
from bgpd.exabgp.message import Pong
from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, ROUTER_V4, offer, peer, to, update_line
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.space import eventually
from tests.exabgp.speaker import RELAY

pytestmark = pytest.mark.integration


@each_way
def test_a_reflex_that_does_not_read_never_stalls_the_sessions(lab: Rig, mended: bool) -> None:
    """Two megabytes of answers that nobody takes, and a route still goes out."""
    lab.router.start("")
    reflex = f"{sys.executable} {RELAY} {lab.speaker.directory / 'reflex'} deaf"
    lab.speaker.start(peer(), reflex=reflex, without=[] if mended else ["pipe"])
    eventually(lab.router.established, "established at BIRD")
    many = [f"198.51.100.{n}/32" for n in range(256)]
    lab.speaker.send_line(update_line(1, many))
    lab.speaker.send_line(b'bgpd show {"id":2}\n' * 500)
    lab.speaker.send_line(update_line(3, [EIP]))
    if mended:
        eventually(lambda: EIP in lab.router.prefixes(), "the route")
    else:
        time.sleep(3.0)
        assert EIP not in lab.router.prefixes()


def test_a_reflex_that_never_reads_is_replaced_before_memory_is_gone(lab: Rig) -> None:
    """Answers wait for it up to a limit."""
    reflex = f"{sys.executable} {RELAY} {lab.speaker.directory / 'reflex'} deaf"
    lab.speaker.start(peer(), reflex=reflex)
    lab.speaker.send_line(update_line(1, [f"198.18.{n // 250}.{n % 250}/32" for n in range(2000)]))
    lab.speaker.send_line(b'bgpd show {"id":2}\n' * 1200)
    eventually(
        lambda: "does not read what it is told" in lab.speaker.stderr(), "the end of it", 40.0
    )
    lab.speaker.accept()


@each_way
def test_a_log_that_nobody_reads_never_stalls_the_sessions(lab: Rig, mended: bool) -> None:
    """A container runtime whose disk is full leaves the pipe full."""
    log = lab.speaker.directory / "speaker.err"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(reader, b"x" * 4096)
    try:
        lab.router.start("")
        lab.speaker.start(
            peer(),
            arguments=["--log-level", "DEBUG"],
            without=[] if mended else ["stderr"],
            accept=mended,
        )
        if mended:
            eventually(lab.router.established, "established at BIRD")
            lab.speaker.update(to(ROUTER_V4, offer(EIP)))
            eventually(lambda: EIP in lab.router.prefixes(), "the route")
        else:
            time.sleep(5.0)
            assert not lab.router.established()
    finally:
        os.close(reader)


def test_a_router_that_stops_reading_for_a_while_gets_every_byte_in_order(lab: Rig) -> None:
    """Meanwhile the speaker answers at once, and a KEEPALIVE falls due."""
    for space in (lab.node_space, lab.router_space):
        for name in ("tcp_rmem", "tcp_wmem"):
            space.run("sysctl", "-q", "-w", f"net.ipv4.{name}=4096 4096 4096")
    lab.router.start("")
    lab.speaker.start(peer(hold_time=18))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    bird = lab.router_space.run("pgrep", "-x", "bird").split()[0]
    _signal_router(lab, "STOP", bird)
    offers = [
        offer(*(f"198.{18 + n}.{m // 250}.{m % 250}/32" for m in range(1000)), med=n)
        for n in range(4)
    ]
    done = lab.speaker.update(to(ROUTER_V4, *offers))
    assert done.pending == (ROUTER_V4,)
    time.sleep(7.0)
    lab.speaker.send(Ping(id=50))
    assert lab.speaker.wait(lambda item: isinstance(item, Pong), "Pong")
    _signal_router(lab, "CONT", bird)
    eventually(lambda: len(lab.router.prefixes()) == 4000, "all routes")
    assert "closed" not in lab.router.log()


@each_way
def test_an_idle_speaker_sleeps(lab: Rig, mended: bool) -> None:
    """ExaBGP wakes a hundred times a second; a few times are enough."""
    lab.establish(without=[] if mended else ["idle"])
    time.sleep(1.0)
    # In one of these seconds the machine may stand still.
    rates = sorted(_sleeps_per_second(lab) for _ in range(3))
    assert rates[1] < 30 if mended else rates[2] > 60, rates


def _signal_router(lab: Rig, name: str, pid: str) -> None:
    lab.router_space.run("kill", f"-{name}", pid)


def _sleeps_per_second(lab: Rig) -> float:
    began, before = time.monotonic(), _sleeps(lab)
    time.sleep(1.0)
    return (_sleeps(lab) - before) / (time.monotonic() - began)


def _sleeps(lab: Rig) -> int:
    status = lab.node_space.run("cat", f"/proc/{lab.speaker.pid}/status")
    line = next(line for line in status.splitlines() if line.startswith("voluntary"))
    return int(line.split()[1])
