"""A session that is held back because BFD says that the peer is gone, against a real router."""

import pytest

from bgpd.exabgp.command import Close, EndOfRib, Hold, Show
from bgpd.exabgp.message import Shown
from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, ROUTER_V4, offer, peer, to
from tests.exabgp.rig import Rig
from tests.exabgp.router import bird_session
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration


def _hold(lab: Rig, *peers: str) -> None:
    number = lab.speaker.number()
    held = tuple(ROUTER_V4 for _ in peers)
    lab.speaker.send(Hold(id=number, peers=held))
    assert lab.speaker.done(number).flushed == held


def _held(lab: Rig) -> tuple[str, ...]:
    number = lab.speaker.number()
    lab.speaker.send(Show(id=number))
    found = lab.speaker.wait(lambda m: isinstance(m, Shown) and m.id == number, "Shown")
    assert isinstance(found, Shown)
    return found.held


def test_a_held_session_closes_and_comes_back_with_its_routes(lab: Rig) -> None:
    """Cease/BFD Down (RFC 9384) on the wire, no attempt until released, then the routes again."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    _hold(lab, ROUTER_V4)
    down = lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    assert "6/10" in down.error
    assert "BFD Down" in down.error
    eventually(lambda: "6.10" in lab.router.log(), "the NOTIFICATION in BIRD's log")
    assert b"BFD Down".hex() in lab.router.log()
    eventually(lambda: EIP not in lab.router.prefixes(), "the route is gone")
    assert _held(lab) == (ROUTER_V4,)
    # Several pauses between two attempts of a session that is not held.
    lab.speaker.read(2.5)
    assert lab.speaker.states[ROUTER_V4].state is PeerState.IDLE
    _hold(lab)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    eventually(lambda: EIP in lab.router.prefixes(), "the route again")
    assert _held(lab) == ()


def test_with_graceful_restart_a_held_session_closes_without_a_word(lab: Rig) -> None:
    """The router keeps the routes as stale, and the next OPEN offers graceful restart again."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    lab.speaker.send(EndOfRib(id=40, peers=(ROUTER_V4,)))
    lab.speaker.done(40)
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    _hold(lab, ROUTER_V4)
    down = lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    assert "graceful restart" in down.error
    eventually(lambda: not lab.router.established(), "down at the router")
    assert EIP in lab.router.prefixes()
    _hold(lab)
    assert lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).graceful_restart


def test_a_peer_without_graceful_restart_is_offered_it_again_after_a_hold(lab: Rig) -> None:
    """What the close had to hide from one peer is back in the next OPEN."""
    lab.router.start(bird_session(options="graceful restart off;"))
    lab.speaker.start(peer(graceful_restart=60))
    assert not lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).graceful_restart
    _hold(lab, ROUTER_V4)
    assert "6/10" in lab.speaker.until(ROUTER_V4, PeerState.IDLE).error
    lab.router.kill()
    lab.router.start(bird_session(options="graceful restart on;"))
    _hold(lab)
    assert lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).graceful_restart


def test_a_session_that_is_being_connected_is_held_too(lab: Rig) -> None:
    """Nobody listens at the router at first; when it does, nobody comes until released."""
    lab.speaker.start(peer())
    lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    _hold(lab, ROUTER_V4)
    assert "held back" in lab.speaker.until(ROUTER_V4, PeerState.IDLE).error
    lab.router.start(bird_session())
    lab.speaker.read(2.5)
    assert not lab.router.established()
    _hold(lab)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)


def test_a_held_session_forgets_a_change_that_was_taken_back(lab: Rig) -> None:
    """It takes a new configuration over when it connects: by then the file may say the old one."""
    lab.establish()
    _hold(lab, ROUTER_V4)
    lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    for hold_time in (30, 90):
        lab.speaker.reload(peer(hold_time=hold_time))
    _hold(lab)
    assert lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).hold_time == 90


def test_a_held_session_is_closed_like_any_other(lab: Rig) -> None:
    """Its peer may be removed, or the node may end, while BFD holds it back."""
    lab.establish()
    _hold(lab, ROUTER_V4)
    lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    number = lab.speaker.number()
    lab.speaker.send(Close(id=number))
    assert lab.speaker.done(number).flushed == (ROUTER_V4,)
    assert lab.speaker.reload(peer()).added == (ROUTER_V4,)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
