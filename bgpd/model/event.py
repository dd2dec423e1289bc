"""What happened, and when: one line of the log, as it is kept for whoever asks later."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened in one process."""

    at: float
    """Wall clock, seconds since the epoch: for people, never for decisions."""
    level: str
    """`debug`, `info`, `warning` or `error`."""
    event: str
    """Its name, as in the log and in the metric's label."""
    keys: tuple[tuple[str, str], ...] = ()
    """Names and values, in the order of the log line; those without a value are left out."""
    process: str = ""
    """Whose word it is: `speaker`, `agent` or `controller`."""
