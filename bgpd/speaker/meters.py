"""What the reflex measures of itself between two scrapes."""

from collections.abc import Mapping
from typing import Final

from bgpd.model.timeline import Failover, StepName
from bgpd.speaker.dialogue import Dialogue
from bgpd.speaker.starts import Starts
from bgpd.telemetry import speakermetrics
from bgpd.telemetry.instruments import Histogram, Ratchet

_ON_THE_WAY: Final = frozenset({StepName.FLUSHED, StepName.LAST})


class Meters:
    """Histograms and counts; to write one down costs no more than a heartbeat can spare."""

    def __init__(self, starts: Starts) -> None:
        self.dialogue = Dialogue()
        self.starts = starts
        self.lag = Histogram(speakermetrics.LOOP_LAG)
        self.failovers: Mapping[str, Histogram] = {
            cause: Histogram(speakermetrics.FAILOVER_SECONDS) for cause in speakermetrics.CAUSES
        }
        self.ratchet = Ratchet()
        """For counts of things that may be made anew while we run."""

    def woken(self, late: float) -> None:
        """Note that the loop came *late* to its timer; before its time something else woke it."""
        if late >= 0:
            self.lag.observe(late)

    def failover(self, failover: Failover) -> None:
        """Count how long *failover*, which is over, took."""
        seconds = duration(failover)
        histogram = self.failovers.get(failover.kind)
        if seconds is not None and histogram is not None:
            histogram.observe(seconds)


def duration(failover: Failover) -> float | None:
    """Return the seconds from the cause to the last session that heard; None where none did.

    Of a record that sums up several causes it is what the slowest of them took.
    """
    if failover.slowest_milliseconds is not None:
        return failover.slowest_milliseconds / 1000
    flushed = [step.milliseconds for step in failover.steps if step.name in _ON_THE_WAY]
    return max(flushed) / 1000 if flushed else None
