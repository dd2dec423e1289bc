"""Scrapes of a speaker in a namespace, read by Prometheus' own parser."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from bgpd.model.port import SPEAKER_METRICS_PORT
from tests.exabgp.space import Space, eventually
from tests.lacking import lacking

_FETCH: Final = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status)
print(answer.read().decode(), end="")
"""


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape says."""

    text: str
    counters: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    gauges: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "Scrape":
        """Return what *text* says; counts of histograms are counters."""
        found = cls(text)
        for family in text_string_to_metric_families(text):
            kind = found.gauges if family.type == "gauge" else found.counters
            for sample in family.samples:
                kind[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def get(self, name: str, **labels: str) -> float | None:
        """Return the value of one series; None where it is not there."""
        key = (name, tuple(sorted(labels.items())))
        return self.gauges.get(key, self.counters.get(key))

    def went_back(self, before: "Scrape") -> list[str]:
        """Return the counters that are lower than *before*."""
        return [
            f"{name}{dict(labels)}: {before.counters[name, labels]} -> {value}"
            for (name, labels), value in self.counters.items()
            if value < before.counters.get((name, labels), 0.0)
        ]

    def about(self, label: str, value: str) -> list[str]:
        """Return the names of the series with this label."""
        keys = (*self.gauges, *self.counters)
        return sorted({name for name, labels in keys if (label, value) in labels})


def page(space: Space, path: str, *, address: str = "127.0.0.1") -> tuple[int, str]:
    """Return the status and the body of a page of the speaker in *space*."""
    url = f"http://{address}:{SPEAKER_METRICS_PORT}{path}"
    out = space.run(sys.executable, "-c", _FETCH, url)
    status, _, body = out.partition("\n")
    return int(status), body


def served(space: Space, *, address: str = "127.0.0.1") -> None:
    """Wait until the speaker in *space* serves its pages: it takes agents a moment before."""
    listens = f"{address}:{SPEAKER_METRICS_PORT}"
    eventually(lambda: listens in space.run("ss", "-ltnH"), f"a listener on {listens}")


def scrape(space: Space, *, address: str = "127.0.0.1") -> Scrape:
    """Return what the speaker in *space* exposes now."""
    status, body = page(space, "/metrics", address=address)
    assert status == 200, body
    return Scrape.of(body)


def lint(text: str) -> str:
    """Return what Prometheus' linter complains of in *text*."""
    promtool = shutil.which("promtool")
    if promtool is None:
        lacking("promtool is not installed", unproven="that metrics are as Prometheus wants them")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}" or ("" if done.returncode == 0 else "promtool failed")
