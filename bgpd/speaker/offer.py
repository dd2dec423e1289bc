"""What is offered: desired routes, at the stance of this node, to the peers that ExaBGP has.

The order of things after a start: ask ExaBGP what it announces and adopt it; wait for the mesh
to know the generation; only then reconcile. Until all three are known - desired, actual,
generation - nothing is sent, because *unknown is not empty*.

A state from the disk may be older than what ExaBGP announces: the agent may have said something
just before we crashed. So the agent gets a moment to say everything; until then no route is
added or taken back and no session changed, only the routes that are there follow the generation.
"""

from collections.abc import Iterator
from typing import Final

from bgpd.exabgp.command import Show
from bgpd.exabgp.message import Arrived, Done, Failed, SessionChanged, Shown
from bgpd.ipc.message import Applied, Delta
from bgpd.model.errors import ProtocolError
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import AdjRibOut
from bgpd.model.status import Condition
from bgpd.speaker.adoption import Adoption, routes
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.effect import DropAgent, Tell
from bgpd.speaker.ending import Phase
from bgpd.speaker.markers import Markers
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.peering import Peering
from bgpd.speaker.rib import Rib
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline
from bgpd.speaker.updates import Updates
from bgpd.speaker.wording import Wording

AGENT_SECONDS: Final = 2.0
"""How long a saved state waits for the agent's; an agent that lives is back within one."""


