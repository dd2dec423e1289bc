"""A real Prometheus over what was recorded, for tests that ask it as Grafana would.

Each recording has an hour of its own, a scrape each 15 s; nothing is scraped while it runs.
"""

import http.client
import json
import math
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.chart.recording import Recording

STEP_SECONDS: Final = 15
_START: Final = 1_700_000_000 - 1_700_000_000 % 7200
_HOUR: Final = 3600
_PATIENCE_SECONDS: Final = 60.0
_LISTENING: Final = re.compile(r'"?Listening on"? address=127\.0\.0\.1:(?P<port>\d+)\s')
"""The kernel chose the port; the line is whole when its end is there."""

Row = Mapping[str, str]
"""The labels of one series that was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One series that was answered."""

    labels: Row
    points: tuple[tuple[float, float], ...]
    """Moment and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """One that runs, and when each recording was."""

    port: int
    hours: Mapping[str, tuple[int, int]]
    """First and last scrape, by the recording's name."""

    def rows(self, query: str, recording: str, step: int = STEP_SECONDS) -> list[Row]:
        """Return the labels of what *query* has a number for during the recording."""
        return [
            answer.labels
            for answer in self.ranged(query, recording, step)
            if any(math.isfinite(value) for _, value in answer.points)
        ]

    def ranged(self, query: str, recording: str, step: int) -> list[Answer]:
        """Return what *query* is during the recording, each *step* seconds."""
        start, end = self.hours[recording]
        asked = {"query": query, "start": start, "end": end, "step": step}
        rows = self._get("/api/v1/query_range", asked)["result"]
        return [_answer(row["metric"], row["values"]) for row in rows]

    def instant(self, query: str, recording: str) -> list[Answer]:
        """Return what *query* is at the end of the recording."""
        asked = {"query": query, "time": self.hours[recording][1]}
        rows = self._get("/api/v1/query", asked)["result"]
        return [_answer(row["metric"], [row["value"]]) for row in rows]

    def label_values(self, series: str, label: str, recording: str) -> list[str]:
        """Return the values of *label* that *series* had during the recording."""
        start, end = self.hours[recording]
        asked = {"match[]": series, "start": start, "end": end}
        found: list[str] = self._get(f"/api/v1/label/{label}/values", asked)
        return found

    def _get(self, path: str, asked: Mapping[str, object]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", f"{path}?{urlencode(asked)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", (asked, answer)
        return answer["data"]

    def ready(self) -> bool:
        """Return whether it answers questions."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _answer(labels: Row, points: Iterable[tuple[float, str]]) -> Answer:
    return Answer(labels=labels, points=tuple((at, float(value)) for at, value in points))


def openmetrics(recording: Recording, start: int, cluster: str = "") -> Iterator[str]:
    """Yield the lines of a recording of a *cluster*, as promtool makes blocks of them."""
    label = f'{{cluster="{cluster}",' if cluster else "{"
    total = len(recording.seconds)
    for name, values in recording.stretched(step=STEP_SECONDS, total=total).items():
        moment = name.partition("{")[0].endswith("_timestamp_seconds")
        for index, value in enumerate(values):
            if value is not None:
                told = value + start if moment else value
                yield f"{name.replace('{', label, 1)} {told!r} {start + index * STEP_SECONDS}\n"


@contextmanager
def prometheus(
    recordings: Mapping[str, Recording], directory: Path, *, cluster: str = ""
) -> Iterator[Prometheus]:
    """Run one over *recordings*, until the block ends.

    Their series say which *cluster* they are of; empty: none, as where there is only one.
    """
    hours = {}
    lines: list[str] = []
    for number, (name, recording) in enumerate(recordings.items()):
        start = _START + number * _HOUR
        hours[name] = (start, start + (len(recording.seconds) - 1) * STEP_SECONDS)
        lines += openmetrics(recording, start, cluster)
    text, data = directory / "recordings.om", directory / "data"
    text.write_text("".join(lines) + "# EOF\n")
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(make, check=True, capture_output=True, timeout=_PATIENCE_SECONDS)
    config, log = directory / "prometheus.yml", directory / "prometheus.log"
    config.write_text("{}\n")
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--query.lookback-delta={STEP_SECONDS + 5}s",
        "--web.listen-address=127.0.0.1:0",
    ]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _await(lambda: _LISTENING.search(log.read_text()) is not None, process, log)
            match = _LISTENING.search(log.read_text())
            assert match is not None
            found = Prometheus(port=int(match["port"]), hours=hours)
            _await(found.ready, process, log)
            yield found
        finally:
            process.kill()


def _await(done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
