"""How many answers it takes to change a mind about one thing's health.

Nothing is known at first. So many successes in a row make it Healthy and so many failures in a
row make it Unhealthy; anything less changes nothing. Where we could not ask as often in a row
as failures would convince us, what we know is too old: Unknown, which changes nothing elsewhere.
"""

from bgpd.model.health import Health, Rhythm


class Hysteresis:
    """The health of one thing: feed what came of each probe, take what to believe."""

    __slots__ = ("_health", "_last", "_rhythm", "_since", "_streak")

    def __init__(self, rhythm: Rhythm, health: Health = Health.UNKNOWN) -> None:
        """Begin with *health*: Unknown, unless the same thing was asked at another rhythm."""
        self._rhythm = rhythm
        self._health = health
        self._since: float | None = None
        self._last: bool | None = None
        self._streak = 0

    @property
    def health(self) -> Health:
        """What is believed now."""
        return self._health

    @property
    def since(self) -> float | None:
        """The `now` of the last change; None while there was none."""
        return self._since

    def observe(self, success: bool | None, now: float) -> Health:
        """Take in one answer (None: we could not ask) and return what to believe."""
        if success is self._last:
            self._streak += 1
        else:
            self._last, self._streak = success, 1
        if self._streak >= self._threshold(success):
            believed = _MEANING[success]
            if believed is not self._health:
                self._health, self._since = believed, now
        return self._health

    def _threshold(self, success: bool | None) -> int:
        return self._rhythm.success_threshold if success else self._rhythm.failure_threshold


_MEANING = {True: Health.HEALTHY, False: Health.UNHEALTHY, None: Health.UNKNOWN}
