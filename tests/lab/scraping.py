"""The lab's end of its scraper: what every strike is recorded by, and judged by."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, Plan


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a recording came to."""

    rounds: int = 0
    answers: int = 0
    unanswered: int = 0
    problems: list[str] = field(default_factory=list)
    unlinted: bool = False
    """Whether there is no promtool."""


class Recording:
    """One strike, while it is recorded."""

    def __init__(self, scraping: "Scraping") -> None:
        self._scraping = scraping
        self.findings = Findings()

    def rest(self) -> None:
        """Scrape now, and not again for a while: what comes next is not disturbed."""
        self._scraping.order("rest")

    def end(self, **about: Any) -> Findings:
        """End it when all is well again; return what was found."""
        self.findings = self._scraping.order("end", about)
        return self.findings


class Scraping:
    """The process that scrapes one lab; it is started for the first recording."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def recorded(self, every: float, directory: Path | None = None) -> Iterator[Recording]:
        """Record from here on, *every* so many seconds, into *directory* where there is one."""
        if self._process is None:
            self._process = self._start()
        self.order("begin", (every, directory))
        recording = Recording(self)
        try:
            yield recording
        except BaseException:
            self.order("leave")
            raise

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def order(self, verb: str, argument: object = None) -> Any:
        """Give the scraper an order and return its answer."""
        assert self._process is not None
        return self._say(self._process, (verb, argument))

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._directory / "scraper.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.scraper"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._say(process, (self._plan, self._directory))
        return process

    def _say(self, process: subprocess.Popen[bytes], order: object) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(order, process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)  # noqa: S301 - what we started
        except (BrokenPipeError, EOFError):
            raise LabError(f"the scraper ended; see {self._directory}/scraper.log") from None
