"""What the agent sees of its node: probes, netlink and time in; verdicts and the standing out.

A probe that changes its mind about a Service costs one decision and leaves at once, as a change of
an EndpointSlice does. What concerns the node as a whole is the `Standing`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from bgpd.agent.asking import Asking, Heard
from bgpd.agent.boot import Health as Kept
from bgpd.agent.boot import Recalled
from bgpd.agent.counting import Counting
from bgpd.agent.judging import Judge
from bgpd.agent.noting import Note, StartLog, nowhere
from bgpd.agent.parts import Parts
from bgpd.agent.results import Results
from bgpd.host.facts import HostFacts
from bgpd.host.watcher import Watcher
from bgpd.ipc.message import Standing
from bgpd.model.health import ProbeResult
from bgpd.model.member import DrainTrigger, NodeName
from bgpd.model.prefix import Prefix
from bgpd.model.status import Condition, DrainPhase, HealthStatus, MemberState, SpeakerStatus
from bgpd.policy.context import Context
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import QuestionKey
from bgpd.policy.standing import KUBE_PROXY, Evidence, doubt_conditions
from bgpd.policy.startup import Boot, Gate, Look

_TIDY_SECONDS: Final = 10
_SOON_SECONDS: Final = 0.005
"""How soon new questions are asked; answers take longer."""
_SHARE: Final = 0.1
"""The part of the time that may be spent on lists of questions."""


class Acts(Protocol):
    """What is to be done about what was seen."""

    def decide_again(self, services: Iterable[str]) -> None:
        """Decide on *services* and tell the speaker."""

    def decide_everything(self) -> None:
        """Decide on every Service and tell the speaker."""

    def stand(self, standing: Standing) -> None:
        """Tell the speaker how the node is as a whole, now and with everything desired."""

    def prefixes(self) -> Iterable[Prefix]:
        """Return what is advertised, or could be."""


class Watching:
    """Everything that is asked and seen on this node; `run` it in a task."""

    def __init__(
        self,
        node: NodeName,
        recalled: Recalled,
        acts: Acts,
        clock: Callable[[], float],
        note: Note = nowhere,
    ) -> None:
        """Watch *node*, with what was *recalled*; *note* hears what a start waits for."""
        now = clock()
        self._acts = acts
        self._clock = clock
        self._evidence = Evidence(
            heard=recalled.heard, missed=recalled.missed, doubted=recalled.doubted
        )
        self._parts = Parts(self._evidence, clock)
        self._gate = Gate(recalled.boot, node, now)
        self._start_log = StartLog(note, self._gate, recalled.boot, clock)
        self._awaited = KUBE_PROXY in self._evidence.missed and not self._gate.open
        self._began = now
        if recalled.boot is Boot.SAME:
            self._evidence.give_up()
        hearing = Hearing(
            node,
            starting=not self._gate.open,
            ports=self._awaited,
            withheld=recalled.withheld,
        )
        self.judge = Judge(node, hearing=hearing, clock=clock)
        self.judge.general = self._gate.verdict
        self.judge.prepare = self._prepare
        self._counting = Counting(acts.prefixes, self._counted, busy=recalled.busy)
        self._asking = Asking(self._answered)
        self._results = Results(hearing, self._asking.states)
        self._asked_parts: frozenset[QuestionKey] = frozenset()
        self._watcher = Watcher(self._saw)
        self._context: Context | None = None
        self._followed: Context | None = None
        self._standing: Standing | None = Standing()
        """What the speaker knows; None: it is to be told in any case."""
        self._doubt: tuple[str, ...] = ()
        self._doubted = dict(recalled.doubted)
        self._unread = ""
        self._draining = recalled.busy is not None
        """Whether the speaker drains the node."""
        self._drained = False
        """Whether it was told to."""
        self._overdue = False
        """Whether what holds for every Service changed, and they were not decided on since."""
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._refreshing = False
        self._beats = 0

    async def run(self) -> None:
        """Ask and watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._asking.run(), name="asking")
                group.create_task(self._watcher.run(), name="watcher")
                group.create_task(self._counting.run(), name="counting")
        finally:
            for one in (self._timer, self._soon):
                if one is not None:
                    one.cancel()

    def follow(self, *, complete: bool) -> None:
        """Ask what the last decisions want to be asked; *complete*: none is missing."""
        context = self._context
        if context is None:
            return
        anew = context is not self._followed
        if anew:
            self._followed = context
            policy = context.policy.health
            looked_at = context.peers if policy.carrier or policy.gateway else ()
            self._watcher.set_peers(one.address for one in looked_at)
            self._parts.follow(policy)
            self.judge.asks_anew = True
        if self.judge.asks_anew and self._soon is None:
            # A thousand endpoints that move at once are one new list, not a thousand.
            self._soon = asyncio.get_running_loop().call_later(self._pause, self._ask)
        hearing = self.judge.hearing
        if complete:
            hearing.settle()
            if hearing.starting and self._gate.open and not hearing.waiting:
                hearing.starting, anew = False, True
                self._start_log.over()
        # A lost endpoint comes by here: it must not wait for a look at everything else.
        if anew or self._pausing() is not None:
            self.refresh()

    def beat(self) -> None:
        """Do once a second what nobody calls for."""
        self._beats += 1
        if self._beats % _TIDY_SECONDS == 0:
            self.judge.flapping.tidy(self._clock())
        self.refresh()

    @property
    def kept(self) -> Kept:
        """What the next agent should know."""
        return Kept(
            opened=self._gate.open,
            heard=self._parts.heard,
            missed=tuple(sorted(self._evidence.missed)),
            doubted=self._doubted,
            busy=self._counting.busy,
            withheld=self.judge.hearing.withheld,
        )

    # What the node is as a whole

    def _prepare(self, context: Context) -> None:
        """Take in the policy of *context* before the decisions under it."""
        self._context = context
        # Before the first decisions nothing has to be decided again.
        opened = self._look_at_gate(context, self._clock())
        self._overdue |= opened and self._followed is not None
        self._stand(context, self._clock())

    def refresh(self) -> None:
        """See what time, answers and events have changed, act on it, and set the timer."""
        context = self._context
        if context is None or self._refreshing:
            return
        self._refreshing = True
        try:
            now = self._clock()
            if self._look_at_gate(context, now) or self._overdue:
                self._overdue = False
                self._acts.decide_everything()
            services = (*self.judge.flapping.due(now), *self.judge.lingering.due(now))
            hearing = self.judge.hearing
            if hearing.waiting and now >= self._began + context.policy.startup.patience_seconds:
                services = (*services, *hearing.give_up(self._asking.undecided))
            if services:
                self._acts.decide_again(services)
            self._stand(context, now)
            self._arm(context, now)
        finally:
            self._refreshing = False

    def _pausing(self) -> float | None:
        """Return when the next Service may come back, or keeps its routes no longer."""
        ends = (self.judge.flapping.deadline(), self.judge.lingering.deadline())
        return min((at for at in ends if at is not None), default=None)

    def _look_at_gate(self, context: Context, now: float) -> bool:
        policy = context.policy
        look = Look(
            policy=policy.startup,
            kube_proxy=self._evidence.health(KUBE_PROXY),
            awaited=self._awaited and bool(policy.health.kube_proxy),
        )
        changed = self._gate.look(look, now)
        self._start_log.looked()
        if not changed:
            return False
        if self._gate.patience_over:
            self._evidence.give_up()
        self.judge.general = self._gate.verdict
        return True

    def heard(self, speaker: SpeakerStatus | None) -> None:
        """Take in what the speaker says of itself: a person may drain the node there."""
        if speaker is None:
            return
        draining = speaker.drain.phase is not DrainPhase.NOT_DRAINING
        if draining is not self._draining:
            self._draining = draining
            self.refresh()

    def _counted(self) -> None:
        """Tell what was counted, also where it is the same: the speaker waits for the first."""
        self._standing = None
        self.refresh()

    def doubt_reading(self, sentence: str) -> None:
        """Doubt the node for what is not known of the cluster; without a *sentence* no more."""
        if sentence != self._unread:
            self._unread = sentence
            self.refresh()

    def _stand(self, context: Context, now: float) -> None:
        patient = context.policy.drain is DrainTrigger.WAIT_FOR_CONNECTIONS
        self._counting.want(wanted=patient and (self._draining or bool(context.drain)))
        busy = self._counting.busy
        # Told that a drain begins without a count, the speaker would take it that there is nothing
        # to wait for; the count takes a moment.
        waits = patient and busy is None and not self._drained
        drain = "" if waits else context.drain
        self._drained = bool(drain)
        patience = context.policy.health.doubt_seconds
        doubt = self._evidence.doubt(patience, now)
        self._doubted = self._evidence.doubted(patience, now)
        self._doubt = (*doubt, self._unread) if self._unread else doubt
        partial = self.judge.hearing.starting or not self._gate.open
        standing = Standing(drain=drain, doubt=self._doubt, busy=busy or (), partial=partial)
        if standing != self._standing:
            self._standing = standing
            self._acts.stand(standing)

    def _arm(self, context: Context, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        policy = context.policy
        times = (
            self._gate.deadline(policy.startup),
            self._evidence.deadline(policy.health.doubt_seconds, now),
            self._pausing(),
        )
        due = min((at for at in times if at is not None), default=None)
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, due - now), self.refresh)

    # Answers

    def _answered(self, heard: Heard) -> None:
        """Take in that the health of one thing changed."""
        key, health, message = heard
        if not key.service:
            if self._parts.answered(key.check, health, message):
                self.refresh()
            return
        news = self.judge.hearing.hear(key, health, message)
        self._results.note(key)
        if news:
            self._acts.decide_again((key.service,))

    def _saw(self, facts: HostFacts) -> None:
        """Take in what the kernel says of the way to the peers."""
        if self._parts.saw(facts):
            self.refresh()

    # Questions

    def _ask(self) -> None:
        """Ask what is to be asked now; the next time follows what this one took."""
        self._soon = None
        self.judge.asks_anew = False
        begun = self._clock()
        gone, asked = self.judge.hearing.moved()
        parts = {one.key: one for one in self._parts.questions}
        self._asking.ask({**parts, **asked}, gone | (self._asked_parts - parts.keys()))
        self._asked_parts = frozenset(parts)
        for key in gone:
            self._results.note(key)
        self._pause = _SOON_SECONDS + (self._clock() - begun) / _SHARE

    # What people are told

    def status(self, *, every: bool = True) -> HealthStatus:
        """Return what is known; without *every* of the checks those that failed at some time."""
        return HealthStatus(
            node=self._evidence.node,
            details=self._evidence.details,
            doubt=self._doubt,
            probes=self._results.every if every else self._results.failed,
        )

    def checks(self, most: int) -> Iterable[ProbeResult]:
        """Return each check in order, or of more than *most* as many that failed once.

        There may be a pause before each.
        """
        results = self._results
        return results.walk() if results.services <= most else results.failed[:most]

    @property
    def probes(self) -> tuple[int, int]:
        """How many probes passed, and how many failed."""
        return self._asking.passed, self._asking.failed

    def conditions(self, speaker: SpeakerStatus | None) -> tuple[Condition, ...]:
        """Return what a person should know."""
        mesh = None if speaker is None else speaker.mesh
        others = () if mesh is None else mesh.members
        live = {one.name: one.doubtful for one in others if one.state is MemberState.ALIVE}
        return (*doubt_conditions(self._doubt, live), *self._counting.conditions())
