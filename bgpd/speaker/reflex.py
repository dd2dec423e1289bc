"""The reflex: what the speaker does about every stimulus, without doing any of it.

Stimuli are method calls with the time as an argument; what shall be done comes back as effects,
in order, from `effects()`. The driver (`service.py`) owns sockets, pipes, files and clocks.

Here stimuli only find their way: what the agent says to `orders`, what the mesh tells to `news`.
What is offered decides `offer`, how the node leaves `leaving`, what all routes have in common
`situation`.
"""

from collections.abc import Callable, Mapping
from typing import assert_never

from bgpd.bfd.memory import Memory
from bgpd.exabgp.command import Ping
from bgpd.exabgp.message import (
    Arrived,
    Done,
    Failed,
    Ignored,
    Message,
    Pong,
    Reloaded,
    SessionChanged,
    Shown,
    Terminating,
)
from bgpd.ipc.message import Desired
from bgpd.mesh.machine import Mesh
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address
from bgpd.model.timeline import PairClock
from bgpd.speaker import probed
from bgpd.speaker.bfd import BFDSessions
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.doubts import Doubts
from bgpd.speaker.draining import Draining
from bgpd.speaker.effect import (
    Effect,
    KillExabgp,
    SaveDesired,
    SaveProbed,
    SaveTimeline,
)
from bgpd.speaker.leaving import Leaving
from bgpd.speaker.news import News
from bgpd.speaker.offer import Offer
from bgpd.speaker.orders import MakeMesh, Orders
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.probed import Memory as ProbedMemory
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline
from bgpd.speaker.trial import Trials
from bgpd.speaker.watchdog import PING_SECONDS, Watchdog

START_POLL = 0.01
"""How often the start rule is asked while it holds the routes back."""


