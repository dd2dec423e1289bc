"""Which routers this node speaks with, complete down to source address and password."""

import ipaddress
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from bgpd.model.cluster import Node
from bgpd.model.configuration import BFDProfile, BGPPeer
from bgpd.model.peer import Lever, Peer, PeerName
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.provider import Discovery
from bgpd.policy.admission import admit
from bgpd.policy.family import WORD
from bgpd.policy.profiles import bfd_of
from bgpd.policy.provided import LONGEST_PASSWORD, legal_password, provide
from bgpd.policy.selector import matches_any

SourceFor: TypeAlias = Callable[[Address, str], Address | None]
"""From which address the host reaches a router over a gateway (`Peer.gateway`); None: not known."""
_NOTHING: Final[Mapping[str, Discovery]] = {}
_ONE_HOP: Final = 255
"""The TTL of what a neighbor sent (RFC 5082, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSet:
    """The peers of this node, and a sentence for each that cannot be one."""

    documents: Mapping[str, BGPPeer] = field(default_factory=dict)
    """The documents in force on this node, by name."""
    sessions: Mapping[str, BGPPeer] = field(default_factory=dict)
    """The same with a BGPPeer for each session in place of one that names a provider."""
    peers: tuple[Peer, ...] = ()
    refused: tuple[str, ...] = ()
    unprovided: tuple[str, ...] = ()
    """A sentence for each session that a provider offers and that cannot be one."""

    @property
    def by_name(self) -> dict[PeerName, Peer]:
        """The peers by name."""
        return {peer.name: peer for peer in self.peers}


def peers_of(  # noqa: PLR0913 - one argument for each thing that a session depends on
    node: Node,
    documents: Iterable[BGPPeer],
    *,
    password_of: Mapping[str, str],
    previous: PeerSet,
    held: bool = False,
    profiles: Mapping[str, BFDProfile] | None = None,
    discovered: Mapping[str, Discovery] = _NOTHING,
    addresses: frozenset[Address] | None = None,
    source_for: SourceFor | None = None,
) -> PeerSet:
    """Return the peers that *documents* give *node*; *held* leaves all of them without a lever.

    A peer that cannot be built now (its password file is missing, say) keeps the form that it
    had in *previous*: a session that works is not closed because of a file. *discovered* is what
    providers said, by the document's name, *addresses* is what the host has (None: unknown), and
    *source_for* says from which of them it reaches an address over a gateway.
    """
    host = _Host(addresses=addresses, source_for=source_for)
    selected = [one for one in documents if matches_any(one.node_selectors, node.labels)]
    provided = provide(
        selected, discovered=discovered, addresses=addresses, before=previous.sessions
    )
    admission = admit(provided.peers, previous.sessions, _clash)
    refused = [f"on node {node.name}: {sentence}" for _, sentence in admission.refused]
    # Two routers of one document are refused in the same words.
    refused = list(dict.fromkeys(refused))
    peers: list[Peer] = []
    before = previous.by_name
    for document in admission.admitted:
        local = host.source(document, node, before.get(document.name))
        peer = _peer(document, node, local, password_of)
        if not isinstance(peer, str):
            peer = _watched(peer, document, password_of, profiles, before.get(document.name))
        if isinstance(peer, str):
            refused.append(peer)
            kept = before.get(document.name)
            # An address may have moved to another peer since; a session is keyed by it.
            if kept is None or kept.address != document.address:
                continue
            peer = kept
        peers.append(replace(peer, lever=Lever.NONE if held else document.lever))
    sessions: dict[str, BGPPeer] = {one.name: one for one in admission.admitted}
    asking = [one for one in selected if one.provider is not None]
    written = [one for one in admission.admitted if not one.document]
    return PeerSet(
        documents={one.name: one for one in sorted((*written, *asking), key=lambda one: one.name)},
        sessions=sessions,
        peers=tuple(peers),
        refused=tuple(refused),
        unprovided=tuple(one for said in provided.sentences.values() for one in said),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """What is known of this host's addresses."""

    addresses: frozenset[Address] | None
    source_for: SourceFor | None

    def source(self, document: BGPPeer, node: Node, before: Peer | None) -> Address | None:
        """Return where the session starts: as said, on the way to the router, or as before.

        That the way there is not known for a moment is no reason to start from elsewhere.
        """
        if document.source_address is not None:
            return document.source_address
        family = family_of(document.address)
        if document.gateway or document.document:
            found = self.source_for(document.address, document.gateway) if self.source_for else None
            if found is not None and family_of(found) is family:
                return found
            if before is not None and before.address == document.address:
                kept = before.local_address
                return kept if self._may_have(kept) else address_in(node, family)
        return address_in(node, family)

    def _may_have(self, address: Address) -> bool:
        return self.addresses is None or address in self.addresses


def _clash(candidate: BGPPeer, others: Sequence[BGPPeer]) -> str | None:
    return (
        _same_address(candidate, others)
        or _other_router_id(candidate, others)
        or _other_asn(candidate, others)
    )


def _other_asn(candidate: BGPPeer, others: Sequence[BGPPeer]) -> str | None:
    """Return why a node cannot be in two autonomous systems; `localASN` is for what looks so."""
    mine = candidate.my_asn or candidate.local_asn
    for other in others:
        theirs = other.my_asn or other.local_asn
        if mine != theirs:
            return (
                f"{titled(candidate)}: spec.myASN {mine}: must be {theirs}, that of "
                f"{titled(other)}, because a node is in one autonomous system; where one peer is "
                "to see another number, set its spec.localASN"
            )
    return None


