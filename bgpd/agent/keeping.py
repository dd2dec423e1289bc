"""When to remember: soon after a change, and never for more than a small part of a core.

Remembering ten thousand objects takes a while, and they change all the time in a large cluster;
so the pause after a write follows what the write took.
"""

from typing import Final

SOON_SECONDS: Final = 1.0
"""A change is on the disk after so long, where writing costs little."""
SHARE: Final = 0.05
"""The part of the time that may be spent on writing."""


class Keeping:
    """Whether the disk is behind, and when it is worth a write. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._free = float("-inf")
        self._began = 0.0

    def changed(self, now: float) -> None:
        """Note that what is on the disk is old."""
        if self._due is None:
            self._due = now + SOON_SECONDS

    def due(self, now: float) -> bool:
        """Return whether to write now; the write then counts as begun."""
        if self._due is None or now < max(self._due, self._free):
            return False
        self._due = None
        self._began = now
        self._free = float("inf")
        return True

    def done(self, now: float, *, failed: bool) -> None:
        """Note that the write ended; one that failed is tried again."""
        self._free = now + (now - self._began) / SHARE
        if failed:
            self._free = max(self._free, now + SOON_SECONDS)
            self.changed(now)

    @property
    def behind(self) -> bool:
        """Whether something is not on the disk, and no write of it has begun."""
        return self._due is not None
