"""When to tell the agent and when to write to disk: soon after a change, and not too often."""

REPORT_SECONDS = 5.0
"""The agent hears from us at least so often."""
REPORT_PAUSE = 0.1
"""And at most so often, so that a burst of changes is one report."""
REPORT_SHARE = 0.05
"""The part of the time that may go into reports: with ten thousand routes one takes a while."""
SAVE_PAUSE = 1.0
"""The desired state is written at most so often."""


class Cadence:
    """Two deadlines that changes pull nearer."""

    def __init__(self, now: float) -> None:
        self._report = now
        self._rest_until = now
        self._save: float | None = None

    @property
    def deadline(self) -> float:
        """When the next of the two is due."""
        return self._report if self._save is None else min(self._report, self._save)

    def report_soon(self, now: float) -> None:
        """Note that a report would say something new."""
        self._report = min(self._report, max(now + REPORT_PAUSE, self._rest_until))

    def reported(self, took: float, now: float) -> None:
        """Note that a report *took* some seconds to make: the next waits the longer for it."""
        self._rest_until = now + took / REPORT_SHARE
        self._report = max(self._report, self._rest_until)

    def save_soon(self, now: float) -> None:
        """Note that the disk is behind."""
        if self._save is None:
            self._save = now + SAVE_PAUSE

    def report_due(self, now: float) -> bool:
        """Return whether to report now; the next report is then planned."""
        if now < self._report:
            return False
        self._report = now + REPORT_SECONDS
        return True

    def save_due(self, now: float) -> bool:
        """Return whether to save now; the disk is then not behind any more."""
        if self._save is None or now < self._save:
            return False
        self._save = None
        return True
