"""The agent's conditions that no room of its own has."""

from collections.abc import Iterator, Sequence
from typing import Final

from bgpd.kube.documents import Key
from bgpd.model.status import Condition
from bgpd.telemetry.conditions import ConditionLog

__all__ = ["ConditionLog", "from_memory", "last_accepted"]

_SHOWN: Final = 5
"""How many objects a condition names."""


def last_accepted(outdated: Sequence[Key]) -> Iterator[Condition]:
    """Yield a condition where the newest version of an object is not the one in force."""
    if outdated:
        names = ", ".join(map(str, outdated[:_SHOWN]))
        more = f" and {len(outdated) - _SHOWN} more" if len(outdated) > _SHOWN else ""
        yield Condition(
            type="LastAcceptedInForce",
            status=True,
            reason="NewestRefused",
            message=f"{names}{more}: the version that was accepted last is in force, because the"
            " newest cannot be used; correct it, or remove it to remove the object",
        )


def from_memory(*, wanted: bool) -> Iterator[Condition]:
    """Yield a condition if what was accepted before the start is *wanted*."""
    if wanted:
        yield Condition(
            type="LastKnownState",
            status=True,
            reason="SourceUnread",
            message="the source has not been read completely since the start; what was accepted"
            " before it is in force",
        )
