"""A rollout takes one node after the other, not all of them in the time that one takes."""

import pytest

from bgpd.agent.outset import PATIENCE, awaited
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.status import SessionStatus, SpeakerStatus

_STARTED = 1000.0
_A, _B = PeerName("a"), PeerName("b")


def _session(peer: PeerName, state: PeerState, advertised: int) -> SessionStatus:
    return SessionStatus(
        peer=peer,
        address=Address("192.0.2.1"),
        peer_asn=64513,
        local_asn=64512,
        state=state,
        advertised=advertised,
    )


def _speaker(*sessions: SessionStatus) -> SpeakerStatus:
    return SpeakerStatus(
        node="n1",
        version="1",
        started=_STARTED,
        agent_connected=True,
        agent_absent_since=None,
        exabgp_pid=1,
        sessions=sessions,
    )


_UP, _DOWN = PeerState.ESTABLISHED, PeerState.ACTIVE
_ROUTES = ((_A, Prefix("203.0.113.1/32")), (_B, Prefix("203.0.113.1/32")))


@pytest.mark.parametrize(
    ("sessions", "after", "lacking"),
    [
        pytest.param([], 1.0, "a, b", id="no session is configured yet"),
        pytest.param([(_A, _UP, 1), (_B, _DOWN, 0)], 1.0, "b", id="one peer is not reached yet"),
        pytest.param([(_A, _UP, 1), (_B, _UP, 0)], 1.0, "b", id="one peer was offered nothing yet"),
        pytest.param([(_A, _UP, 1), (_B, _UP, 1)], 1.0, "", id="both have their routes"),
        pytest.param(
            [(_A, _DOWN, 0)], PATIENCE + 1, "", id="a router that is away ends no rollout"
        ),
        pytest.param([(_A, _DOWN, 0)], -3600.0, "", id="nor does it after the clock was set back"),
    ],
)
def test_a_node_is_back_when_its_peers_have_its_routes(
    sessions: list[tuple[PeerName, PeerState, int]], after: float, lacking: str
) -> None:
    """Readiness waits for that, and not for ever."""
    speaker = _speaker(*(_session(*one) for one in sessions))
    said = awaited(speaker, _ROUTES, _STARTED + after)
    assert said == (
        lacking and f"started lately, and {lacking} has not been offered its routes yet"
    )


def test_a_node_without_routes_waits_for_no_peer() -> None:
    """Nothing is sent there that could be lost."""
    assert awaited(_speaker(_session(_A, _DOWN, 0)), (), _STARTED + 1.0) == ""
