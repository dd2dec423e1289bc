"""What the log says of conditions: each once when it begins, and once when it is over."""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from bgpd.model.status import Condition

_EACH: Final = frozenset({"DocumentRefused", "FieldIgnored", "NotSupported"})
"""Types whose message is what they are about: another message is another condition."""


def begun(told: AbstractSet[Condition], now: AbstractSet[Condition]) -> list[Condition]:
    """Return what is *now* and was not *told*, also where it only has other words."""
    return sorted(now - told, key=_order)


def over(told: AbstractSet[Condition], now: AbstractSet[Condition]) -> Iterator[Condition]:
    """Yield what was *told* and ended; what goes on in other words has not."""
    goes_on = Counter((one.type, one.reason) for one in now - told if one.type not in _EACH)
    for one in sorted(told - now, key=_order):
        if goes_on[one.type, one.reason]:
            goes_on[one.type, one.reason] -= 1
        else:
            yield one


def end_of(condition: Condition) -> list[tuple[str, object]]:
    """Return what to log when *condition* is over: the complaint is not so any more."""
    return [
        ("reason", condition.reason),
        ("message", f"{condition.type} ({condition.reason}) is over"),
        ("was", condition.message),
    ]


def _order(condition: Condition) -> tuple[str, str, str]:
    return condition.message, condition.type, condition.reason
