"""From questions of policy to jobs of the prober, and from its answers to what they mean."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from bgpd.health.job import Job, JobState
from bgpd.health.outcome import Fault
from bgpd.health.prober import Prober
from bgpd.model.health import Health, ProbeResult
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import NODE_PORT, Question, QuestionKey

AT_ONCE: Final = 200
"""New questions of one turn of the loop: thousands of ports take tens of milliseconds to prepare,
in the moment in which a first state is on its way."""


class Heard(NamedTuple):
    """What is believed of what one question asks for."""

    key: QuestionKey
    health: Health
    message: str


class Asking:
    """Asks what it is told to; *changed* is called at once when something changed its health."""

    def __init__(self, changed: Callable[[Heard], None]) -> None:
        self._changed = changed
        self._prober = Prober(self._answered)
        self._jobs: dict[QuestionKey, tuple[Question, Job]] = {}
        self._more: asyncio.Handle | None = None

    def __len__(self) -> int:
        """Return how many questions have begun."""
        return len(self._prober.states)

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            await self._prober.run()
        finally:
            self._wait_no_more()

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask *questions* and nothing else from now on; many new ones begin turn by turn."""
        jobs: dict[QuestionKey, tuple[Question, Job]] = {}
        for one in questions:
            known = self._jobs.get(one.key)
            jobs[one.key] = known if known and known[0] == one else (one, _job(one))
        self._jobs = jobs
        self._begin()

    def _begin(self) -> None:
        """Let the prober know the next new jobs, beside all that it has."""
        self._wait_no_more()
        known = frozenset(self._prober.states)
        new = [job for _, job in self._jobs.values() if job.key not in known]
        later = {job.key for job in new[AT_ONCE:]}
        self._prober.set(job for _, job in self._jobs.values() if job.key not in later)
        if later:
            self._more = asyncio.get_running_loop().call_soon(self._begin)

    def _wait_no_more(self) -> None:
        if self._more is not None:
            self._more.cancel()
            self._more = None

    def refusals(self) -> Iterator[Heard]:
        """Yield the ports of Services that say no, or that are silent."""
        known = self._prober.states
        for key in self._jobs:
            if key.check == NODE_PORT:
                state = known.get(key)
                if state is not None and state.health is Health.UNHEALTHY:
                    yield _heard(key, state)

    def unasked(self, key: QuestionKey) -> bool:
        """Return whether we could not ask, the last time that we tried."""
        state = self._prober.states.get(key)
        return state is not None and state.fault is Fault.NOT_ASKED

    def results(self, hearing: Hearing) -> list[ProbeResult]:
        """Return each check of each Service with what *hearing* makes of its answers."""
        by_check: dict[tuple[str, str], list[JobState]] = {}
        for key in hearing.questions:
            with suppress(KeyError):
                by_check.setdefault(key[:2], []).append(self._prober.states[key])
        return [
            _result(service, check, states, hearing)
            for (service, check), states in sorted(by_check.items())
        ]

    def _answered(self, state: JobState) -> None:
        key = state.key
        assert isinstance(key, QuestionKey)
        self._changed(_heard(key, state))


def _heard(key: QuestionKey, state: JobState) -> Heard:
    """Return what an answer means: a port that is silent is not a port that says no.

    Whoever answers for the Service may be restarting, which moves nothing; that it stays away is
    for the node's standing.
    """
    silent = state.fault is not None and state.fault is not Fault.UNEXPECTED
    if key.check == NODE_PORT and state.health is Health.UNHEALTHY and silent:
        return Heard(key, Health.UNKNOWN, state.message)
    return Heard(key, state.health, state.message)


def _result(service: str, check: str, states: list[JobState], hearing: Hearing) -> ProbeResult:
    answer = hearing.answers(service).get(check)
    return ProbeResult(
        check=check,
        service=service,
        health=answer.health if answer else Health.UNKNOWN,
        message=(answer.message if answer else "") or states[0].message,
        since=max(one.since for one in states),
        failures=sum(one.failures for one in states),
        probes=sum(one.probes for one in states),
    )


def _job(question: Question) -> Job:
    key = question.key
    return Job(
        key=key,
        probe=question.probe,
        address=key.address,
        port=key.port,
        rhythm=question.rhythm,
        source_address=question.source_address,
        environment=question.environment,
    )
