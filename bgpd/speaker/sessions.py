"""The sessions as ExaBGP reports them, joined with the peers as the agent wants them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bgpd.exabgp.message import SessionChanged
from bgpd.model.peer import Peer, PeerName, PeerState
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.status import SessionStatus
from bgpd.policy.lever import next_hop_of


@dataclass(slots=True)
class _Session:
    state: PeerState = PeerState.IDLE
    since: float | None = None
    hold_time: int | None = None
    peer_router_id: Address | None = None
    last_error: str = ""
    transitions: int = 0
    entered: Counter[PeerState] = field(default_factory=Counter)
    """How often it came into each state, that we saw."""
    graceful_restart: bool = False
    families: tuple[Family, ...] = ()
    carries: frozenset[Family] | None = None
    """What the last session carried; None: nobody has said. It outlives the session."""
    extended_next_hop: bool = False


class Sessions:
    """What is known of each session, by the peer's address."""

    def __init__(self) -> None:
        self._sessions: dict[Address, _Session] = {}
        self._spoken: dict[PeerName, tuple[Family, ...]] = {}
        """The families that each peer heard when it was asked last."""

    def changed(self, message: SessionChanged, wall: float, *, shown: bool = False) -> bool:
        """Take over what *message* says; return whether the session came up or went down.

        What was only *shown* has not happened just now: perhaps before we were there.
        """
        session = self._sessions.setdefault(message.peer, _Session())
        was = session.state is PeerState.ESTABLISHED
        if session.state is not message.state:
            session.since = wall
            session.entered[message.state] += not shown
        session.state = message.state
        if message.error:
            session.last_error = message.error
        up = message.state is PeerState.ESTABLISHED
        if up:
            session.hold_time = message.hold_time
            session.peer_router_id = message.peer_router_id
            session.graceful_restart = message.graceful_restart
            session.families = message.families
            if message.hold_time is not None:
                session.carries = frozenset(message.families)
                session.extended_next_hop = message.extended_next_hop
        elif was:
            session.hold_time = None
            session.families = ()
        if was is not up:
            session.transitions += 1
        return was is not up

    def entered(self, address: Address) -> Mapping[PeerState, int]:
        """Return how often the session with *address* came into each state since we know it."""
        session = self._sessions.get(address)
        return {} if session is None else session.entered

    def forget_all_but(self, peers: Iterable[Peer]) -> None:
        """Drop the sessions of peers that are configured no more."""
        kept = {peer.address for peer in peers}
        self._sessions = {key: value for key, value in self._sessions.items() if key in kept}

    def hears_otherwise(self, peer: Peer) -> bool:
        """Return whether *peer* hears other families than when this was asked last."""
        spoken = self.spoken(peer)
        before = self._spoken.get(peer.name, peer.families)
        self._spoken[peer.name] = spoken
        return spoken != before

    def established(self, peer: Peer) -> bool:
        """Return whether the session with *peer* is up."""
        session = self._sessions.get(peer.address)
        return session is not None and session.state is PeerState.ESTABLISHED

    def spoken(self, peer: Peer) -> tuple[Family, ...]:
        """Return the families of *peer* whose routes it can hear, as far as it is known.

        A router that lacks one of them hears the others; the session stands all the same.
        """
        session = self._sessions.get(peer.address)
        if session is None or session.carries is None:
            return peer.families
        return tuple(
            family
            for family in peer.families
            if family in session.carries
            and (session.extended_next_hop or not _needs_extension(peer, family))
        )

    def router_ids(self) -> frozenset[Address]:
        """Return the BGP identifiers of the routers that we have sessions with."""
        return frozenset(
            session.peer_router_id
            for session in self._sessions.values()
            if session.state is PeerState.ESTABLISHED and session.peer_router_id is not None
        )

    def kept_seconds(self, peers: Iterable[Peer]) -> tuple[int, ...]:
        """Return for each session that is up how long its router keeps our routes without us.

        0 where it drops them with the connection: graceful restart was not negotiated.
        """
        return tuple(
            (peer.graceful_restart or 0) if session.graceful_restart else 0
            for peer in peers
            if (session := self._sessions.get(peer.address)) is not None
            and session.state is PeerState.ESTABLISHED
        )

    def router_id(self, peer: Peer) -> Address | None:
        """Return the BGP identifier of *peer* while the session with it is up."""
        session = self._sessions.get(peer.address)
        if session is None or session.state is not PeerState.ESTABLISHED:
            return None
        return session.peer_router_id

    def status(self, peer: Peer, advertised: int) -> SessionStatus:
        """Return what people see of the session with *peer*."""
        session = self._sessions.get(peer.address, _Session())
        return SessionStatus(
            peer=PeerName(peer.name),
            address=peer.address,
            peer_asn=peer.peer_asn,
            local_asn=peer.local_asn,
            state=session.state,
            since=session.since,
            hold_time=session.hold_time,
            peer_router_id=session.peer_router_id,
            lever=peer.lever,
            advertised=advertised,
            max_prefixes=peer.max_prefixes,
            last_error=session.last_error,
            transitions=session.transitions,
            graceful_restart=session.graceful_restart and session.state is PeerState.ESTABLISHED,
            local_address=peer.local_address,
            port=peer.port,
            families=session.families,
            wanted_families=peer.families,
            wanted_hold_time=peer.hold_time,
            signed=peer.password is not None,
            gateway=peer.gateway,
            document=peer.document,
        )


def _needs_extension(peer: Peer, family: Family) -> bool:
    """Return whether routes of *family* have an IPv6 next hop although they are IPv4 (RFC 8950)."""
    next_hop = next_hop_of(peer, family)
    return family is Family.IPV4 and next_hop is not None and family_of(next_hop) is Family.IPV6
