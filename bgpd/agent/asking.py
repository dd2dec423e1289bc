"""From questions of policy to jobs of the prober, and from its answers to what they mean."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from bgpd.health.job import Job, JobKey, JobState
from bgpd.health.outcome import Fault
from bgpd.health.prober import Prober
from bgpd.model.health import Health, Rhythm
from bgpd.policy.probing import NODE_PORT, Question, QuestionKey, node_port_rhythm

AT_ONCE: Final = 200
"""New questions of one turn of the loop: thousands of ports take tens of milliseconds to prepare,
in the moment in which a first state is on its way."""


class Heard(NamedTuple):
    """What is believed of what one question asks for."""

    key: QuestionKey
    health: Health
    message: str


class Asking:
    """Asks what it is told to; *changed* is called at once with each news of something."""

    def __init__(self, changed: Callable[[Heard], None]) -> None:
        self._changed = changed
        self._prober = Prober(self._answered)
        self._questions: dict[QuestionKey, Question] = {}
        self._ports: set[QuestionKey] = set()
        """Those of `_questions` that are asked as often as their number allows."""
        self._pace = node_port_rhythm(0)
        self._later: dict[QuestionKey, None] = {}
        """Those of `_questions` that the prober does not know yet, or not so."""
        self._more: asyncio.Handle | None = None

    @property
    def states(self) -> Mapping[JobKey, JobState]:
        """What is known of each question that has begun."""
        return self._prober.states

    @property
    def passed(self) -> int:
        """How many probes were answered as they should be."""
        return self._prober.passed

    @property
    def failed(self) -> int:
        """How many were not; that we could not ask is not the fault of what is asked."""
        faults = self._prober.faults
        return faults.total() - faults[Fault.NOT_ASKED]

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            await self._prober.run()
        finally:
            self._wait_no_more()

    def ask(
        self, questions: Mapping[QuestionKey, Question], gone: Iterable[QuestionKey] = ()
    ) -> None:
        """Ask *questions* beside all else but what is *gone*; many begin turn by turn."""
        for key in gone:
            self._forget(key)
        for key, question in questions.items():
            self._questions[key] = question
            self._later[key] = None
            if key.check == NODE_PORT:
                self._ports.add(key)
        pace = node_port_rhythm(len(self._ports))
        if pace != self._pace:
            self._pace = pace
            self._later |= dict.fromkeys(self._ports)
        self._begin()

    def _forget(self, key: QuestionKey) -> None:
        self._questions.pop(key, None)
        self._ports.discard(key)
        self._later.pop(key, None)
        self._prober.drop(key)

    def _begin(self) -> None:
        """Let the prober know the next of what is new."""
        self._wait_no_more()
        for key in list(islice(self._later, AT_ONCE)):
            del self._later[key]
            question = self._questions[key]
            paced = key.check == NODE_PORT
            self._prober.put(_job(question, self._pace if paced else question.rhythm))
        if self._later:
            self._more = asyncio.get_running_loop().call_soon(self._begin)

    def _wait_no_more(self) -> None:
        if self._more is not None:
            self._more.cancel()
            self._more = None

    def undecided(self, key: QuestionKey) -> bool:
        """Return whether we could not ask when we last tried, or some answers were bad lately."""
        state = self._prober.states.get(key)
        if state is None:
            return False
        return state.fault is Fault.NOT_ASKED or 0 < state.failures < state.probes

    def _answered(self, state: JobState) -> None:
        key = state.key
        assert isinstance(key, QuestionKey)
        self._changed(Heard(key, state.health, state.message))


def _job(question: Question, rhythm: Rhythm) -> Job:
    """Return how *question* is put; a port that is silent is not a port that says no.

    Whoever answers for the Service may be restarting, which moves nothing; that it stays away is
    for the node's standing.
    """
    key = question.key
    return Job(
        key=key,
        probe=question.probe,
        address=key.address,
        port=key.port,
        rhythm=rhythm,
        source_address=question.source_address,
        environment=question.environment,
        only_answers=key.check == NODE_PORT,
    )
