"""Ask thousands of things whether they work, each at its own rhythm, in the agent's one loop.

There is no task and no timer for each job: one agenda holds the moments at which something is
due or has been waited for too long, one timer of the loop stands for the earliest of them, and
one epoll for all sockets (`bgpd.health.poller`). A moment is kept to a few milliseconds. When
the loop was late itself, answers that lie ready are read before anything is called overdue.

A thing that is due while it is still being asked is not asked twice: its turn comes as soon as
the answer, or the timeout, is there. Things that did not answer last time take at most half of
the places, so that thousands that hang delay none that work.
"""

import asyncio
import random
import resource
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Self

from bgpd.health.agenda import Agenda
from bgpd.health.conversation import Conversation, safely
from bgpd.health.job import Job, JobKey, JobState
from bgpd.health.kinds import Kinds
from bgpd.health.outcome import Fault, Outcome, not_asked
from bgpd.health.phase import first_due, looked_at, next_due
from bgpd.health.poller import Poller
from bgpd.health.run import Run

TICK: Final = 0.001
"""Moments this close are kept together."""
_TURNS: Final = 16
"""Batches of answers that are read before anything is called overdue."""
_MOST_AT_ONCE: Final = 4096


class Prober:
    """Whatever is to be asked: `set` says what, `run` does it, `states` says what is known."""

    def __init__(
        self,
        changed: Callable[[JobState], None],
        *,
        concurrency: int | None = None,
        chance: random.Random | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Call *changed* at once whenever the health of a job changed while it is asked.

        *concurrency* is how many may be asked at one instant; None: as many as half of this
        process's file descriptors, and no more than 4096.
        """
        self._changed = changed
        self._concurrency = concurrency or _descriptors()
        self._chance = chance or random.SystemRandom()
        self._wall = wall
        self._salt = self._chance.random()
        self._runs: dict[JobKey, Run] = {}
        self._agenda = Agenda()
        self._waiting: deque[Run] = deque()
        self._waiting_doubtful: deque[Run] = deque()
        self._talking = 0
        self._doubtful = 0
        self._running: _Running | None = None
        self.faults: Counter[Fault] = Counter()
        """What was wrong with answers, in all."""
        self.passed = 0
        """Answers with which nothing was wrong, in all."""

    @property
    def states(self) -> Mapping[JobKey, JobState]:
        """What is known of each job."""
        return _States(self._runs)

    def set(self, jobs: Iterable[Job]) -> None:
        """Ask for *jobs* and nothing else from now on.

        An unchanged job keeps its state and its place in time; one that is merely asked at
        another rhythm keeps its health; any other begins anew, Unknown, without a call of
        `changed`.
        """
        wanted = {job.key: job for job in jobs}
        for key in [key for key in self._runs if key not in wanted]:
            self.drop(key)
        for job in wanted.values():
            self.put(job)

    def put(self, job: Job) -> None:
        """Ask for *job* from now on, beside all others, in place of what had its key; see `set`."""
        run = self._runs.get(job.key)
        if run is not None:
            if run.job is job or run.job == job:
                return
            self._replace(job.key, job)
        if job.key not in self._runs:
            self._add(Run(job, self._salt))
        self._arm()

    def drop(self, key: JobKey) -> None:
        """Ask no more for the job of *key*."""
        if key in self._runs:
            self._replace(key, None)
            self._arm()

    async def run(self) -> None:
        """Ask until cancelled; then leave no socket and no program behind."""
        loop = asyncio.get_running_loop()
        with _Running(loop) as running:
            self._running = running
            try:
                for run in self._runs.values():
                    self._begin(run)
                self._arm()
                await running.failure
            finally:
                self._stop()
                await running.kinds.ended()

    def _stop(self) -> None:
        for run in self._runs.values():
            self._hang_up(run)
            run.rest()
        self._waiting.clear()
        self._waiting_doubtful.clear()
        self._agenda.clear()
        self._running = None

    def _add(self, run: Run) -> None:
        self._runs[run.job.key] = run
        if self._running is not None:
            self._begin(run)

    def _begin(self, run: Run) -> None:
        assert self._running is not None
        now = self._running.loop.time()
        due = first_due(now, run.period, self._chance.random())
        if run.asked_before:
            # Thousands that share a rhythm change it together; they know enough to wait.
            due = next_due(now, run.period, run.place)
        self._agenda.add(due, run, due=True)

    def _replace(self, key: JobKey, job: Job | None) -> None:
        """End the run of *key*; begin another for the same question at another rhythm."""
        old = self._runs.pop(key)
        self._hang_up(old)
        old.alive = False
        self._agenda.forget()
        if job is not None and old.asks_like(job):
            self._add(old.at_rhythm_of(job, self._salt))
        self._serve()

    def _hang_up(self, run: Run) -> None:
        conversation = run.conversation
        if conversation is not None:
            self._free(run)
            conversation.close()
        run.waiting = run.again = False

    def _tick(self) -> None:
        """Keep the moments that have come."""
        running = self._running
        if running is None:
            return
        running.timer = None
        for _ in range(_TURNS):
            if not running.poller.turn():
                break
        now = running.loop.time()
        for moment in self._agenda.take(now + TICK / 2):
            if not moment.run.alive:
                continue
            if moment.due:
                self._due(moment.run, max(now, moment.when))
            else:
                self._overdue(moment.run, now)
        self._arm()

    def _arm(self) -> None:
        """Set the one timer for the earliest moment."""
        running, earliest = self._running, self._agenda.earliest()
        if running is None or earliest is None:
            return
        if running.timer is not None:
            if running.timer.when() <= earliest + TICK:
                return
            running.timer.cancel()
        running.timer = running.loop.call_at(earliest, self._tick)

    def _due(self, run: Run, now: float) -> None:
        self._agenda.add(next_due(now, run.period, run.place), run, due=True)
        if run.conversation is not None:
            run.again = True
        elif run.waiting:
            self._count(run, not_asked(f"was not asked: {self._talking} others are being asked"))
        else:
            self._ask(run)

    def _overdue(self, run: Run, now: float) -> None:
        run.armed = False
        if run.conversation is None:
            return
        if run.deadline > now + TICK / 2:
            self._watch_deadline(run)
            return
        outcome = run.conversation.overdue()
        self._finish(run, run.late(outcome))

    def _watch_deadline(self, run: Run) -> None:
        """Note the deadline, once: the moment noted before may be an earlier one."""
        if not run.armed:
            run.armed = True
            self._agenda.add(looked_at(run.deadline, run.timeout), run, due=False)

    def _ask(self, run: Run) -> None:
        if not self._has_place(run):
            run.waiting = True
            (self._waiting_doubtful if run.doubtful else self._waiting).append(run)
            return
        run.again = False
        assert self._running is not None
        conversation = run.open(self._running.kinds, self._done, self._chance)
        if isinstance(conversation, Outcome):
            self._count(run, conversation)
            return
        # What goes wrong with one must not keep the others of this turn from being asked.
        outcome = safely(conversation.start)
        if outcome is not None:
            conversation.close()
            self._count(run, outcome)
            return
        self._take(run, conversation)
        # From now on, and not from when it was due: a hundred others may have come before it.
        run.deadline = self._running.loop.time() + run.timeout
        self._watch_deadline(run)

    def _has_place(self, run: Run) -> bool:
        if self._talking >= self._concurrency:
            return False
        return not run.doubtful or self._doubtful < max(self._concurrency // 2, 1)

    def _take(self, run: Run, conversation: Conversation) -> None:
        run.conversation = conversation
        run.counted_doubtful = run.doubtful
        self._talking += 1
        self._doubtful += run.doubtful

    def _free(self, run: Run) -> None:
        run.conversation = None
        self._talking -= 1
        self._doubtful -= run.counted_doubtful

    def _done(self, run: Run, outcome: Outcome) -> None:
        """Take in what a conversation says."""
        self._finish(run, outcome)
        self._arm()

    def _finish(self, run: Run, outcome: Outcome) -> None:
        assert self._running is not None
        self._free(run)
        self._count(run, outcome)
        self._serve()
        if run.again and run.alive and run.conversation is None:
            self._ask(run)

    def _serve(self) -> None:
        """Give free places to those that wait longest, if anybody is asked at all."""
        for waiting in (self._waiting, self._waiting_doubtful):
            while self._running is not None and waiting and self._has_place(waiting[0]):
                run = waiting.popleft()
                if run.alive and run.waiting:
                    run.waiting = False
                    self._ask(run)

    def _count(self, run: Run, outcome: Outcome) -> None:
        assert self._running is not None
        if outcome.fault is None:
            self.passed += 1
        else:
            self.faults[outcome.fault] += 1
        if run.observe(outcome, self._running.loop.time(), self._wall):
            self._tell(run)

    def _tell(self, run: Run) -> None:
        assert self._running is not None
        try:
            self._changed(run.state())
        except BaseException as error:  # noqa: BLE001 - ends `run`, see there
            self._running.fail(error)


class _Running:
    """What exists while a prober runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.poller = Poller(loop)
        self.kinds = Kinds(loop, self.poller)
        self.timer: asyncio.TimerHandle | None = None
        self.failure: asyncio.Future[None] = loop.create_future()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.poller.close()

    def fail(self, error: BaseException) -> None:
        """End with *error*, which is not the probes' and must not be lost."""
        if not self.failure.done():
            self.failure.set_exception(error)


class _States(Mapping[JobKey, JobState]):
    """A view that makes a state when it is looked at: 2,000 a second are not."""

    def __init__(self, runs: Mapping[JobKey, Run]) -> None:
        self._runs = runs

    def __getitem__(self, key: JobKey) -> JobState:
        return self._runs[key].state()

    def __contains__(self, key: object) -> bool:
        return key in self._runs

    def __iter__(self) -> Iterator[JobKey]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_AT_ONCE
    return max(16, min(soft // 2, _MOST_AT_ONCE))
