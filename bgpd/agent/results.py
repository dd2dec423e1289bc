"""What becomes of all checks, for people: each of them, or only those that ever failed.

The cluster is told of those that fail, each second and of thousands of checks: so that is kept up
with each answer, and never worked out from the beginning.
"""

from collections.abc import Iterator, Mapping

from bgpd.health.job import JobKey, JobState
from bgpd.model.health import Health, ProbeResult
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import QuestionKey
from bgpd.policy.verdict import Answer


class Results:
    """What *hearing* makes of *states*, check by check."""

    def __init__(self, hearing: Hearing, states: Mapping[JobKey, JobState]) -> None:
        self._hearing = hearing
        self._states = states
        self._failed: dict[tuple[str, str], ProbeResult] = {}

    @property
    def every(self) -> tuple[ProbeResult, ...]:
        """Each check of each Service that was asked, in order."""
        return tuple(self.walk())

    @property
    def services(self) -> int:
        """About how many Services anything is asked."""
        return len(self._hearing.services())

    def walk(self) -> Iterator[ProbeResult]:
        """Yield each check of each Service, in order; there may be a pause before the next."""
        for service in sorted(self._hearing.services()):
            results = self._of(service)
            for check in sorted(results):
                yield results[check]

    @property
    def failed(self) -> tuple[ProbeResult, ...]:
        """Those that failed at some time since they are asked, as they were at their last news."""
        return tuple(self._failed.values())

    def note(self, key: QuestionKey) -> None:
        """Take notice that there is news of *key*: another answer, or that it is asked no more."""
        name = (key.service, key.check)
        result = self._of(key.service).get(key.check)
        if result is None:
            self._failed.pop(name, None)
        elif result.health is Health.UNHEALTHY or name in self._failed:
            self._failed[name] = result

    def _of(self, service: str) -> dict[str, ProbeResult]:
        """Return each check of *service* that was asked."""
        found = {}
        for one in self._hearing.inquiries(service):
            keys = (question.key for question in one.questions)
            states = [self._states[key] for key in keys if key in self._states]
            if states:
                found[one.check] = _result(service, one.check, self._hearing.now(one), states)
        return found


def _result(service: str, check: str, answer: Answer, states: list[JobState]) -> ProbeResult:
    return ProbeResult(
        check=check,
        service=service,
        health=answer.health,
        message=answer.message or states[0].message,
        since=max(one.since for one in states),
        failures=sum(one.failures for one in states),
        probes=sum(one.probes for one in states),
    )
