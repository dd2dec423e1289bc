"""One session, in the seat of ExaBGP's `Peer`: what it reports, how it flushes, how it ends.

ExaBGP gives each peer a turn a hundred times a second; a turn advances a generator by one step.
A turn of ours is ExaBGP's, then a look at what changed, which is told to the reflex.
"""

import select
from time import monotonic
from typing import Any, Final

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Notification, Notify
from exabgp.protocol.family import AFI, SAFI
from exabgp.reactor import peer
from exabgp.reactor.delay import Delay
from exabgp.reactor.network.error import LostConnection
from exabgp.reactor.peer import ACTION

from bgpd.exabgp import refusal
from bgpd.exabgp.conversation import known_families, restarts_gracefully
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.message import SessionChanged
from bgpd.exabgp.refusal import Story, Wanted
from bgpd.exabgp.transport import PeerConnection
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address

FLUSH_TURNS: Final = 400
"""Turns that one flush may take: ten thousand UPDATEs, so that one peer delays no other."""

EAGER_TURNS: Final = 8
CLOSE_SECONDS: Final = 3.0

_STATES: Final = {
    FSM.OPENSENT: PeerState.OPEN_SENT,
    FSM.OPENCONFIRM: PeerState.OPEN_CONFIRM,
    FSM.ESTABLISHED: PeerState.ESTABLISHED,
}
_EXTENDED: Final = (AFI.ipv4, SAFI.unicast, AFI.ipv6)


class PromptDelay(Delay):  # type: ignore[misc]
    """The pause before the next connection: a second between two beginnings, never more.

    ExaBGP's own grows to a minute, which is a minute without routes after the router is back.
    """

    def __init__(self) -> None:
        """Allow the first connection at once."""
        super().__init__()
        self._next_start = 0.0

    def backoff(self) -> bool:
        """Return whether to wait; not waiting is a beginning."""
        now = monotonic()
        if now < self._next_start:
            return True
        self._next_start = now + 1.0
        return False

    def increase(self) -> None:
        """Do nothing: the pause does not grow."""

    def skip(self) -> None:
        """End the pause now."""
        self._next_start = 0.0


