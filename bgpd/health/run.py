"""One job while it is asked again and again: its rhythm, its counters, what is believed of it."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bgpd.health.conversation import Conversation
from bgpd.health.hysteresis import Hysteresis
from bgpd.health.job import Job, JobState
from bgpd.health.kinds import Kinds, Opener
from bgpd.health.outcome import Fault, Outcome, not_asked
from bgpd.health.phase import place, slotted


class Run:
    """The mutable side of one job; the prober's alone."""

    __slots__ = (
        "_failures", "_hysteresis", "_opener", "_outcome", "_probes", "_since", "_unasked",
        "again", "alive", "armed", "asked_before", "conversation", "counted_doubtful", "deadline",
        "doubtful", "job", "period", "place", "timeout", "waiting",
    )  # fmt: skip

    def __init__(self, job: Job, salt: float) -> None:
        """Begin with nothing known."""
        self.job = job
        self.period = job.rhythm.period_milliseconds / 1000
        self.timeout = job.rhythm.timeout_milliseconds / 1000
        self.place = slotted(place(job.key, salt), self.period)
        self.alive = True
        self.conversation: Conversation | None = None
        self.deadline = 0.0
        self.armed = False
        """Whether the agenda holds a moment for the deadline of this or an earlier question."""
        self.again = False
        """Whether it came due while it was being asked."""
        self.waiting = False
        self.doubtful = False
        """Whether it did not answer in time when it was asked last."""
        self.counted_doubtful = False
        self.asked_before = False
        """Whether it only goes on, at another rhythm."""
        self._hysteresis = Hysteresis(job.rhythm)
        self._opener: Opener | Outcome | None = None
        self._outcome: Outcome | None = None
        self._since = 0.0
        self._failures = 0
        self._probes = 0
        self._unasked = 0

    @property
    def fault(self) -> Fault | None:
        """What was wrong with the last answer."""
        return None if self._outcome is None else self._outcome.fault

    def asks_like(self, job: Job) -> bool:
        """Return whether *job* puts the same question, if at another rhythm."""
        return replace(job, rhythm=self.job.rhythm) == self.job

    def at_rhythm_of(self, job: Job, salt: float) -> "Run":
        """Return a run of *job* that knows what this one does."""
        run = Run(job, salt)
        run._hysteresis = Hysteresis(job.rhythm, self._hysteresis.health)
        run._outcome, run._since = self._outcome, self._since
        run.asked_before = self._outcome is not None
        run._failures, run._probes, run._unasked = self._failures, self._probes, self._unasked
        return run

    def open(
        self, kinds: Kinds, done: "Callable[[Run, Outcome], None]", chance: random.Random
    ) -> Conversation | Outcome:
        """Return a new conversation, or why there can be none; work out once how to ask."""
        if self._opener is None:
            try:
                self._opener = kinds.opener(self.job)
            except ValueError as error:
                self._opener = not_asked(f"was not asked: {error}")
        if isinstance(self._opener, Outcome):
            return self._opener
        return self._opener(partial(done, self), chance.getrandbits(64))

    def rest(self) -> None:
        """Forget how to ask and when: whoever asks next has another loop."""
        self._opener = None
        self.armed = self.again = self.waiting = False

    def late(self, outcome: Outcome) -> Outcome:
        """Return *outcome* with how long was waited."""
        waited = f"{outcome.message} within {self.job.rhythm.timeout_milliseconds} ms"
        return Outcome(outcome.success, waited, outcome.fault)

    def observe(self, outcome: Outcome, now: float, wall: Callable[[], float]) -> bool:
        """Take in one outcome; return whether the health changed."""
        self._outcome = outcome
        if outcome.success is None:
            self._unasked += 1
        else:
            self.doubtful = outcome.fault is Fault.OVERDUE
            self._probes += 1
            self._failures += not outcome.success
        before = self._hysteresis.health
        if self._hysteresis.observe(self._said(outcome), now) is before:
            return False
        self._since = wall()
        return True

    def _said(self, outcome: Outcome) -> bool | None:
        """Return what *outcome* says of the thing that was asked."""
        silent = not outcome.success and outcome.fault is not Fault.UNEXPECTED
        return None if silent and self.job.only_answers else outcome.success

    def state(self) -> JobState:
        """Return what is known."""
        outcome, message = self._outcome, "not asked yet"
        if outcome is not None:
            message = f"{self.job.subject} {outcome.message}"
        return JobState(
            key=self.job.key,
            health=self._hysteresis.health,
            message=message,
            fault=self.fault,
            since=self._since,
            failures=self._failures,
            probes=self._probes,
            unasked=self._unasked,
        )
