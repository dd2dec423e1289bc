"""Whether what processes told during one recording can all be true, and is well named.

Every answer is read strictly and held against earlier ones of the same process and against what
the routers said before and after; what was said is linted at the end.
"""

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.lab import samples
from tests.lab.agreement import YOUNG, Agreement, At, States, session_of
from tests.lab.plan import Plan
from tests.lab.samples import Scraped, Series
from tests.lab.scraping import Findings

PROMTOOL: Final = "promtool"
_LINES: Final = 5
"""Of a linter's, that are told."""


@dataclass(slots=True)
class Told:
    """What one process answered."""

    node: str
    process: str
    at: float
    """Wall clock."""
    text: str = ""
    error: str = ""


class Truth:
    """What was told since a recording began."""

    def __init__(self, plan: Plan) -> None:
        self.findings = Findings()
        self._plan = plan
        self._agreement = Agreement()
        self._counts: dict[tuple[str, str], tuple[float | None, dict[Series, float]]] = {}
        self._names: dict[str, samples.Names] = {}

    @property
    def disputed(self) -> bool:
        """Whether a session is, so that it should be looked at again soon."""
        return self._agreement.open

    def hold(
        self,
        at: float,
        every: Iterable[Told],
        before: States,
        after: States,
        half_open: Callable[[At], bool],
    ) -> None:
        """Take one round: what processes told at *at*, by a monotonic clock, between two looks."""
        self.findings.rounds += 1
        gauges: dict[At, bool] = {}
        for told in every:
            scraped = self._take(told)
            if scraped is not None and told.process == "speaker":
                gauges |= self._gauges(told, scraped, after)
        self.blame(
            self._agreement.look(at, gauges=gauges, before=before, after=after, half_open=half_open)
        )

    def _take(self, told: Told) -> Scraped | None:
        if told.error:
            self.findings.unanswered += 1
            return None
        self.findings.answers += 1
        who = f"{told.node}'s {told.process}"
        try:
            scraped = samples.read(told.text)
        except samples.UnreadableError as error:
            self.blame([f"{who}: {error}"])
            return None
        self._names.setdefault(told.process, samples.Names()).add(scraped)
        self._compare(told, scraped, who)
        return scraped

    def _compare(self, told: Told, scraped: Scraped, who: str) -> None:
        """Hold counters against what they were in the same life of the process."""
        life = samples.value(scraped, "process_start_time_seconds")
        before, counts = self._counts.get((told.node, told.process), (None, {}))
        if life != before:
            counts = {}
        now = dict(samples.counts(scraped))
        self.blame(f"{who}: {one}" for one in samples.backwards(counts, now.items()))
        self._counts[told.node, told.process] = (life, counts | now)

    def _gauges(self, told: Told, scraped: Scraped, known: States) -> dict[At, bool]:
        life = samples.value(scraped, "process_start_time_seconds") or 0.0
        if told.at - life < YOUNG:
            return {}
        up = {
            session_of(self._plan, told.node, peer): bool(value)
            for peer, value in samples.gauges(scraped, "bgpd_bgp_session_up", "peer").items()
        }
        # Of a session that the router has, to say nothing is to say that it is down.
        silent = {session: False for session in known if session[0] == told.node}
        return silent | {session: value for session, value in up.items() if session is not None}

    def blame(self, problems: Iterable[str]) -> None:
        """Note *problems*, each once."""
        known = self.findings.problems
        known += [one for one in problems if one not in known]

    def lint(self, clean: set[str]) -> None:
        """Let promtool see each metric that was told; what is in *clean* it has seen."""
        for process, names in self._names.items():
            text = names.text()
            if not text or text in clean:
                continue
            try:
                done = subprocess.run(
                    [PROMTOOL, "check", "metrics"],
                    input=text, capture_output=True, text=True, check=False, timeout=30,
                )  # fmt: skip
            except FileNotFoundError:
                self.findings.unlinted = True
                if os.environ.get("CI") == "true":
                    self.blame([f"{PROMTOOL} is not installed"])
                return
            words = (done.stdout + done.stderr).strip()
            if done.returncode or words:
                self.blame(
                    f"promtool, of the {process}: {line}" for line in words.splitlines()[:_LINES]
                )
            else:
                clean.add(text)
