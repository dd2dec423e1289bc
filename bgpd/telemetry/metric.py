"""One metric: its name, what it says in a sentence, and what its labels can be."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How a number moves."""

    GAUGE = "gauge"
    """It is what it is now."""
    COUNTER = "counter"
    """It only grows while the process lives."""
    HISTOGRAM = "histogram"
    """It counts observations by their size."""


class Process(StrEnum):
    """Who exposes a metric."""

    SPEAKER = "speaker"
    AGENT = "agent"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the catalog."""

    name: str
    kind: Kind
    help: str
    """A sentence for whoever finds the name in a graph."""
    labels: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Label -> all its values, of those that are known beforehand: their series always exist."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, in the metric's unit, without +Inf."""
    processes: tuple[Process, ...] = (Process.SPEAKER,)
