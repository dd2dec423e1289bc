"""What each of our processes says of itself, whatever it is there for."""

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from bgpd import stderr
from bgpd.model.status import Condition
from bgpd.telemetry import commonmetrics, logs
from bgpd.telemetry.eventcatalog import EVENTS
from bgpd.telemetry.exposition import Family, one
from bgpd.telemetry.metric import Process
from bgpd.telemetry.procnumbers import process_families


def self_report(
    process: Process, log: logging.Logger, conditions: Iterable[Condition]
) -> Iterator[Family]:
    """Yield version, events, *conditions* and what the kernel knows of us."""
    labels = (_version("bgpd"), _version("exabgp"), process.value)
    yield Family(commonmetrics.BUILD_INFO, [(labels, 1)])
    holding = sorted({(one.type, one.reason) for one in conditions if one.status})
    yield Family(commonmetrics.CONDITION, [(labels, 1) for labels in holding])
    yield Family(commonmetrics.EVENTS, sorted(_events(process, log).items()))
    yield one(commonmetrics.LOG_LINES_DROPPED, stderr.dropped())
    yield from process_families()


def _events(process: Process, log: logging.Logger) -> dict[tuple[str, str], int]:
    """Return how often each event happened; those that have not yet are there with 0."""
    known = {
        (event.name, level): 0
        for event in EVENTS
        if process.value in event.processes
        for level in event.levels
    }
    return known | logs.recorder(log).counts


@lru_cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
