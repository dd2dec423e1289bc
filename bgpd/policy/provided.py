"""From one BGPPeer that names a provider, and what the provider says, to ordinary BGPPeers.

Whatever the document says itself wins over the provider's word; what neither of them says and no
session can be without is asked for in a sentence. The names are stable, so that a provider's
document which changes in one place changes one session.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import Asn, Lever, PeerName
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.provider import DEFAULT_GATEWAY, Discovery, ProviderPeer
from bgpd.policy.family import WORD

LONGEST_PASSWORD: Final = 80
"""Bytes of a TCP MD5 key (TCP_MD5SIG_MAXKEYLEN; RFC 2385, section 4.5)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What the documents of a node come to, once its providers were heard."""

    peers: tuple[BGPPeer, ...] = ()
    """Ordinary BGPPeers, those that are documents themselves included."""
    sentences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What could not be made of a provider's word, by the document's name."""


def session_name(document: str, address: Address) -> PeerName:
    """Return the name of the session with *address* that *document* stands for."""
    return PeerName(f"{document}-{address.replace(':', '-')}")


def provide(
    documents: Iterable[BGPPeer],
    *,
    discovered: Mapping[str, Discovery],
    addresses: frozenset[Address] | None,
    before: Mapping[str, BGPPeer],
) -> Provided:
    """Return *documents* with the sessions of their providers in place of those that name one.

    *before* are the ordinary BGPPeers in force, by name. Of a provider that was never understood
    they stay, and so does one that the provider still offers but that cannot be made any more.
    """
    written = tuple(documents)
    names = {one.name for one in written}
    peers: list[BGPPeer] = [one for one in written if one.provider is None]
    said: dict[str, tuple[str, ...]] = {}
    for document in written:
        if document.provider is None:
            continue
        found, sentences = _found(document, discovered, addresses, before)
        taken = [one.name for one in found if one.name in names]
        sentences += tuple(
            f"BGPPeer {document.name}: the session {one} has the name of another BGPPeer; rename "
            "that one"
            for one in taken
        )
        peers.extend(one for one in found if one.name not in names)
        said |= {document.name: sentences} if sentences else {}
    return Provided(peers=tuple(peers), sentences=said)


def expand(
    document: BGPPeer, discovery: Discovery, *, addresses: frozenset[Address] | None
) -> tuple[tuple[BGPPeer, ...], tuple[str, ...]]:
    """Return the ordinary BGPPeers that *discovery* makes of *document*, and why others are none.

    *addresses* are those of the host, on whatever interface; None: not known, so the provider is
    believed. A source that the host does not have is left out: it is then chosen as elsewhere.
    """
    found: dict[PeerName, BGPPeer] = {}
    sentences: list[str] = []
    offered = tuple(one for one in discovery.peers if _wanted(document, one))
    if discovery.peers and not offered:
        sentences.append(_not_offered(document, discovery.peers))
    for one in offered:
        problem = _impossible(document, one, addresses)
        if problem is not None:
            sentences.append(f"BGPPeer {document.name}: {problem}")
            continue
        made = _made(document, one, addresses)
        twin = found.get(made.name)
        # One session may be told of twice, once for each family of its routes.
        found[made.name] = made if twin is None else _joined(twin, made)
    if offered and _misplaced_lever(document, found.values()):
        sentences.append(
            f"BGPPeer {document.name}: spec.takeover.lever localPref is never sent over eBGP "
            "(RFC 4271, section 5.1.5), which this provider's sessions are; med is used, set med "
            "or asPath"
        )
    return tuple(found.values()), tuple(dict.fromkeys(sentences))


def may_matter(
    before: frozenset[Address] | None,
    after: frozenset[Address] | None,
    discoveries: Iterable[Discovery],
    sources: AbstractSet[Address],
) -> bool:
    """Return whether a session may differ because the host has other addresses than *before*.

    *sources* are where the sessions in force start.
    """
    peers = [peer for one in discoveries for peer in one.peers]
    if not peers:
        return False
    if before is None or after is None:
        return before != after
    wanted = {*sources, *(one.local_address for one in peers if one.local_address is not None)}
    changed = before ^ after
    if any(one in wanted for one in changed):
        return True
    # With IPVS each Service's address is the host's: ten thousand are not looked through for one.
    families = [family for family in Family if _has(changed, family)]
    return any(_has(before, family) != _has(after, family) for family in families)


def _found(
    document: BGPPeer,
    discovered: Mapping[str, Discovery],
    addresses: frozenset[Address] | None,
    before: Mapping[str, BGPPeer],
) -> tuple[tuple[BGPPeer, ...], tuple[str, ...]]:
    discovery = discovered.get(document.name)
    mine = {name: one for name, one in before.items() if one.document == document.name}
    if discovery is None or not discovery.known:
        return tuple(mine.values()), ()
    found, sentences = expand(document, discovery, addresses=addresses)
    made = {one.name for one in found}
    offered = (
        session_name(document.name, one.address)
        for one in discovery.peers
        if _wanted(document, one)
    )
    kept = [mine[name] for name in dict.fromkeys(offered) if name in mine and name not in made]
    return (*found, *kept), sentences


def _wanted(document: BGPPeer, offered: ProviderPeer) -> bool:
    """Return whether *offered* is meant: all are, unless the document names one by its address."""
    return "address" not in document.stated or document.address == offered.address