class Session(peer.Peer):  # type: ignore[misc]
    """A session with one peer."""

    without: frozenset[Mend] = frozenset()
    """Set once, by the launcher, for all of them."""

    def __init__(self, neighbor: Any, reactor: Any) -> None:
        """Start a session with *neighbor*; the first connection is attempted next turn."""
        super().__init__(neighbor, reactor)
        self.address = Address(str(neighbor["peer-address"]))
        """By which everybody knows the session; a new address is a new session."""
        self.latest: Any = None
        self.story = Story()
        self.retiring = False
        self.held = False
        """Whether there shall be no connection until `release`."""
        self._offered_restart: Any = None
        """What `hold` has to put back once the session is closed."""
        self._subcode: int | None = None
        self._deadline = 0.0
        self._reported: SessionChanged | None = None
        self._eager = 0
        if Mend.RECONNECT not in self.without:
            self._delay = PromptDelay()

    @property
    def wanted(self) -> Wanted:
        """What the configuration asks for, for sentences about why it is not there."""
        return Wanted(
            address=self.address,
            local_address=Address(str(self.neighbor["local-address"])),
            local_asn=int(self.neighbor["local-as"]),
            peer_asn=int(self.neighbor["peer-as"]),
            router_id=Address(str(self.neighbor["router-id"])),
            port=int(self.neighbor["connect"] or 179),
            hold_time=int(self.neighbor["hold-time"]),
            families=known_families(self.neighbor.families()),
            password=bool(self.neighbor["md5-password"]),
            ttl_security=self.neighbor["incoming-ttl"],
        )

    @property
    def coming(self) -> Any:
        """The configuration that it has, or takes over when what it had has ended."""
        return self._neighbor or self.neighbor

    @property
    def rib(self) -> Any:
        """What the peer is offered."""
        return self.neighbor.rib.outgoing

    @property
    def queued(self) -> bool:
        """Whether something for the peer has not been handed to the kernel."""
        if self.proto is None:
            return bool(self.rib.pending())
        return bool(
            self.rib.pending() or self.neighbor.eor or self.proto.writing or self._stuffed()
        )

    @property
    def line(self) -> PeerConnection | None:
        """The connection of an established session."""
        connection = self.proto.connection if self.established() else None
        return connection if isinstance(connection, PeerConnection) else None

    @property
    def idle(self) -> bool:
        """Whether only the network, a command or a slow timer can make this session move."""
        if self._subcode is not None:
            return False
        if self._waits_for_release:
            return True
        if self.fsm in (FSM.OPENSENT, FSM.OPENCONFIRM, FSM.ESTABLISHED):
            return self._teardown is None
        connection = self.latest.connection if self.latest is not None else None
        return isinstance(connection, PeerConnection) and connection.connecting

    @property
    def interest(self) -> tuple[int, int]:
        """The descriptor to wait for, or -1, and what is waited for."""
        connection = self.latest.connection if self.latest is not None else None
        if connection is None:
            return -1, 0
        if isinstance(connection, PeerConnection) and connection.connecting:
            return connection.fd(), select.POLLOUT
        return connection.fd(), select.POLLIN | (select.POLLOUT if self._stuffed() else 0)

    def stopping(self) -> bool:
        """Whether the session is on its way out; ExaBGP asks."""
        return self._subcode is not None or bool(super().stopping())

    def run(self) -> Any:
        """Take one turn; ExaBGP calls this."""
        if self._waits_for_release:
            self._observe()
            return ACTION.LATER
        before = self.fsm.state
        action = super().run()
        self._close_when_flushed()
        self._observe()
        # After a change of state ExaBGP has steps to take that nothing here tells of.
        self._eager = EAGER_TURNS if self.fsm.state != before else max(0, self._eager - 1)
        if Mend.IDLE not in self.without and action == ACTION.NOW and self._must_wait():
            return ACTION.LATER
        return action

    def flush(self) -> bool:
        """Write what is queued, as far as the kernel takes it; return whether all is gone.

        The reactor reads commands after it gave the peers their turns, so what a command
        queues would wait for the next round.
        """
        for _ in range(FLUSH_TURNS):
            if not self.established() or not self.queued:
                break
            if self._stuffed() and not self.proto.connection.writing():
                break
            self.run()
        return not self.queued

    def finish(self, subcode: int, *, final: bool = False) -> None:
        """Close for good with Cease and *subcode*, after all that is queued was written.

        Unless it is *final*, a peer that keeps our routes for a while hears no reason, and does.
        """
        if final:
            self.neighbor["capability"]["graceful-restart"] = False
        if self._subcode is None:
            self._subcode = subcode
            self._deadline = monotonic() + CLOSE_SECONDS
            self._restart = False
            self.neighbor.rib.uncache()
            if not self.established():
                self._abandon("closed")

    def retire(self, subcode: int) -> None:
        """Withdraw everything, then close for good: the peer has been removed."""
        self.retiring = True
        build = self.reactor.commands.builder
        for change in self.rib.offered():
            self.rib.change(build.withdrawal(change.nlri.cidr.prefix()))
        # With graceful restart the peer would keep its routes for a session that never returns.
        self.finish(subcode, final=True)

    def renew(self, neighbor: Any, subcode: int) -> None:
        """Re-establish the session with the configuration *neighbor*."""
        if _keeps_less(self.neighbor, neighbor):
            # A router would wait for what never returns: BIRD 2.0 then takes no connection at all.
            self.neighbor["capability"]["graceful-restart"] = False
        self._say_goodbye()
        self.reestablish(neighbor)
        self._teardown = subcode

    def hold(self, subcode: int) -> None:
        """Close with Cease and *subcode*, at once, and have no connection until `release`."""
        if self.held or self._subcode is not None:
            return
        self.held = True
        if self.established():
            self._offered_restart = self.neighbor["capability"]["graceful-restart"]
            self._say_goodbye()
            self.teardown(subcode)
        else:
            # Nobody has heard an OPEN that counts: there is nothing to take back.
            self.story.hindered("held back: BFD with the peer is down")
            self._stop("held")
            self._disconnect()

    def release(self) -> None:
        """Connect again, without a pause."""
        if self.held:
            self.held = False
            if isinstance(self._delay, PromptDelay):
                self._delay.skip()

    def abandon(self) -> None:
        """Close at once."""
        self._abandon("closed")

    def shown(self) -> SessionChanged:
        """Return the state of this session in our terms."""
        state, error = self._state()
        if self.proto is None or self.fsm not in (FSM.OPENCONFIRM, FSM.ESTABLISHED):
            return SessionChanged(peer=self.address, state=state, error=error)
        negotiated: Any = self.proto.negotiated
        return SessionChanged(
            peer=self.address,
            state=state,
            hold_time=int(negotiated.holdtime),
            peer_router_id=Address(str(negotiated.received_open.router_id)),
            families=tuple(sorted(known_families(negotiated.families))),
            extended_next_hop=_EXTENDED in negotiated.nexthop,
            graceful_restart=restarts_gracefully(negotiated),
            error=error,
        )

    def _reset(self, message: str = "", error: Any = "") -> None:
        self._explain(message, error)
        if self._offered_restart is not None:
            self.neighbor["capability"]["graceful-restart"] = self._offered_restart
            self._offered_restart = None
        super()._reset(message, error)

    def _explain(self, message: str, error: Any) -> None:
        """Take note of why the session ends, or did not come about."""
        state = _STATES.get(self.fsm.state, PeerState.CONNECT)
        if isinstance(error, Notification):
            data = bytes(error.data)
            if isinstance(error, Notify):
                text = data.decode("utf-8", "replace")
                sentence = refusal.sent(error.code, error.subcode, text, self.wanted)
            else:
                sentence = refusal.received(error.code, error.subcode, data, self.wanted)
            tells = refusal.explains(error.code, error.subcode)
        elif self.held:
            sentence = "closed without a NOTIFICATION (graceful restart): BFD is down"
            tells = True
        else:
            sentence = _without_notification(state, error, self.wanted) or message
            tells = state is PeerState.ESTABLISHED
        if tells:
            self.story.ended(sentence)
        elif sentence:
            early = isinstance(error, LostConnection) and state is not PeerState.OPEN_CONFIRM
            self.story.hindered(sentence, refusal.CLOSED_AGAIN if early else "")

    def _close_when_flushed(self) -> None:
        if self._subcode is None or self.generator is False or self.generator is None:
            return
        if monotonic() > self._deadline:
            self._abandon("closed; the peer took no more data")
        elif self._teardown is None and not self.queued:
            self._say_goodbye()
            self.teardown(self._subcode, restart=False)

    def _say_goodbye(self) -> None:
        # ExaBGP closes silently as soon as *we* offered graceful restart. A peer that did not
        # offer it as well would see a broken connection instead of a reason.
        if self.proto is not None and not restarts_gracefully(self.proto.negotiated):
            self.neighbor["capability"]["graceful-restart"] = False

    def _abandon(self, why: str) -> None:
        self._restart = self.held = False
        self._subcode = None
        self.story.ended(why)
        self._stop(why)
        self.stop()
        if isinstance(self._delay, PromptDelay):
            self._delay.skip()
        self._disconnect()

    def _disconnect(self) -> None:
        latest, self.latest = self.latest, None
        if latest is not None and latest.connection is not None:
            latest.connection.close()

    @property
    def _waits_for_release(self) -> bool:
        """Whether it is held, and the connection that was has ended."""
        return self.held and self._subcode is None and not self.generator and self.proto is None

    def _stuffed(self) -> bool:
        connection = self.proto.connection if self.proto is not None else None
        return isinstance(connection, PeerConnection) and connection.stuffed

    def _must_wait(self) -> bool:
        """Whether another turn at once would find nothing to do but wait.

        ExaBGP asks for a turn at once while it waits for a KEEPALIVE, or for a connection that
        takes no more data, and so keeps a processor busy for as long as that lasts.
        """
        if self._teardown is not None or self.proto is None:
            return False
        if self.fsm == FSM.OPENCONFIRM:
            # The turn that reads the KEEPALIVE is not the one that makes the session Established,
            # and a peer that has nothing to offer sends nothing more that would wake us.
            return not self.proto.confirmed
        if self.fsm == FSM.ESTABLISHED:
            return self._stuffed() or not (self.queued or self._eager)
        return False

    def _observe(self) -> None:
        if self.established():
            self.story.well()
            if isinstance(self.proto.connection, PeerConnection):
                self.proto.connection.prod()
            self.rib.extended_next_hop = _EXTENDED in self.proto.negotiated.nexthop
        state, error = self._state()
        last = self._reported
        if last is None or (last.state, last.error) != (state, error):
            self._reported = self.shown()
            self.reactor.processes.send(self._reported)

    def _state(self) -> tuple[PeerState, str]:
        state = _STATES.get(self.fsm.state)
        if state is not None:
            return state, self.story.text
        connection = self.latest.connection if self.latest is not None else None
        if isinstance(connection, PeerConnection) and connection.connecting:
            if connection.failure:
                self.story.hindered(connection.failure)
                return PeerState.ACTIVE, self.story.text
            return PeerState.CONNECT, self.story.text
        connected = connection is not None and connection.fd() >= 0
        return (PeerState.CONNECT if connected else PeerState.IDLE), self.story.text


def _keeps_less(before: Any, after: Any) -> bool:
    """Return whether a router that kept the routes of *before* would keep some in vain."""
    restarts = bool(after["capability"]["graceful-restart"])
    return not restarts or not set(before.families()) <= set(after.families())


def _without_notification(state: PeerState, error: Any, wanted: Wanted) -> str:
    """Return why a connection ended about which nobody said anything, as far as ExaBGP knows."""
    said = str(error)
    if "ETIMEDOUT" in said or "EHOSTUNREACH" in said:
        return refusal.vanished(wanted)
    if isinstance(error, LostConnection) or "Broken TCP" in said or "ECONNRESET" in said:
        return refusal.closed(state, wanted)
    if said == "closing":
        return "we closed the session without a reason: the router keeps our routes meanwhile"
    return said
