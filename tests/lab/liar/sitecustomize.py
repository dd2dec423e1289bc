"""Let every process of ours lie to Prometheus: in each Python process that finds this module.

Sessions are told to be the other way round, a counter goes back with each scrape, and one metric
has a name that no counter should have.
"""

from collections.abc import Iterator
from itertools import count

from bgpd.telemetry import exposition
from bgpd.telemetry.commonmetrics import LOG_LINES_DROPPED
from bgpd.telemetry.exposition import Family
from bgpd.telemetry.speakermetrics import SESSION_UP

_TRUTH = exposition._lines
_BACKWARDS = count(1_000_000, -1)
_BADLY_NAMED = "# HELP bgpd_lie A counter.\n# TYPE bgpd_lie counter\nbgpd_lie 1"


def _lines(family: Family) -> Iterator[str]:
    if family.metric is SESSION_UP:
        for labels, up in family.samples:
            yield f'{SESSION_UP.name}{{peer="{labels[0]}"}} {0 if up else 1}'
    elif family.metric is LOG_LINES_DROPPED:
        yield f"{LOG_LINES_DROPPED.name} {next(_BACKWARDS)}"
        yield _BADLY_NAMED
    else:
        yield from _TRUTH(family)


exposition._lines = _lines
