"""The default route and the policy that wants it moved: on, off, and what people hear of it."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest

from bgpd.agent.replies import Replies, down
from bgpd.host.egressroutes import Outcome
from bgpd.model.peer import BFDState, PeerName, PeerState
from bgpd.model.prefix import Address
from bgpd.model.status import BFDStatus, SessionStatus, SpeakerStatus
from tests.ipc.fakes import until

NOBODY = Address("192.0.2.1")
"""No default route leads there (RFC 5737), so nothing of this host is moved."""

GONE = Address("10.0.0.1")


def session(state: BFDState | None, transitions: int = 0) -> SessionStatus:
    """Return a session, with BFD in *state*."""
    return SessionStatus(
        peer=PeerName("r1"),
        address=Address("10.0.0.1"),
        peer_asn=1,
        local_asn=2,
        state=PeerState.IDLE,
        bfd=None if state is None else BFDStatus(state=state, transitions=transitions),
    )


def speaker(state: BFDState, transitions: int) -> SpeakerStatus:
    """Return what a speaker says whose one session has BFD in *state*."""
    return SpeakerStatus(
        node="n1",
        version="0",
        started=0.0,
        agent_connected=True,
        agent_absent_since=None,
        exabgp_pid=None,
        sessions=(session(state, transitions),),
    )


def replies(directory: Path, told: list[str] | None = None) -> Replies:
    """Return what moves default routes, with *told* for its news."""
    heard = [] if told is None else told
    return Replies(directory, logging.getLogger("test"), lambda: heard.append("news"))


async def turns(count: int = 20) -> None:
    """Let others have their turn."""
    for _ in range(count):
        await asyncio.sleep(0.005)


def test_it_runs_only_while_it_is_wanted(tmp_path: Path) -> None:
    """A policy turns it on and off, and whoever was down before it is on is known then."""

    async def run() -> None:
        moving = replies(tmp_path)
        task = asyncio.get_running_loop().create_task(moving.run())
        moving.silent([NOBODY])
        await turns()
        assert moving._egress is None
        for wanted in (True, False, True):
            moving.want(wanted=wanted)
            await until(lambda: (moving._egress is not None) is wanted)  # noqa: B023 - at once
        assert moving._egress is not None
        assert moving._egress._down == frozenset({NOBODY})
        assert not list(moving.conditions())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert moving._egress is None

    asyncio.run(run())


@pytest.mark.parametrize(
    ("state", "transitions", "expected"),
    [
        pytest.param(BFDState.UP, 2, frozenset(), id="it is back"),
        pytest.param(BFDState.DOWN, 3, frozenset({GONE}), id="it is gone"),
    ],
)
def test_a_report_says_who_is_back(
    tmp_path: Path, state: BFDState, transitions: int, expected: frozenset[Address]
) -> None:
    """What was told at once holds until then, also while the speaker is away."""

    async def run() -> None:
        moving = replies(tmp_path)
        moving.silent([GONE])
        moving.heard(None)
        assert moving._down == frozenset({GONE})
        moving.heard(speaker(state, transitions))
        assert moving._down == expected

    asyncio.run(run())


def test_people_hear_what_was_moved_and_what_was_not(tmp_path: Path) -> None:
    """Each in a condition; what others did to our routes is a line in the log."""

    async def run() -> None:
        told: list[str] = []
        moving = replies(tmp_path, told)
        moving._note(Outcome(moved=("a by b",), problems=("c is not ours",), reports=("d",)))
        assert told == ["news"]
        found = [(one.type, one.reason, one.message) for one in moving.conditions()]
        assert found == [
            ("EgressMoved", "Moved", "a by b"),
            ("EgressProblem", "LeftAlone", "c is not ours"),
        ]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("before", "one", "is_down"),
    [
        pytest.param(False, session(None), False, id="no BFD"),
        pytest.param(True, session(None), False, id="BFD was taken away"),
        pytest.param(False, session(BFDState.UP, 1), False, id="it is up"),
        pytest.param(True, session(BFDState.UP, 3), False, id="it is up again"),
        pytest.param(False, session(BFDState.DOWN, 2), True, id="it went down"),
        pytest.param(True, session(BFDState.INIT, 2), True, id="it is on its way"),
        pytest.param(False, session(BFDState.DOWN), False, id="it was never up"),
        pytest.param(True, session(BFDState.DOWN), True, id="a new speaker has not seen it up"),
        pytest.param(True, session(BFDState.ADMIN_DOWN, 2), False, id="a person took it down"),
    ],
)
def test_which_routers_are_down(before: bool, one: SessionStatus, is_down: bool) -> None:
    """Those of which BFD said so, until it says something else."""
    known = frozenset({one.address} if before else ())
    assert (one.address in down(known, [one])) is is_down
