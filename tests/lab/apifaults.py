"""The faults of the API server and of the way to it, as values: for `--source kubernetes`."""

from typing import Final

from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.outages import (
    CONVERGED,
    Course,
    cut,
    empty,
    expire_token,
    hang,
    kill,
    kill_and_restart_agent,
    outage,
    remember_change,
    slow,
)
from tests.lab.strikes import nothing, restore_endpoints

_SECONDS: Final = 30.0
_CUT_SECONDS: Final = 15.0


def _fault(
    name: str,
    sentence: str,
    course: Course,
    *,
    seconds: float = _SECONDS,
    stored: bool = False,
    target: float = 5,
) -> Fault:
    return Fault(
        name=name,
        sentence=sentence,
        strike=outage(course, seconds, stored=stored),
        prepare=remember_change if stored else nothing,
        heal=restore_endpoints,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        api=True,
        seconds=0.5,
        targets={CONVERGED: target},
    )


API_FAULTS: Final = (
    _fault(
        "api-kill",
        "the API server is killed, and comes back without its history (410)",
        kill,
        stored=True,
    ),
    _fault(
        "agent-restart-during-api-kill",
        "the API server is killed, then an agent, which goes on from its memory",
        kill_and_restart_agent,
        stored=True,
    ),
    _fault("api-hang", "the API server accepts and answers nothing (SIGSTOP)", hang, stored=True),
    _fault("api-slow", "every request to the API server takes two seconds longer", slow),
    _fault("api-empty", "the API server says once that there is nothing, in an old version", empty),
    _fault("token-expired", "every agent's token has expired, until it is replaced", expire_token),
    _fault(
        "watch-cut",
        "nothing passes between nodes and API server, and nobody is told",
        cut,
        seconds=_CUT_SECONDS,
        target=10,
    ),
)
