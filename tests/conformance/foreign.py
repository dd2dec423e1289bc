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


FOREIGN: Final = (
    Foreign(
        sign="`given.delegate_backend: true`, or `given.backend: delegated`, with a `secret`",
        why="hands a Secret's name on to another daemon; bgpd holds its sessions itself and hands "
        "nothing on",
        holds=lambda case: (
            case.area == "secret"
            and (
                case.given.get("delegate_backend") is True
                or case.given.get("backend") == "delegated"
            )
        ),
    ),
)


def foreign(case: Case) -> str:
    """Return why *case* is about a back end that is not ours; the empty text where it is not."""
    return next((one.why for one in FOREIGN if one.holds(case)), "")
