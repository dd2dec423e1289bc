"""How a session with a real router ends: what it is told, and what it keeps."""

import signal
import time

import pytest

from bgpd.exabgp.command import Close, EndOfRib, Exit
from bgpd.exabgp.message import Terminating
from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, OTHER, ROUTER_V4, offer, peer, to
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.router import bird_session
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration


def test_sigterm_lets_the_reflex_drain_and_says_why_to_the_router(lab: Rig) -> None:
    """Terminating, then Close and Exit by the reflex; status 0, Cease on the wire."""
    lab.establish()
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.wait(lambda item: isinstance(item, Terminating), "Terminating")
    assert lab.router.established()
    lab.speaker.send(Close(id=5))
    assert lab.speaker.done(5).flushed == (ROUTER_V4,)
    lab.speaker.send(Exit(id=6))
    assert lab.speaker.exit_status() == 0
    _told_why(lab)


def test_without_the_mend_sigterm_is_a_broken_connection(lab: Rig) -> None:
    """ExaBGP's own answer to SIGTERM is a bare FIN."""
    lab.establish(without=["sigterm"])
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.exit_status()
    eventually(lambda: not lab.router.established(), "the session is down")
    assert "Received: Administrative shutdown" not in lab.router.log()


def test_sigterm_with_a_hung_reflex_still_ends_in_order(lab: Rig) -> None:
    """After three silent seconds the launcher closes the sessions itself."""
    lab.establish()
    lab.speaker.signal(signal.SIGSTOP, lab.speaker.reflex_pid)
    lab.speaker.signal(signal.SIGTERM)
    assert lab.speaker.exit_status() == 0
    _told_why(lab)
    assert "the reflex is silent" in lab.speaker.stderr()


def test_a_second_sigterm_ends_at_once(lab: Rig) -> None:
    """A person who asks twice means it: the reflex, which lives, is waited for no longer."""
    lab.router.start("")
    lab.speaker.start(peer(), pinging=True)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.wait(lambda item: isinstance(item, Terminating), "Terminating")
    lab.speaker.signal(signal.SIGTERM)
    assert lab.speaker.exit_status() != 0, "an end in order has status 0"


def test_with_graceful_restart_the_router_keeps_routes_after_close(lab: Rig) -> None:
    """No NOTIFICATION, stale routes kept; End-of-RIB of the next run ends the staleness."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    session = lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    assert session.graceful_restart
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    lab.speaker.send(EndOfRib(id=40, peers=(ROUTER_V4,)))
    assert lab.speaker.done(40).flushed == (ROUTER_V4,)
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.send(Close(id=41))
    assert lab.speaker.done(41).flushed == (ROUTER_V4,)
    eventually(lambda: not lab.router.established(), "the session is down")
    assert EIP in lab.router.prefixes()
    assert "Received" not in lab.router.log()


def test_a_final_close_leaves_nothing_with_a_router_that_would_keep_it(lab: Rig) -> None:
    """A drained node says Cease: silence would be a promise to return."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    assert lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).graceful_restart
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.send(Close(id=41, final=True))
    assert lab.speaker.done(41).flushed == (ROUTER_V4,)
    eventually(lambda: EIP not in lab.router.prefixes(), "the route is gone")
    _told_why(lab)


@each_way
def test_after_a_boot_a_router_drops_what_it_kept(lab: Rig, mended: bool) -> None:
    """Nothing forwards there yet; ExaBGP itself would claim that all of it was preserved."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.signal(signal.SIGKILL)
    lab.speaker.exit_status()
    eventually(lambda: not lab.router.established(), "the session is down")
    (lab.speaker.directory / "boot").write_text("another\n")
    lab.speaker.states.clear()
    lab.speaker.start(peer(graceful_restart=60), without=[] if mended else ["forwarding"])
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    eventually(lab.router.established, "established at BIRD")
    if mended:
        eventually(lambda: EIP not in lab.router.prefixes(), "the route is dropped")
    else:
        time.sleep(1.0)
        assert EIP in lab.router.prefixes()


@each_way
def test_end_of_rib_waits_for_the_reflex(lab: Rig, mended: bool) -> None:
    """Told by ExaBGP itself, it comes before the routes, and the router drops what it kept."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP, OTHER)))
    eventually(lambda: lab.router.prefixes() == {EIP, OTHER}, "the routes")
    lab.speaker.signal(signal.SIGKILL)
    lab.speaker.exit_status()
    eventually(lambda: not lab.router.established(), "the session is down")
    lab.speaker.states.clear()
    lab.speaker.start(peer(graceful_restart=60), manual_end_of_rib=mended)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    if mended:
        time.sleep(1.0)
        assert lab.router.prefixes() == {EIP, OTHER}
    else:
        eventually(lambda: lab.router.prefixes() != {EIP, OTHER}, "what was kept is dropped")
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    lab.speaker.send(EndOfRib(id=40, peers=(ROUTER_V4,)))
    eventually(lambda: lab.router.prefixes() == {EIP}, "what is not offered again is gone")


def test_close_gives_a_reason_where_the_peer_does_not_restart_gracefully(lab: Rig) -> None:
    """Offering graceful restart alone makes ExaBGP close without a word."""
    lab.router.start(bird_session(options="graceful restart off;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.send(Close(id=41, subcode=4))
    assert lab.speaker.done(41).flushed == (ROUTER_V4,)
    eventually(lambda: "Received: Administrative reset" in lab.router.log(), "the reason")


def test_a_session_that_ends_says_why(lab: Rig) -> None:
    """NOTIFICATION in words, and what the kernel said afterwards."""
    lab.establish()
    lab.router.ask("disable node")
    session = lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    assert session.error.startswith("the router's operator shut the session down")
    assert "(NOTIFICATION 6/2, Cease, Administrative Shutdown)" in session.error
    lab.router.kill()
    refused = lab.speaker.wait(
        lambda item: "connection refused" in getattr(item, "error", ""), "refusal"
    )
    assert getattr(refused, "state", None) is PeerState.ACTIVE


def _told_why(lab: Rig) -> None:
    """BIRD may write it down a moment after we have gone."""
    eventually(lambda: "Received: Administrative shutdown" in lab.router.log(), "the reason")
