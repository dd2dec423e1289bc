"""How long to wait before asking again, so that a thousand agents do not ask at one instant.

Exponential with full jitter: each pause is a random part of a limit that doubles. What cannot be
reached at all is tried more often than what answers with an error: a refused connection costs the
server nothing, and an outage must end within seconds once its cause has.
"""

from typing import Final

FIRST: Final = 0.1
"""Seconds that the first pause is shorter than."""
LONGEST: Final = 30.0
"""The limit that is not doubled any more, where a server answers with errors."""
UNREACHABLE: Final = 4.0
"""The same, where nothing answers at all."""
HEALTHY: Final = 10.0
"""Seconds without an error after which earlier errors are forgotten."""
WELL: Final = 2.0
"""Seconds without an error after which they count as few: a server that is killed again and again
is found again each time within seconds, and one that breaks every answer is still left alone."""
FEW: Final = 2
MOST_TOLD: Final = 60.0
"""The longest wait that a server may ask for."""


def pause(failures: int, chance: float, *, most: float = LONGEST, told: float = 0.0) -> float:
    """Return the seconds to wait after so many *failures* in a row.

    *chance* is random, 0 <= chance < 1; *told* is what the server asked for (Retry-After), which
    is the least to wait, however large the pause is by itself.
    """
    limit = min(most, FIRST * 2.0 ** min(failures, 30))
    return max(chance * limit, min(told, MOST_TOLD))


def retry_after(text: str) -> float:
    """Return the seconds in a Retry-After field; a date or nonsense counts as nothing."""
    return min(float(text), MOST_TOLD) if text.isascii() and text.isdigit() else 0.0