class Offer:
    """Keeps ExaBGP at what is desired."""

    def __init__(
        self,
        *,
        command: str,
        situation: Situation,
        sessions: Sessions,
        timeline: Timeline,
        outbox: Outbox,
        cadence: Cadence,
    ) -> None:
        self.desired: DesiredState | None = None
        self.rib = Rib(sessions.spoken)
        self.peering = Peering(command, outbox)
        self.advertising = False
        self._situation = situation
        self._sessions = sessions
        self._timeline = timeline
        self._outbox = outbox
        self._cadence = cadence
        self._updates = Updates(rib=self.rib, timeline=timeline, outbox=outbox)
        self._adoption = Adoption()
        self.wording = Wording(
            situation=situation,
            sessions=sessions,
            rib=self.rib,
            adoption=self._adoption,
            outbox=outbox,
        )
        self._markers = Markers(outbox)
        self._unreviewed: float | None = None
        """When routes were changed without another look at that."""
        self.agent_awaited_until: float | None = None
        """While it is set, what is desired comes from the disk and may be old."""

    @property
    def waiting(self) -> bool:
        """Whether only the mesh's word on the generation is missing."""
        return not self.advertising and self._adoption.known and self.desired is not None

    @property
    def settled(self) -> bool:
        """Whether ExaBGP has answered every update."""
        return not self._updates.outstanding

    # Desired

    def remember(self, desired: DesiredState, now: float) -> None:
        """Take *desired* from the disk, until the agent comes or does not come in time."""
        self.desired = desired
        self.agent_awaited_until = now + AGENT_SECONDS
        self.rib.kept = {
            name: set(desired.advertisements.get(name, {}))
            for name, peer in desired.peers.items()
            if peer.graceful_restart is not None and peer.max_prefixes is not None
        }
        self.ask(now)

    def await_no_longer(self, now: float) -> None:
        """Act on the saved state when its time has come: the agent stays away."""
        if self.agent_awaited_until is not None and now >= self.agent_awaited_until:
            self._outbox.note("info", "saved_state_used")
            if self.desired is not None:
                self.want(self.desired, now)

    def want(self, desired: DesiredState, now: float) -> None:
        """Offer what *desired* says from now on."""
        before, self.desired = self.desired, desired
        if before is not None and self.advertising:
            self.wording.hold_levers(before, desired, now)
        awaited, self.agent_awaited_until = self.agent_awaited_until, None
        if before is None or awaited is not None or before.peers != desired.peers:
            self.peering.want(desired.peers)
            self.wording.stances.forget_all_but(desired.peers.values(), now)
            # Routes are remembered by the peer's name, and a name may mean another session now.
            self._ask_when_written(now)
        else:
            self.reconcile(now)

    def change(self, delta: Delta, now: float) -> None:
        """Offer what *delta* changes; one that does not follow makes the agent start over."""
        if self.desired is None:
            self._outbox.put(DropAgent("a delta came before the state that it changes"))
            return
        try:
            touched = self.desired.apply(delta)
        except ProtocolError as error:
            self._outbox.count("deltas_refused")
            self._outbox.put(DropAgent(str(error)))
            return
        self._cadence.save_soon(now)
        if not self._may_send(now):
            return
        self._timeline.traces.begin(delta.sequence, now)
        self._send_touched(self.desired, touched, now)
        self._timeline.traces.end()

    def _send_touched(
        self, desired: DesiredState, touched: frozenset[tuple[PeerName, Prefix]], now: float
    ) -> None:
        facts = self.wording.said_last(desired)
        if facts is not None:
            self._unreviewed = now
        else:
            facts = self.wording.facts(desired, now)
            if self.wording.is_old(facts, now):
                # What the delta does not touch must hear of it, too.
                self.reconcile(now)
                return
        # Of the others nothing has changed: an endpoint's way to the wire is short.
        names = {name for name, _ in touched}
        stances = self.wording.under(facts, desired, names, now)
        self._updates.send(self.rib.touch(touched, desired, stances), desired.peers, now)
        self._confirm()

    def attempt(self, trial: AdjRibOut, now: float) -> None:
        """Offer *trial* beside what is desired, and no earlier one any longer."""
        if self.desired is None or not self._may_send(now):
            # Whatever comes next is planned with it.
            self.rib.trial = trial
            return
        plans = self.rib.attempt(trial, self.desired)
        self._updates.send(plans, self.desired.peers, now)
        self._cadence.report_soon(now)

    def written(self, text: str, now: float) -> None:
        """ExaBGP's configuration is on the disk: ask what that changed, once it is read."""
        if self.peering.written(text):
            self.ask(now)

    def not_written(self, error: str, now: float) -> None:
        """Note that the disk took no new configuration: the sessions are those of the old one."""
        self.peering.failed(error, now)
        self.ask(now)

    # ExaBGP's answers

    def ask(self, now: float) -> None:
        """Ask ExaBGP what it announces, and trust nothing remembered until it answers."""
        number = self._outbox.number()
        self._adoption.asked(number, now)
        self._outbox.send(Show(id=number))

    def shown(self, shown: Shown, now: float) -> None:
        """Take over what ExaBGP announces, if it is the answer to the last question."""
        if not self._adoption.answered(shown) or self.desired is None:
            return
        peers = self.desired.peers
        if not self.advertising:
            # Sessions that came up while nobody was here: one marker too many does no harm.
            for one in shown.peers:
                up = one.session.state is PeerState.ESTABLISHED
                self._markers.session(one.session.peer, up=up)
        self.rib.adopt(routes(shown, peers))
        self.wording.recall(self.desired)
        self._sessions.forget_all_but(peers.values())
        absent = [name for name, peer in peers.items() if not self._adoption.holds(peer)]
        self.peering.missing(absent, now)
        self.reconcile(now)

    def done(self, done: Done, now: float) -> None:
        """Note that an update was carried out."""
        self._updates.done(done.id)
        # An ExaBGP that was started by an earlier version does not say when.
        times = done.flushed_at or (now,) * len(done.flushed)
        self._timeline.done(
            done.id,
            flushed={self.name_of(peer): at for peer, at in zip(done.flushed, times, strict=True)},
            owed=[self.name_of(peer) for peer in (*done.pending, *done.waiting)],
            now=now,
        )
        if done.unknown:
            # We believed that ExaBGP has these peers.
            self._outbox.count("exabgp_peers_unknown")
            self._adoption.distrust()
        self._confirm()
        self._cadence.report_soon(now)

    def arrived(self, arrived: Arrived, now: float) -> None:
        """Note that a router has an update."""
        self._timeline.arrived(
            arrived.id,
            peer=self.name_of(arrived.peer),
            flushed_at=arrived.flushed_at,
            at=arrived.at,
            now=now,
        )

    def failed(self, failed: Failed, now: float) -> None:
        """ExaBGP refused a command: what it has is unknown, so ask."""
        self._outbox.count("exabgp_commands_failed")
        self._outbox.note("error", "exabgp_command_failed", reason=failed.error)
        self._adoption.distrust(failed.id)
        if failed.id is not None:
            self._timeline.failed(failed.id, now)
            self.peering.failed(failed.error, now, failed.id)
        if self._updates.failed(failed.id, failed.error, now) or self._adoption.ask_due(now):
            self.ask(now)
        self._cadence.report_soon(now)

    def session(self, message: SessionChanged, now: float) -> None:
        """Send End-of-RIB to a session that came up, when its routes have been sent."""
        up = message.state is PeerState.ESTABLISHED
        self._markers.session(message.peer, up=up)
        if up and self._hears_otherwise(message.peer):
            self.reconcile(now)
        if up and self.advertising and self._may_send(now):
            self._send_markers()

    def _hears_otherwise(self, address: Address) -> bool:
        """Return whether the router at *address* agreed to other families than it did last."""
        peers = () if self.desired is None else self.desired.peers.values()
        told = [self._sessions.hears_otherwise(one) for one in peers if one.address == address]
        return any(told)

    # Reconcile

    def begin(self, now: float) -> None:
        """Advertise for the first time if all is known."""
        if self.waiting and self._may_send(now):
            self.reconcile(now)

    def reconcile(self, now: float) -> None:
        """Bring ExaBGP from what it has to what is desired."""
        if self.desired is None or not self._may_send(now):
            return
        self.advertising = True
        stances = self.wording.anew(self.desired, now)
        whole = self.agent_awaited_until is None
        returns = whole and self._situation.starting
        if returns:
            self._situation.starting = False
            self._situation.tell_mesh(now)
        plans = (self.rib.rebuild if whole else self.rib.refresh)(self.desired, stances)
        if returns and plans:
            self._begin_return(now)
        self._updates.send(plans, self.desired.peers, now)
        self._send_markers()
        self._confirm()
        self._cadence.report_soon(now)

    def _begin_return(self, now: float) -> None:
        """Note that this node is back: everything that routers have not heard of us is sent."""
        self._timeline.begin(
            kind="return",
            cause="the speaker started",
            cause_at=self._situation.started,
            decided_at=now,
            generation=self._situation.generation,
        )

    @property
    def patient_until(self) -> float | None:
        """When the first peer that waits for its own BFD hears the generation."""
        return self.wording.stances.waits_until

    def wakes_at(self, now: float) -> float | None:
        """Return when `lose_patience` has something to do; while nothing may be sent, never."""
        return self.patient_until if self._may_send(now) else None

    def lose_patience(self, now: float) -> None:
        """Tell the generation to those that have had their time."""
        due = self.wakes_at(now)
        if due is not None and now >= due:
            self.restance(now)
            if self.patient_until is None:
                self._timeline.settle()

    def review_patience(self, now: float) -> None:
        """Note that BFD with a peer changed: it may be waited for without a reason."""
        if self.patient_until is not None and self.advertising:
            self.reconcile(now)
            if self.patient_until is None:
                self._timeline.settle()

    @property
    def unreviewed(self) -> bool:
        """Whether routes have changed without a look at what they go with."""
        return self._unreviewed is not None

    def review(self) -> None:
        """Look whether what a change of routes took for granted still held, once it has left."""
        now, self._unreviewed = self._unreviewed, None
        if now is not None:
            self.restance(now)

    def restance(self, now: float) -> None:
        """Reconcile if what we say with every route has changed."""
        if not self.advertising or self.desired is None:
            return
        if self.wording.is_old(self.wording.facts(self.desired, now), now):
            self.reconcile(now)

    def tick(self, now: float) -> None:
        """Do again what did not work, when it is time, and follow what has changed slowly."""
        if self.desired is None:
            return
        self.wording.raise_for_levers(self.desired, now, advertising=self.advertising)
        retried = self.peering.retry(now)
        if retried and self.peering.writing:
            self._adoption.postponed(now)
        elif self._updates.again(now) or retried or self._adoption.ask_due(now):
            self.ask(now)
        else:
            self.restance(now)

    def withdraw_all(self, now: float) -> None:
        """Take back every route from every peer."""
        if self.desired is not None:
            self.rib.forgive()
            peers = self.desired.peers
            plans = [plan for plan in self.rib.withdraw_all() if plan.peer in peers]
            self._updates.send(plans, peers, now)
            self._cadence.report_soon(now)

    def conditions(self, *, now: float, wall_offset: float) -> Iterator[Condition]:
        """Yield what a person should know; *wall_offset* makes times that people read."""
        yield from self.peering.conditions()
        yield from self._updates.conditions()
        yield from self.wording.conditions(self.desired, now=now, wall_offset=wall_offset)

    def _ask_when_written(self, now: float) -> None:
        if self.peering.writing:
            # A disk that hangs is not waited for: `tick` asks in a second.
            self._adoption.postponed(now)
        else:
            self.ask(now)

    def _may_send(self, now: float) -> bool:
        """Return whether desired, actual and generation are all known, and we stay."""
        return (
            self.desired is not None
            and self._adoption.known
            and (self.advertising or self._situation.may_advertise(now))
            and self._situation.ending.phase in {Phase.STAYING, Phase.DEMOTED}
        )

    def review_drain(self, now: float) -> None:
        """Decide anew which routes a drain demotes and takes back."""
        self._situation.review_drain(self.desired, self.rib.actual, now)

    def _confirm(self) -> None:
        """Tell the agent that its wishes are carried out, when they are."""
        if self.desired is None or self.agent_awaited_until is not None:
            return
        if self.advertising and self._adoption.known and self.settled:
            self._outbox.put(Tell(Applied(sequence=self.desired.sequence)))

    def _send_markers(self) -> None:
        if self.desired is not None and self.agent_awaited_until is None:
            self._markers.send(self.desired.peers.values())

    def name_of(self, address: Address) -> str:
        """Return what people call the peer at *address*; the address where it is nobody's."""
        return address if self.desired is None else self.desired.peer_names((address,))[0]
