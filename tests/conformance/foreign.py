"""Cases about back ends that bgpd does not have: named, with the reason, and not run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.conformance.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One property of another back end."""

    sign: str
    """How a case says so."""
    why: str
    holds: Callable[[Case], bool]


_DAEMONS: Final = frozenset({"delegated", "frr-k8s", "frrk8s"})

FOREIGN: Final = (
    Foreign(
        sign="`given.delegate_backend: true`, or `given.backend` is `delegated` or `frr-k8s`",
        why="is about what is handed on to another daemon, such as a Secret's name; bgpd holds its "
        "sessions itself",
        holds=lambda case: (
            case.given.get("delegate_backend") is True or case.given.get("backend") in _DAEMONS
        ),
    ),
)


def foreign(case: Case) -> str:
    """Return why *case* is about a back end that is not ours; the empty text where it is not."""
    return next((one.why for one in FOREIGN if one.holds(case)), "")