def _not_offered(document: BGPPeer, peers: Iterable[ProviderPeer]) -> str:
    offered = ", ".join(sorted({one.address for one in peers}))
    return (
        f"BGPPeer {document.name}: spec.peerAddress {document.address} is no router that "
        f"{_provider(document)} offers; it must be one of {offered}, or be removed to mean all"
    )


def _provider(document: BGPPeer) -> str:
    return f"provider {document.provider.kind}" if document.provider else "the provider"


def _impossible(
    document: BGPPeer, offered: ProviderPeer, addresses: frozenset[Address] | None
) -> str | None:
    """Return why there can be no session with *offered*, in a sentence without a subject."""
    local, remote = _asns(document, offered)
    router = f"the router {offered.address} of {_provider(document)}"
    family = family_of(offered.address)
    if addresses is not None and not _has(addresses, family):
        return f"there is no session with {router}, because this host has no {WORD[family]} address"
    if local is None:
        return f"{router} does not say which AS we are; set spec.myASN (1..4294967295)"
    if remote is None:
        return f"{router} does not say its AS; set spec.peerASN (1..4294967295)"
    return None if _has_password(document) else _passwordless(router, offered)


def _passwordless(router: str, offered: ProviderPeer) -> str | None:
    """Return why the provider's own word on the password is not enough for a session."""
    if offered.password_required and not offered.password:
        return (
            f"{router} wants a TCP MD5 password and does not tell it; set spec.passwordSecret, "
            "spec.passwordFile or spec.password"
        )
    if offered.password and not legal_password(offered.password):
        return (
            f"the password of {router} must have 1..{LONGEST_PASSWORD} printable ASCII characters; "
            "change it there, or set spec.passwordSecret"
        )
    return None


def legal_password(text: str) -> bool:
    """Return whether *text* can be the key of TCP MD5 in our configuration of it."""
    return 0 < len(text) <= LONGEST_PASSWORD and text.isascii() and text.isprintable()


def _has(addresses: AbstractSet[Address], family: Family) -> bool:
    """Return whether one of *addresses* can speak with a router that is not on its own link."""
    parsed = (ipaddress.ip_address(one) for one in addresses if family_of(one) is family)
    return any(not (one.is_loopback or one.is_link_local) for one in parsed)


def _has_password(document: BGPPeer) -> bool:
    return bool(document.password or document.password_file or document.password_secret)


def _asns(document: BGPPeer, offered: ProviderPeer) -> tuple[Asn | None, Asn | None]:
    local = document.local_asn if "local_asn" in document.stated else offered.local_asn
    remote = document.peer_asn if "peer_asn" in document.stated else offered.peer_asn
    return local, remote


def _made(
    document: BGPPeer, offered: ProviderPeer, addresses: frozenset[Address] | None
) -> BGPPeer:
    """Return *document* as if a person had written this one session down."""
    local, remote = _asns(document, offered)
    local, remote = local or document.local_asn, remote or document.peer_asn
    stated = document.stated
    reach = document.ttl is None and document.ttl_security is None
    return replace(
        document,
        name=session_name(document.name, offered.address),
        document=document.name,
        provider=None,
        stated=frozenset(),
        address=offered.address,
        local_asn=local,
        peer_asn=remote,
        source_address=_source(document, offered, addresses),
        hold_time=_said(stated, "hold_time", document.hold_time, offered.hold_time),
        families=document.families
        if "families" in stated
        else offered.families or (family_of(offered.address),),
        ttl=offered.ttl if reach else document.ttl,
        password=document.password if _has_password(document) else offered.password,
        max_prefixes=_said(stated, "max_prefixes", document.max_prefixes, offered.max_prefixes),
        lever=_lever(document, internal=local == remote),
        gateway=_gateway(document, offered),
        communities=tuple(dict.fromkeys((*document.communities, *offered.communities))),
    )


def _said(stated: AbstractSet[str], name: str, ours: _T, theirs: _T | None) -> _T:
    return ours if name in stated or theirs is None else theirs


def _source(
    document: BGPPeer, offered: ProviderPeer, addresses: frozenset[Address] | None
) -> Address | None:
    """Return where the session starts; None: where any other session would."""
    family = family_of(offered.address)
    ours, theirs = document.source_address, offered.local_address
    if ours is not None and family_of(ours) is family:
        return ours
    if theirs is None or family_of(theirs) is not family:
        return None
    return theirs if addresses is None or theirs in addresses else None


def _gateway(document: BGPPeer, offered: ProviderPeer) -> str:
    """Return the way to the router; one document may stand for routers of both families."""
    ours = document.gateway
    if ours in {"", DEFAULT_GATEWAY}:
        return ours or offered.gateway
    same = family_of(Address(ours)) is family_of(offered.address)
    return ours if same else offered.gateway


def _lever(document: BGPPeer, *, internal: bool) -> Lever:
    """Return the lever; who states none gets what a session of that kind has elsewhere."""
    stated = "lever" in document.stated
    if stated and (internal or document.lever is not Lever.LOCAL_PREF):
        return document.lever
    return Lever.LOCAL_PREF if internal else Lever.MED


def _misplaced_lever(document: BGPPeer, made: Iterable[BGPPeer]) -> bool:
    if "lever" not in document.stated or document.lever is not Lever.LOCAL_PREF:
        return False
    return any(one.lever is not Lever.LOCAL_PREF for one in made)


def _joined(one: BGPPeer, other: BGPPeer) -> BGPPeer:
    families = dict.fromkeys((*one.families, *other.families))
    return replace(one, families=tuple(sorted(families)))