def _other_router_id(candidate: BGPPeer, others: Sequence[BGPPeer]) -> str | None:
    """Return why a node cannot be two routers at once (RFC 4271, section 1: BGP Identifier)."""
    for other in others:
        if other.router_id != candidate.router_id:
            mine, theirs = candidate.router_id or "unset", other.router_id or "unset"
            return (
                f"{titled(candidate)}: spec.routerID {mine}: must be {theirs}, that of "
                f"{titled(other)}, because a node has one router ID; give all peers of a node "
                "the same one, or none"
            )
    return None


def _same_address(candidate: BGPPeer, others: Sequence[BGPPeer]) -> str | None:
    for other in others:
        if other.address == candidate.address and candidate.document:
            return (
                f"{titled(candidate)}: the router {candidate.address} of its provider is "
                f"already that of {titled(other)}; remove one of them, or give them "
                "nodeSelectors that share no node"
            )
        if other.address == candidate.address:
            return (
                f"{titled(candidate)}: spec.peerAddress {candidate.address} is already that "
                f"of {titled(other)}; change one of them, or give them nodeSelectors "
                "that share no node"
            )
    return None


def _peer(
    document: BGPPeer, node: Node, local: Address | None, password_of: Mapping[str, str]
) -> Peer | str:
    """Return the peer, or the sentence that says why there is none."""
    family = family_of(document.address)
    if local is None:
        return (
            f"{titled(document)}: node {node.name} has no {WORD[family]} InternalIP to speak "
            f"with {document.address} from; give the Node one, or set spec.sourceAddress"
        )
    password, path = document.password, document.password_file
    if path is not None:
        password = password_of.get(path)
        if not password:
            return (
                f"{titled(document)}: spec.passwordFile {path} is missing, unreadable or "
                "empty; without its password there is no session"
            )
        if not legal_password(password):
            return (
                f"{titled(document)}: spec.passwordFile {path} must hold "
                f"1..{LONGEST_PASSWORD} printable ASCII characters on one line"
            )
    return _complete(document, node, local, password)


def _watched(
    peer: Peer,
    document: BGPPeer,
    password_of: Mapping[str, str],
    profiles: Mapping[str, BFDProfile] | None,
    before: Peer | None,
) -> Peer | str:
    """Return *peer* with the BFD that its document asks for, or why that cannot be.

    Without its profile a session goes on without BFD: it is worse watched, and it works. Where
    nothing is known of profiles, what was there *before* stays.
    """
    if not document.bfd_profile:
        return peer
    if profiles is None:
        same = before is not None and before.address == peer.address
        return replace(peer, bfd=before.bfd) if before is not None and same else peer
    profile = profiles.get(document.bfd_profile)
    if profile is None:
        return peer
    found = bfd_of(profile, multihop=_multihop(peer), password_of=password_of)
    return found if isinstance(found, str) else replace(peer, bfd=found)


def _multihop(peer: Peer) -> bool:
    """Return whether the router may be further than one hop away (RFC 5883)."""
    if peer.ttl_security is not None:
        return peer.ttl_security < _ONE_HOP
    return peer.ttl is not None and peer.ttl > 1


def _complete(document: BGPPeer, node: Node, local: Address, password: str | None) -> Peer:
    session = family_of(document.address)
    # A provider that hears of IPv4 over IPv6 forwards to where the session starts (RFC 8950).
    extended = session is Family.IPV6 and bool(document.document)
    written = session is Family.IPV6 and not extended
    v4 = document.next_hop_v4 or (address_in(node, Family.IPV4) if written else None)
    v6 = document.next_hop_v6 or (address_in(node, Family.IPV6) if session is Family.IPV4 else None)
    hops = {Family.IPV4: v4, Family.IPV6: v6}
    reachable = tuple(
        one for one in document.families if one is session or extended or hops[one] is not None
    )
    return Peer(
        name=document.name,
        address=document.address,
        peer_asn=document.peer_asn,
        local_asn=document.local_asn,
        local_address=local,
        router_id=document.router_id or _router_id(node, local),
        port=document.port,
        hold_time=document.hold_time,
        families=reachable or (session,),
        password=password,
        ttl=document.ttl,
        ttl_security=document.ttl_security,
        graceful_restart=document.graceful_restart,
        max_prefixes=document.max_prefixes,
        lever=document.lever,
        takeover=document.takeover,
        damping=document.damping,
        next_hop_v4=v4 if Family.IPV4 in reachable else None,
        next_hop_v6=v6 if Family.IPV6 in reachable else None,
        gateway=document.gateway,
        document=document.document,
    )


def titled(peer: BGPPeer | Peer) -> str:
    """Return what the document that a person wrote for *peer* is called in a sentence."""
    return f"BGPPeer {peer.document or peer.name}"


def address_in(node: Node, family: Family) -> Address | None:
    """Return the first InternalIP of *node* in *family*."""
    return next((one for one in node.addresses if family_of(one) is family), None)


def _router_id(node: Node, local: Address) -> Address:
    """Return the node's IPv4 address, or for a node without one 32 bits of its name (RFC 6286)."""
    v4 = address_in(node, Family.IPV4)
    if v4 is not None:
        return v4
    if family_of(local) is Family.IPV4:
        return local
    return Address(str(ipaddress.IPv4Address(zlib.crc32(node.name.encode()) or 1)))
