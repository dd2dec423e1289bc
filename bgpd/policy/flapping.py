"""A Service that comes and goes ten times a second: routers must not follow it.

A withdrawal always leaves at once, because it is a fact that traffic would be lost. A return is
held back once there were many changes within a short time, for a pause that grows; what is true
at its end is what is told. Each Service has its own record, so none delays another, and a Service
that never went has none.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

FLIPS: Final = 5
"""So many changes within `WINDOW_SECONDS` are too many."""
WINDOW_SECONDS: Final = 10.0
FIRST_PAUSE: Final = 1.0
"""Seconds; each pause after it is twice as long, up to `LAST_PAUSE`."""
LAST_PAUSE: Final = 15.0


@dataclass(slots=True)
class _Record:
    up: bool
    flips: deque[float] = field(default_factory=lambda: deque(maxlen=FLIPS))
    pauses: int = 0
    """How many there were since it was calm."""
    waited: bool = False
    """Whether a pause ended while it was down: then the next return goes at once."""

    def restless(self, now: float) -> bool:
        """Return whether it changed too often of late."""
        return len(self.flips) == FLIPS and now - self.flips[0] <= WINDOW_SECONDS


class Flapping:
    """Which Services may come back, and when. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._pauses: dict[str, float] = {}
        """When each pause under way is over."""

    def __contains__(self, service: str) -> bool:
        """Return whether *service* went of late."""
        return service in self._records

    @property
    def pausing(self) -> bool:
        """Whether the return of any Service is held back, should it come."""
        return bool(self._pauses)

    def held(self, service: str) -> bool:
        """Return whether *service* is to stay withdrawn although it could be advertised."""
        return service in self._pauses and self._records[service].up

    def note(self, service: str, *, up: bool, now: float) -> bool:
        """Note whether *service* could be advertised now; return whether it must wait.

        The first word about a Service says that it went, or is not worth a record.
        """
        record = self._records.get(service)
        if record is None:
            if up:
                return False
            record = self._records[service] = _Record(up=True)
        if up is not record.up:
            record.up = up
            record.flips.append(now)
            if up:
                self._returned(service, record, now)
        return self.held(service)

    def due(self, now: float) -> tuple[str, ...]:
        """Return the Services whose pause is over, sorted; they are to be decided on."""
        found = sorted(service for service, until in self._pauses.items() if until <= now)
        for service in found:
            del self._pauses[service]
            record = self._records[service]
            record.waited = not record.up
        return tuple(found)

    def deadline(self) -> float | None:
        """Return when the next pause is over."""
        return min(self._pauses.values(), default=None)

    def tidy(self, now: float) -> None:
        """Forget the Services that have been calm for long enough; call it now and then."""
        for service, record in tuple(self._records.items()):
            if service not in self._pauses and now - record.flips[-1] > WINDOW_SECONDS:
                del self._records[service]

    def forget(self, service: str) -> None:
        """Note that *service* is no more."""
        self._records.pop(service, None)
        self._pauses.pop(service, None)

    def _returned(self, service: str, record: _Record, now: float) -> None:
        if service in self._pauses or not record.restless(now):
            return
        if record.waited:
            record.waited = False
            return
        self._pauses[service] = now + min(FIRST_PAUSE * 2**record.pauses, LAST_PAUSE)
        record.pauses += 1
