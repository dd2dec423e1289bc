"""What is offered: desired routes, at the stance of this node, to the peers that ExaBGP has.

The order of things after a start: ask ExaBGP what it announces and adopt it; wait for the mesh
to know the generation; only then reconcile. Until all three are known - desired, actual,
generation - nothing is sent, because *unknown is not empty*.
"""

from collections.abc import Sequence

from bgpd.exabgp.command import EndOfRib, PeerUpdate, Reload, RouteGroup, Show, Update
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import Done, Failed, SessionChanged, Shown
from bgpd.ipc.message import Applied, Delta
from bgpd.model.errors import ConfigError, ProtocolError
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from bgpd.policy.lever import Stance
from bgpd.policy.reconcile import PeerPlan
from bgpd.speaker import stance
from bgpd.speaker.adoption import Adoption
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.drain import Phase
from bgpd.speaker.effect import DropAgent, Tell, WriteConfiguration
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.rib import Rib
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline


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
        self.rib = Rib()
        self.advertising = False
        self.outstanding: set[int] = set()
        """Updates that ExaBGP has not answered."""
        self.configuration = ""
        """ExaBGP's configuration file as it was written last."""
        self._command = command
        self._situation = situation
        self._sessions = sessions
        self._timeline = timeline
        self._outbox = outbox
        self._cadence = cadence
        self._adoption = Adoption()
        self._stances = stance.Stances()
        self._stance: Stance | None = None

    @property
    def waiting(self) -> bool:
        """Whether only the mesh's word on the generation is missing."""
        return not self.advertising and self._adoption.known

    # Desired

    def want(self, desired: DesiredState, now: float) -> None:
        """Offer what *desired* says from now on."""
        before, self.desired = self.desired, desired
        if before is None or before.peers != desired.peers:
            self._configure(desired, now)
        held = self._adoption.take_held()
        if held is not None:
            self._adopt(held, now)
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
        if self._ready(now):
            self._update(self.rib.touch(touched, self.desired, self._current_stances(now)), now)
        self._confirm()

    def _configure(self, desired: DesiredState, now: float) -> None:
        """Give ExaBGP its peers; a set of peers that it cannot hold changes nothing."""
        try:
            text = render(tuple(desired.peers.values()), reflex=self._command)
        except ConfigError as error:
            self._outbox.count("configurations_refused")
            self._outbox.note("error", "configuration_refused", error=str(error))
            return
        if text == self.configuration:
            return
        self.configuration = text
        self._outbox.put(WriteConfiguration(text))
        reload = self._outbox.number()
        self._adoption.reloading(reload)
        self._outbox.send(Reload(id=reload))
        self.ask(now)

    # ExaBGP's answers

    def ask(self, now: float) -> None:
        """Ask ExaBGP what it announces, and trust nothing remembered until it answers."""
        self._adoption.asked(now)
        self._outbox.send(Show(id=self._outbox.number()))

    def ask_again(self, now: float) -> None:
        """Ask once more if the last answer did not come."""
        if self.desired is not None and not self._adoption.known and self._adoption.may_ask(now):
            self.ask(now)

    def shown(self, shown: Shown, now: float) -> None:
        """Take over what ExaBGP announces; wait for the peers' names if they are not known."""
        if self.desired is None:
            self._adoption.hold(shown)
        else:
            self._adopt(shown, now)

    def reloaded(self, command: int) -> None:
        """Note that ExaBGP has read its configuration."""
        self._adoption.reloaded(command)

    def done(self, done: Done, now: float) -> None:
        """Note that an update was carried out."""
        self.outstanding.discard(done.id)
        self._timeline.flushed(done.id, detail=", ".join(self._names(done.flushed)), now=now)
        self._confirm()
        self._cadence.report_soon(now)

    def failed(self, failed: Failed, now: float) -> None:
        """ExaBGP refused a command: what it has is unknown, so ask."""
        self._outbox.count("exabgp_commands_failed")
        self._outbox.note("error", "exabgp_command_failed", error=failed.error)
        self.outstanding.discard(failed.id or 0)
        self._adoption.reloaded(failed.id)
        if self._adoption.may_ask(now):
            self.ask(now)

    def end_of_rib(self, message: SessionChanged) -> None:
        """After a graceful restart the routes go first, then the marker (RFC 4724, 4.2)."""
        if self.desired is None or message.state is not PeerState.ESTABLISHED:
            return
        for peer in self.desired.peers.values():
            if peer.address == message.peer and peer.graceful_restart is not None:
                number = self._outbox.number()
                peers = (peer.address,)
                self._outbox.send(EndOfRib(id=number, peers=peers, families=peer.families))

    def _adopt(self, shown: Shown, now: float) -> None:
        assert self.desired is not None
        self.rib.adopt(self._adoption.routes(shown, self.desired.peers))
        self._sessions.forget_all_but(self.desired.peers.values())
        self.reconcile(now)

    # Reconcile

    def begin(self, now: float) -> None:
        """Advertise for the first time if all is known."""
        if not self.advertising and self._ready(now):
            self.reconcile(now)

    def reconcile(self, now: float) -> None:
        """Bring ExaBGP from what it has to what is desired."""
        if not self._ready(now) or self.desired is None:
            return
        self.advertising = True
        if self._situation.drain.phase not in (Phase.NOT_DRAINING, Phase.DEMOTED):
            return
        self._update(self.rib.rebuild(self.desired, self._current_stances(now)), now)
        self._confirm()

    def restance(self, now: float) -> None:
        """Reconcile if what we say with every route has changed."""
        if self.advertising and self._situation.base_stance(now) != self._stance:
            self.reconcile(now)

    def withdraw_all(self, now: float) -> None:
        """Take back every route from every peer."""
        if self.desired is not None:
            known = self.desired.peers
            self._update([plan for plan in self.rib.withdraw_all() if plan.peer in known], now)

    def _ready(self, now: float) -> bool:
        """Return whether desired, actual and generation are all known."""
        return (
            self.desired is not None
            and self._adoption.known
            and (self.advertising or self._situation.may_advertise(now))
        )

    def _current_stances(self, now: float) -> dict[PeerName, Stance]:
        self._stance = base = self._situation.base_stance(now)
        if self.desired is None:
            return {}
        members = self._situation.mesh_status(now).members
        unheard = any(member.state is not MemberState.ALIVE for member in members)
        return {
            name: self._stances.of(peer, base, unheard=unheard)
            for name, peer in self.desired.peers.items()
        }

    def _update(self, plans: Sequence[PeerPlan], now: float) -> None:
        if not plans or self.desired is None:
            return
        update = self._outbox.number()
        self.outstanding.add(update)
        peers = self.desired.peers
        self._outbox.send(
            Update(
                id=update,
                peers=tuple(_peer_update(plan, peers[plan.peer].address) for plan in plans),
            )
        )
        self._timeline.commanded(update, routes=sum(map(len, plans)), now=now)
        self._cadence.report_soon(now)

    def _confirm(self) -> None:
        if self.desired is not None and not self.outstanding:
            self._outbox.put(Tell(Applied(sequence=self.desired.sequence)))

    def _names(self, addresses: Sequence[Address]) -> list[str]:
        if self.desired is None:
            return list(addresses)
        names = {peer.address: peer.name for peer in self.desired.peers.values()}
        return sorted(names.get(address, PeerName(address)) for address in addresses)


def _peer_update(plan: PeerPlan, address: Address) -> PeerUpdate:
    return PeerUpdate(
        peer=address,
        withdraw=plan.withdraw,
        advertise=tuple(
            RouteGroup(attributes=attributes, prefixes=prefixes)
            for attributes, prefixes in plan.advertise
        ),
    )
