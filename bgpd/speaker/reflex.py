"""The reflex: what the speaker does about every stimulus, without doing any of it.

Stimuli are method calls with the time as an argument; what shall be done comes back as effects,
in order, from `effects()`. The driver (`service.py`) owns sockets, pipes, files and clocks.

The order of things after a start: ask ExaBGP what it announces and adopt it; wait for the mesh
to know the generation; only then reconcile. Until all three are known - desired, actual,
generation - nothing is sent, because *unknown is not empty*.
"""

from collections.abc import Sequence
from typing import Protocol, assert_never

from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    PeerUpdate,
    Ping,
    Reload,
    RouteGroup,
    Show,
    Update,
)
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import (
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
from bgpd.ipc.message import AnyMessage, Applied, Beat, Delta, Desired
from bgpd.mesh.events import GenerationChanged, Kind, MeshEvent
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import MeshSettings
from bgpd.model.errors import ConfigError, ProtocolError
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState, MeshStatus
from bgpd.policy import lever
from bgpd.policy.lever import Stance
from bgpd.policy.reconcile import PeerPlan
from bgpd.speaker import stance
from bgpd.speaker.adoption import Adoption
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.drain import Drain, Phase
from bgpd.speaker.effect import (
    DropAgent,
    Effect,
    KillExabgp,
    Note,
    Quit,
    SaveDesired,
    SaveMesh,
    Send,
    Tell,
    WriteConfiguration,
)
from bgpd.speaker.presence import AgentPresence
from bgpd.speaker.rib import Rib
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.timeline import Timeline
from bgpd.speaker.watchdog import PING_SECONDS, Watchdog

GOODBYE_SECONDS = 30.0
"""How long the mesh may expect us to be away after a planned exit."""
START_POLL = 0.01
"""How often the start rule is asked while it holds the routes back."""


class MakeMesh(Protocol):
    """Builds the mesh once it is known what cluster and policy it belongs to."""

    def __call__(self, desired: DesiredState, now: float) -> Mesh:
        """Return a mesh that starts from what the disk remembers."""


class Reflex:
    """The composition of desired state, mesh, rib and drain; see the module's theory."""

    def __init__(
        self,
        *,
        node: NodeName,
        command: str,
        make_mesh: MakeMesh,
        timeline: Timeline,
        now: float,
        wall_offset: float,
    ) -> None:
        self.node = node
        self.desired: DesiredState | None = None
        self.mesh: Mesh | None = None
        self.rib = Rib()
        self.sessions = Sessions()
        self.timeline = timeline
        self.drain = Drain()
        self.agent = AgentPresence(now)
        self.wall_offset = wall_offset
        """Wall clock minus monotonic clock, for people; the driver keeps it current."""
        self.counters: dict[str, int] = {}
        self._command = command
        self._configuration = ""
        self._make_mesh = make_mesh
        self._watchdog = Watchdog(now)
        self._stances = stance.Stances()
        self._stance: Stance | None = None
        self._effects: list[Effect] = []
        self._next_id = 0
        self._adoption = Adoption()
        self._cadence = Cadence(now)
        self.advertising = False
        self._outstanding: set[int] = set()
        self._closing: int | None = None
        self._tick_due = now

    # Stimuli

    def start(self, *, configuration: str, saved: Desired | None, now: float) -> None:
        """Begin: *configuration* is the file ExaBGP was started with, *saved* the last state."""
        self._configuration = configuration
        if saved is not None:
            self._take(saved, now)
        self._ask(now)

    def exabgp(self, message: Message, now: float) -> None:
        """Take in what ExaBGP says."""
        match message:
            case Pong():
                self._watchdog.pong(now)
            case Done():
                self._done(message, now)
            case Reloaded():
                self._adoption.reloaded(message.id)
            case Shown():
                self._shown_by_exabgp(message, now)
            case SessionChanged():
                self._session(message, now)
            case Terminating():
                self._terminate(now)
            case Failed():
                self._failed(message, now)
            case Ignored():
                self._count("exabgp_lines_ignored")
            case _:
                assert_never(message)

    def agent_connected(self, now: float) -> None:
        """Note that an agent connected; it will send the whole state."""
        self.agent.seen(now)
        self._note("info", "agent_connected")
        self._cadence.report_soon(now)

    def agent_lost(self, reason: str, now: float) -> None:
        """Note that the agent's connection is gone: what it wanted stays in force."""
        self.agent.lost(now)
        self._note("warning", "agent_lost", reason=reason)
        self._cadence.report_soon(now)

    def agent_message(self, message: AnyMessage, now: float) -> None:
        """Take in what the agent says."""
        self.agent.seen(now)
        match message:
            case Desired():
                self._take(message, now)
                self._cadence.save_soon(now)
            case Delta():
                self._delta(message, now)
            case Beat():
                pass
            case _:
                self._count("agent_messages_unexpected")

    def after_mesh(self, now: float) -> None:
        """Act on what the mesh decided; call after every stimulus of the mesh."""
        if self.mesh is None:
            return
        events = self.mesh.events()
        for event in events:
            self._mesh_event(event, now)
        if events:
            # Once for all of them: the timeline must be open before its command is sent.
            self._restance(now)
            self.timeline.settle()
        if not self.advertising and self._ready(now):
            self._reconcile(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due by the clock."""
        if now >= self._tick_due:
            self._tick_due = now + PING_SECONDS
            self._tick(now)
        if self.drain.due(now):
            self._drain_on(now)
        if self._cadence.save_due(now):
            self._effects.append(SaveDesired())
        self.after_mesh(now)

    def deadline(self, now: float) -> float:
        """Return when `handle_timer` wants to be called, at the latest."""
        dues = [self._tick_due, self.drain.deadline, self._cadence.deadline]
        if not self.advertising and self.mesh is not None and self._adoption.known:
            dues.append(now + START_POLL)
        return min(due for due in dues if due is not None)

    def report_due(self, now: float) -> bool:
        """Return whether a report should go to the agent now; it is then planned anew."""
        return self._cadence.report_due(now)

    def effects(self) -> list[Effect]:
        """Return what is to be done, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects

    # Desired state

    def _take(self, message: Desired, now: float) -> None:
        before = self.desired
        self.desired = desired = DesiredState.of(message)
        if self.mesh is None:
            self.mesh = self._make_mesh(desired, now)
        else:
            settings = mesh_settings(self.node, desired)
            self.mesh.configure(settings=settings, members=desired.members, now=now)
        self._effects.append(SaveMesh())
        self._note("info", "desired", sequence=message.sequence, peers=len(desired.peers))
        if before is None or before.peers != desired.peers:
            self._configure(desired, now)
        held = self._adoption.take_held()
        if held is not None:
            self._adopt(held, now)
        else:
            self._reconcile(now)

    def _configure(self, desired: DesiredState, now: float) -> None:
        """Give ExaBGP its peers; a set of peers that it cannot hold changes nothing."""
        try:
            text = render(tuple(desired.peers.values()), reflex=self._command)
        except ConfigError as error:
            self._count("configurations_refused")
            self._note("error", "configuration_refused", error=str(error))
            return
        if text == self._configuration:
            return
        self._configuration = text
        self._effects.append(WriteConfiguration(text))
        reload = self._id()
        self._adoption.reloading(reload)
        self._send(Reload(id=reload))
        self._ask(now)

    def _delta(self, delta: Delta, now: float) -> None:
        if self.desired is None:
            self._effects.append(DropAgent("a delta came before the state that it changes"))
            return
        try:
            touched = self.desired.apply(delta)
        except ProtocolError as error:
            self._count("deltas_refused")
            self._effects.append(DropAgent(str(error)))
            return
        self._cadence.save_soon(now)
        if self._ready(now):
            stances = self._current_stances(now)
            self._command_exabgp(self.rib.touch(touched, self.desired, stances), now)
        self._applied()

    # ExaBGP

    def _shown_by_exabgp(self, shown: Shown, now: float) -> None:
        for peer in shown.peers:
            self.sessions.changed(peer.session, now + self.wall_offset)
        self._adopt(shown, now)
        if shown.terminating:
            self._terminate(now)

    def _adopt(self, shown: Shown, now: float) -> None:
        """Take over what ExaBGP announces; wait for the peers' names if they are not known."""
        if self.desired is None:
            self._adoption.hold(shown)
            return
        self.rib.adopt(self._adoption.routes(shown, self.desired.peers))
        self.sessions.forget_all_but(self.desired.peers.values())
        self._reconcile(now)

    def _ask(self, now: float) -> None:
        """Ask ExaBGP what it announces, and trust nothing remembered until it answers."""
        self._adoption.asked(now)
        self._send(Show(id=self._id()))

    def _done(self, done: Done, now: float) -> None:
        self._outstanding.discard(done.id)
        names = self._names(done.flushed)
        self.timeline.flushed(done.id, detail=", ".join(names), now=now)
        self._applied()
        self._cadence.report_soon(now)
        withdrawn = self.drain.phase is Phase.WITHDRAWING and not self._outstanding
        closed = self.drain.phase is Phase.CLOSING and done.id == self._closing
        if withdrawn or closed:
            self._drain_on(now)

    def _failed(self, failed: Failed, now: float) -> None:
        """ExaBGP refused a command: what it has is unknown, so ask."""
        self._count("exabgp_commands_failed")
        self._note("error", "exabgp_command_failed", error=failed.error)
        self._outstanding.discard(failed.id or 0)
        self._adoption.reloaded(failed.id)
        if self._adoption.may_ask(now):
            self._ask(now)

    def _session(self, message: SessionChanged, now: float) -> None:
        changed = self.sessions.changed(message, now + self.wall_offset)
        if changed:
            self._note(
                "info" if message.state is PeerState.ESTABLISHED else "warning",
                "session_changed",
                peer=message.peer,
                state=message.state.value,
                error=message.error,
            )
            self._end_of_rib(message)
        if self.mesh is not None:
            self._set_local(now)
        self._cadence.report_soon(now)

    def _end_of_rib(self, message: SessionChanged) -> None:
        """After a graceful restart the routes go first, then the marker (RFC 4724, 4.2)."""
        if self.desired is None or message.state is not PeerState.ESTABLISHED:
            return
        for peer in self.desired.peers.values():
            if peer.address == message.peer and peer.graceful_restart is not None:
                self._send(EndOfRib(id=self._id(), peers=(peer.address,), families=peer.families))

    # Mesh

    def _mesh_event(self, event: MeshEvent, now: float) -> None:
        if isinstance(event, GenerationChanged):
            self._generation_changed(event, now)
        else:
            self._note("info", "mesh", detail=str(event))
        self._cadence.report_soon(now)

    def _generation_changed(self, event: GenerationChanged, now: float) -> None:
        raised = event.kind is Kind.RAISED
        cause_at = event.cause_at
        if self.advertising:
            self.timeline.begin(
                kind="raise" if raised else "adopt",
                cause=event.cause,
                cause_at=cause_at,
                decided_at=event.decided_at,
                wall=cause_at + self.wall_offset,
                generation=event.new,
            )
        self._effects.append(SaveMesh())
        self._note(
            "warning" if raised else "info",
            "generation_raised" if raised else "generation_adopted",
            old=event.old,
            new=event.new,
            cause=event.cause,
        )

    def _set_local(self, now: float) -> None:
        if self.mesh is not None:
            self.mesh.set_local(
                agent_alive=self.agent.absent_since(now) is None,
                draining=self.drain.active,
                peer_router_ids=self.sessions.router_ids(),
                now=now,
            )

    # Reconcile

    def _ready(self, now: float) -> bool:
        """Return whether desired, actual and generation are all known."""
        return (
            self.desired is not None
            and self._adoption.known
            and self.mesh is not None
            and (self.advertising or self.mesh.may_advertise(now))
        )

    def _reconcile(self, now: float) -> None:
        if not self._ready(now) or self.desired is None:
            return
        self.advertising = True
        if self.drain.phase not in (Phase.NOT_DRAINING, Phase.DEMOTED):
            return
        stances = self._current_stances(now)
        self._command_exabgp(self.rib.rebuild(self.desired, stances), now)
        self._applied()

    def _restance(self, now: float) -> None:
        """Reconcile if what we say with every route has changed."""
        if self.advertising and self._base_stance(now) != self._stance:
            self._reconcile(now)

    def _current_stances(self, now: float) -> dict[PeerName, Stance]:
        self._stance = base = self._base_stance(now)
        desired = self.desired
        if desired is None:
            return {}
        unheard = any(
            member.state is not MemberState.ALIVE for member in self._mesh_status(now).members
        )
        return {
            name: self._stances.of(peer, base, unheard=unheard)
            for name, peer in desired.peers.items()
        }

    def _base_stance(self, now: float) -> Stance:
        members = self._mesh_status(now).members
        in_doubt = self._in_doubt(now)
        quarantined = self.mesh is not None and self.mesh.quarantined
        draining = self.drain.active
        return Stance(
            generation=self.mesh.generation if self.mesh is not None else 0,
            floor=stance.floor(draining=draining, in_doubt=in_doubt or quarantined),
            graceful_shutdown=draining and stance.others_can_carry(members, self.node),
            withdraw_unranked=draining
            or not stance.half_of_the_agents_are_away(members, ours_away=in_doubt),
        )

    def _in_doubt(self, now: float) -> bool:
        grace = self.desired.policy.agent_grace_seconds if self.desired is not None else 300
        return self.agent.in_doubt(now, grace)

    def _command_exabgp(self, plans: Sequence[PeerPlan], now: float) -> None:
        if not plans or self.desired is None:
            return
        update = self._id()
        self._outstanding.add(update)
        peers = self.desired.peers
        self._send(
            Update(
                id=update,
                peers=tuple(_peer_update(plan, peers[plan.peer].address) for plan in plans),
            )
        )
        self.timeline.commanded(update, routes=sum(map(len, plans)), now=now)
        self._cadence.report_soon(now)

    # Clock

    def _tick(self, now: float) -> None:
        if self._watchdog.hangs(now):
            self._effects.append(KillExabgp("ExaBGP has not answered for 3 s"))
        self._send(Ping(id=self._id()))
        if self.desired is not None and not self._adoption.known and self._adoption.may_ask(now):
            self._ask(now)
        self._set_local(now)
        self._restance(now)

    # Leaving

    def _terminate(self, now: float) -> None:
        """SIGTERM arrived: demote our routes, and withdraw them when traffic has moved."""
        if self.drain.active:
            return
        members = self._mesh_status(now).members
        alone = not stance.others_can_carry(members, self.node)
        wait = 0 if alone or self.desired is None else self.desired.policy.drain_milliseconds / 1000
        self.drain.begin(now, wait)
        self._note("info", "draining", seconds=wait)
        self.timeline.begin(
            kind="drain",
            cause="told to terminate",
            cause_at=now,
            decided_at=now,
            wall=now + self.wall_offset,
            generation=self.mesh.generation if self.mesh is not None else 0,
        )
        self._set_local(now)
        self._reconcile(now)
        self.timeline.settle()

    def _drain_on(self, now: float) -> None:
        match self.drain.advance(now):
            case Phase.WITHDRAWING:
                plans = [] if self.desired is None else self.rib.withdraw_all()
                known = self.desired.peers if self.desired is not None else {}
                self._command_exabgp([plan for plan in plans if plan.peer in known], now)
                if not self._outstanding:
                    self._drain_on(now)
            case Phase.CLOSING:
                if self.mesh is not None:
                    self.mesh.say_goodbye(GOODBYE_SECONDS, now)
                self._closing = self._id()
                self._send(Close(id=self._closing))
            case Phase.DONE:
                self._send(Exit(id=self._id()))
                self._effects.append(Quit())
            case Phase.NOT_DRAINING | Phase.DEMOTED | Phase.SETTLING:
                pass

    # Small things

    def _mesh_status(self, now: float) -> MeshStatus:
        if self.mesh is None:
            return MeshStatus(node=self.node, generation=0, armed=False, reachable=1, counted=1)
        return self.mesh.status(now)

    def _names(self, addresses: Sequence[Address]) -> list[str]:
        if self.desired is None:
            return list(addresses)
        names = {peer.address: peer.name for peer in self.desired.peers.values()}
        return sorted(names.get(address, PeerName(address)) for address in addresses)

    def _applied(self) -> None:
        if self.desired is not None and not self._outstanding:
            self._tell(Applied(sequence=self.desired.sequence))

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _send(self, command: Command) -> None:
        self._effects.append(Send(command))

    def _tell(self, message: AnyMessage) -> None:
        self._effects.append(Tell(message))

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    def _note(self, level: str, event: str, **keys: object) -> None:
        self._effects.append(Note(level, event, tuple(keys.items())))


def _peer_update(plan: PeerPlan, address: Address) -> PeerUpdate:
    return PeerUpdate(
        peer=address,
        withdraw=plan.withdraw,
        advertise=tuple(
            RouteGroup(attributes=attributes, prefixes=prefixes)
            for attributes, prefixes in plan.advertise
        ),
    )


def mesh_settings(node: NodeName, desired: DesiredState) -> MeshSettings:
    """Return what the mesh is told of *desired*."""
    levers = sorted({peer.lever.value for peer in desired.peers.values()})
    return MeshSettings(
        node=node,
        cluster_uid=desired.cluster_uid,
        policy=desired.policy.mesh,
        lever="+".join(levers) or "none",
        base=lever.BASE,
        stride=lever.STRIDE,
    )
