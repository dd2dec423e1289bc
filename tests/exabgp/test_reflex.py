"""A reflex that dies, fails or hangs costs no session, against the real ExaBGP and BIRD."""

import os
import signal
import sys
from contextlib import suppress

import pytest

from bgpd.exabgp.command import Show
from bgpd.exabgp.message import Pong, Shown
from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, ROUTER_V4, offer, peer, to
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.space import eventually
from tests.exabgp.speaker import RELAY

pytestmark = pytest.mark.integration


def test_a_reflex_that_dies_six_times_in_a_row_costs_no_session(lab: Rig) -> None:
    """The reflex is started again for as long as it dies; routes and session stay."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    for _ in range(6):
        lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
        lab.speaker.accept()
    assert lab.router.established()
    assert EIP in lab.router.prefixes()
    assert "closed" not in lab.router.log()


def test_without_the_mend_a_reflex_that_dies_often_ends_exabgp(lab: Rig) -> None:
    """ExaBGP's own limit is five deaths in 64 seconds."""
    lab.establish(without=["respawn"])
    for _ in range(40):
        pid = str(lab.speaker.reflex_pid)
        lab.node_space.run("kill", "-KILL", pid, check=False)
        with suppress(TimeoutError):
            lab.speaker.accept(seconds=1.0)
        if not lab.speaker.running:
            break
    lab.speaker.exit_status()


def test_exabgp_ends_when_the_reflex_cannot_be_started(lab: Rig) -> None:
    """A command that does not exist is the supervisor's business: status 75, one sentence."""
    lab.speaker.start(reflex="/nonexistent/reflex --now", accept=False)
    assert lab.speaker.exit_status() == 75
    assert "cannot start the reflex: /nonexistent/reflex --now" in lab.speaker.stderr()


@pytest.mark.parametrize("status", [75, 78])
def test_exabgp_ends_as_a_reflex_that_cannot_serve_here(lab: Rig, status: int) -> None:
    """Its sentence stays the only one, and no loop repeats it."""
    program = _failing(lab, status)
    lab.speaker.start(reflex=program, accept=False)
    assert lab.speaker.exit_status() == status
    assert "bgpd speaker: the reason\n" in lab.speaker.stderr()
    assert lab.speaker.stderr().count("bgpd") == 1


def _failing(lab: Rig, status: int) -> str:
    """Return a reflex that gives its reason and ends with *status*."""
    program = lab.speaker.directory / "failing.sh"
    program.write_text(f"#!/bin/sh\necho 'bgpd speaker: the reason' >&2\nexit {status}\n")
    program.chmod(0o755)
    return str(program)


def test_once_a_reflex_has_served_no_status_of_another_ends_exabgp(lab: Rig) -> None:
    """A mistake that is made while the node carries traffic costs no session."""
    program = lab.speaker.directory / "reflex.sh"
    relay = f"{RELAY} {lab.speaker.directory}/reflex pinging"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {relay}\n")
    program.chmod(0o755)
    lab.router.start("")
    lab.speaker.start(peer(), reflex=str(program))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    # So many pings take longer than the second after which a reflex counts as one that serves.
    for _ in range(10):
        lab.speaker.wait(lambda item: isinstance(item, Pong), "Pong")
    program.write_text("#!/bin/sh\nexit 78\n")
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    eventually(lambda: lab.speaker.stderr().count("status 78") >= 3, "three ends", seconds=30.0)
    assert lab.speaker.running
    assert lab.router.established()


def test_a_reflex_that_cannot_be_started_again_costs_no_session(lab: Rig) -> None:
    """Once a reflex has run, ExaBGP tries for ever: attempts that fail end nothing."""
    program = lab.speaker.directory / "reflex.sh"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {RELAY} {lab.speaker.directory}/reflex\n")
    program.chmod(0o755)
    lab.router.start("")
    lab.speaker.start(peer(), reflex=str(program))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    program.rename(program.with_suffix(".away"))
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    eventually(lambda: "attempt 7," in lab.speaker.stderr(), "seven failures", seconds=30.0)
    assert "No such file or directory" in lab.speaker.stderr()
    assert lab.router.established()
    assert EIP in lab.router.prefixes()
    program.with_suffix(".away").rename(program)
    lab.speaker.accept(seconds=30.0)
    assert "closed" not in lab.router.log()


def test_routes_stay_while_the_reflex_is_gone_and_its_successor_learns_them(lab: Rig) -> None:
    """A new reflex adopts what is offered from Shown."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP, med=5)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    lab.speaker.accept()
    lab.speaker.send(Show(id=77))
    shown = lab.speaker.wait(lambda item: isinstance(item, Shown), "Shown")
    assert isinstance(shown, Shown)
    assert [(p.session.state, p.routes) for p in shown.peers] == [
        (PeerState.ESTABLISHED, (offer(EIP, med=5),))
    ]
    assert EIP in lab.router.prefixes()
    assert "closed" not in lab.router.log()


@each_way
def test_a_hung_reflex_is_replaced(lab: Rig, mended: bool) -> None:
    """Two seconds without a Ping, after the first, are taken for a hang."""
    lab.speaker.start(without=[] if mended else ["watchdog"], pinging=True)
    lab.speaker.wait(lambda item: isinstance(item, Pong), "Pong")
    hung = lab.speaker.reflex_pid
    lab.speaker.signal(signal.SIGSTOP, hung)
    if mended:
        lab.speaker.accept()
        assert lab.speaker.reflex_pid != hung
    else:
        with pytest.raises(TimeoutError):
            lab.speaker.accept(seconds=4.0)


@each_way
def test_a_reflex_that_hangs_before_its_first_ping_is_replaced(lab: Rig, mended: bool) -> None:
    """A start has a deadline, or nobody would ever end it."""
    lab.speaker.start(
        without=[] if mended else ["watchdog"], arguments=["--first-ping", "1"], accept=False
    )
    lab.speaker.accept()
    hung = lab.speaker.reflex_pid
    # It may have been ended for its silence before it could be stopped.
    lab.node_space.run("kill", "-STOP", str(hung), check=False)
    if mended:
        lab.speaker.accept()
        assert lab.speaker.reflex_pid != hung
        assert "has sent no Ping" in lab.speaker.stderr()
    else:
        with pytest.raises(TimeoutError):
            lab.speaker.accept(seconds=5.0)


def test_exabgp_takes_nothing_from_us_and_nothing_from_the_node(lab: Rig) -> None:
    """Neither our user nor our umask, which the reflex inherits, nor port 179."""
    lab.establish()
    status = lab.node_space.run("cat", f"/proc/{lab.speaker.reflex_pid}/status")
    mask = os.umask(0o022)
    os.umask(mask)
    found = {line.split()[0]: line.split()[1] for line in status.splitlines() if line.split()[1:]}
    assert int(found["Uid:"]) == os.geteuid()
    assert int(found["Umask:"], 8) == mask
    assert ":179" not in lab.node_space.run("ss", "-ltnH")
