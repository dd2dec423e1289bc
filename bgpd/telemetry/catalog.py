"""Every metric that any of our processes exposes, in one table.

Code, docs, alert rules and dashboards are checked against it: what is not in here does not exist.
Labels have the words of the log, the status and the conditions: `Established`, `Alive`, a
`Reason`. Series vanish with the peer, the member or the Service that they are about.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from bgpd.telemetry import agentmetrics, commonmetrics, controllermetrics, speakermetrics
from bgpd.telemetry.metric import Kind, Metric, Process

_MODULES: Final = (commonmetrics, speakermetrics, agentmetrics, controllermetrics)


def _constants() -> Iterator[Metric]:
    for module in _MODULES:
        yield from (value for value in vars(module).values() if isinstance(value, Metric))


CATALOG: Final[tuple[Metric, ...]] = tuple(_constants())
"""All of them, those of every process first."""
BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in CATALOG}


def exposed_by(process: Process) -> tuple[Metric, ...]:
    """Return the metrics of *process*."""
    return tuple(metric for metric in CATALOG if process in metric.processes)


def series_of(metric: Metric) -> tuple[str, ...]:
    """Return the names of the series that *metric* has in Prometheus."""
    if metric.kind is Kind.HISTOGRAM:
        return tuple(f"{metric.name}_{part}" for part in ("bucket", "count", "sum"))
    return (metric.name,)


__all__ = ["BY_NAME", "CATALOG", "Kind", "Metric", "Process", "exposed_by", "series_of"]