class Reflex:
    """The composition of what decides; see the module's theory."""

    def __init__(  # noqa: PLR0913 - what only the driver has
        self,
        *,
        node: NodeName,
        command: str,
        make_mesh: MakeMesh,
        timeline: Timeline,
        now: float,
        wall_offset: float,
        random: Callable[[], float] = lambda: 0.5,
        bfd_memories: Mapping[Address, Memory] | None = None,
        known_levers: ProbedMemory | None = None,
    ) -> None:
        self.node = node
        self.sessions = Sessions()
        self.timeline = timeline
        self.situation = Situation(node, self.sessions, now)
        timeline.wall_offset = wall_offset
        timeline.clocks = self._clocks
        self._outbox = Outbox()
        self._cadence = Cadence(now)
        self.offer = Offer(
            command=command,
            situation=self.situation,
            sessions=self.sessions,
            timeline=timeline,
            outbox=self._outbox,
            cadence=self._cadence,
        )
        self._doubts = Doubts(situation=self.situation, timeline=timeline, outbox=self._outbox)
        self._news = News(
            situation=self.situation,
            sessions=self.sessions,
            offer=self.offer,
            doubts=self._doubts,
            timeline=timeline,
            outbox=self._outbox,
            cadence=self._cadence,
        )
        self._leaving = Leaving(
            situation=self.situation, offer=self.offer, timeline=timeline, outbox=self._outbox
        )
        self.draining = Draining(
            situation=self.situation,
            offer=self.offer,
            timeline=timeline,
            outbox=self._outbox,
            cadence=self._cadence,
            wall=lambda at: at + self.wall_offset,
        )
        self.trials = Trials(
            offer=self.offer,
            situation=self.situation,
            sessions=self.sessions,
            outbox=self._outbox,
        )
        self.probed: ProbedMemory = known_levers or {}
        """Which levers were found to move which peers."""
        self.bfd = BFDSessions(
            outbox=self._outbox, timeline=timeline, random=random, memories=bfd_memories
        )
        self.offer.wording.patience = self.bfd.patience
        self.orders = Orders(
            make_mesh=make_mesh,
            situation=self.situation,
            offer=self.offer,
            doubts=self._doubts,
            draining=self.draining,
            bfd=self.bfd,
            timeline=timeline,
            outbox=self._outbox,
            cadence=self._cadence,
        )
        self._watchdog = Watchdog(now)
        self._tick_due = now

    @property
    def wall_offset(self) -> float:
        """Wall clock minus monotonic clock, for people; the driver keeps it current."""
        return self.timeline.wall_offset

    @wall_offset.setter
    def wall_offset(self, seconds: float) -> None:
        self.timeline.wall_offset = seconds

    @property
    def mesh(self) -> Mesh | None:
        """The mesh; None until the first desired state says what it belongs to."""
        return self.situation.mesh

    @property
    def desired(self) -> DesiredState | None:
        """What the agent wants, or wanted last."""
        return self.offer.desired

    @property
    def counters(self) -> dict[str, int]:
        """What was counted here, by name."""
        return self._outbox.counters

    # Stimuli

    def start(
        self,
        *,
        configuration: str,
        saved: Desired | None,
        now: float,
        drain: DrainRequest | None = None,
    ) -> None:
        """Begin: *configuration* is the file ExaBGP was started with, the rest what was saved."""
        self.offer.peering.on_disk = configuration
        self.situation.request = drain
        if saved is not None:
            self.orders.remember(saved, now)
        if self.desired is None:
            self.offer.ask(now)

    def exabgp(self, message: Message, now: float) -> None:
        """Take in what ExaBGP says."""
        match message:
            case Pong():
                self._watchdog.pong(now)
            case Done():
                self.offer.done(message, now)
                self._leaving.done(message, now)
            case Arrived():
                self.offer.arrived(message, now)
            case Reloaded():
                self.offer.peering.reloaded(message.id)
            case Shown():
                self._shown(message, now)
            case SessionChanged():
                self._session(message, now)
            case Terminating(seconds=within):
                self._leaving.begin(now, within=within)
            case Failed():
                self.offer.failed(message, now)
            case Ignored():
                self._outbox.count("exabgp_lines_ignored")
            case _:
                assert_never(message)

    def configuration_written(self, text: str, now: float) -> None:
        """Note that ExaBGP would now read *text*."""
        self.offer.written(text, now)

    def configuration_not_written(self, error: str, now: float) -> None:
        """Note that the disk took no new configuration: ExaBGP will only see the old one."""
        self.offer.not_written(error, now)

    def after_mesh(self, now: float) -> None:
        """Act on what the mesh decided; call after every stimulus of the mesh."""
        if self.mesh is None:
            return
        events = self.mesh.events()
        for event in events:
            self._news.take(event, now)
        if events:
            # Once for all of them: the timeline must be open before its command is sent.
            self.offer.restance(now)
            if self.offer.patient_until is None:
                self.timeline.settle()
            self.draining.follow(now)
        self.offer.begin(now)

    def after_bfd(self, now: float) -> None:
        """Act on what BFD found out; call after every stimulus of it that may change something."""
        if self.bfd.settle(now):
            self._cadence.report_soon(now)
            self.offer.review_patience(now)

    def note_probed(self, levers: str, now: float) -> None:
        """Keep what a probe found out; raise `ConfigError` for what it cannot have found."""
        peers = {} if self.desired is None else self.desired.peers
        self.probed = probed.noted(self.probed, levers, peers=peers, at=now + self.wall_offset)
        self._outbox.put(SaveProbed())
        self._cadence.report_soon(now)

    def say_goodbye(self, now: float) -> None:
        """Tell the mesh that we end, however that came."""
        self._leaving.say_goodbye(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due by the clock."""
        if now >= self._tick_due:
            self._tick_due = now + PING_SECONDS
            self._tick(now)
        self._leaving.handle_timer(now)
        self.draining.handle_timer(now)
        self.trials.handle_timer(now)
        self.offer.await_no_longer(now)
        self.offer.lose_patience(now)
        if self._cadence.save_due(now):
            self._outbox.put(SaveDesired())
        self.after_mesh(now)

    def deadline(self, now: float) -> float:
        """Return when `handle_timer` wants to be called, at the latest."""
        due = min(self._tick_due, self._cadence.deadline)
        situation = self.situation
        for other in (
            situation.ending.deadline,
            situation.drain.deadline,
            self.trials.deadline,
            self.offer.agent_awaited_until,
            self.offer.wakes_at(now),
        ):
            if other is not None and other < due:
                due = other
        if self.offer.waiting and self.mesh is not None:
            due = min(due, now + START_POLL)
        return due

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to act on: no event of the mesh, no effect, no wait for it."""
        heard = self.mesh is not None and self.mesh.has_events
        offer = self.offer
        return not (heard or offer.waiting or offer.unreviewed) and self._outbox.is_empty

    def report_due(self, now: float) -> bool:
        """Return whether a report should go to the agent now; it is then planned anew."""
        return self._cadence.report_due(now)

    def reported(self, took: float, now: float) -> None:
        """Note that a report *took* some seconds to make and send."""
        self._cadence.reported(took, now)

    @property
    def has_effects(self) -> bool:
        """Whether there is anything to do."""
        return not self._outbox.is_empty

    def effects(self) -> list[Effect]:
        """Return what is to be done, in order, and forget it; there may be more afterwards."""
        if self._outbox.is_empty:
            self.offer.review()
        return self._outbox.empty()

    # The ways of each

    def _shown(self, shown: Shown, now: float) -> None:
        for peer in shown.peers:
            self.sessions.changed(peer.session, now + self.wall_offset, shown=True)
        self.bfd.shown(shown.held, now)
        self.offer.shown(shown, now)
        if shown.terminating:
            self._leaving.begin(now)

    def _session(self, message: SessionChanged, now: float) -> None:
        if self.sessions.changed(message, now + self.wall_offset):
            self._outbox.note(
                "info" if message.state is PeerState.ESTABLISHED else "warning",
                "session_changed",
                peer=self.offer.name_of(message.peer),
                state=message.state.value,
                error=message.error,
            )
            self.offer.session(message, now)
            if message.state is PeerState.ESTABLISHED:
                self.bfd.established(message.peer, now)
        self.situation.tell_mesh(now)
        self._cadence.report_soon(now)

    def _clocks(self, now: float) -> tuple[PairClock, ...]:
        return () if self.mesh is None else self.mesh.clocks(now)

    def _tick(self, now: float) -> None:
        if self._watchdog.hangs(now):
            self._outbox.put(KillExabgp("ExaBGP has not answered for 3 s"))
        self._outbox.send(Ping(id=self._outbox.number()))
        self._news.tick(now)
        self.timeline.tick(now)
        if self.timeline.unsaved:
            self._outbox.put(SaveTimeline())
        self.situation.tell_mesh(now)
        self._doubts.look(now, advertising=self.offer.advertising)
        self.offer.tick(now)
        if self.offer.patient_until is None:
            self.timeline.settle()
