"""What cannot hold together, as far as the documents alone can say: before they are rolled out.

The question is asked for a node that every document without node selectors selects. What depends
on a node's labels or on what is in force already, only an agent knows.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPAdvertisement, BGPPeer, Community, IPAddressPool
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, Lever
from bgpd.model.prefix import Address
from bgpd.model.provider import Discovery, ProviderPeer
from bgpd.policy.advertisements import Surroundings, admit_advertisements
from bgpd.policy.communities import aliases_of
from bgpd.policy.peers import PeerSet, peers_of
from bgpd.policy.pools import admit_pools
from bgpd.policy.provided import session_name

_BENCHMARKS: Final = ipaddress.IPv4Address("198.18.0.0")
"""Of RFC 2544: no router of a document has such an address."""
_PRIVATE, _OTHER = Asn(64512), Asn(65530)
# Documentation addresses (RFC 5737, RFC 3849): where a session would come from does not matter.
_NODE: Final = Node(name=NodeName("any"), addresses=(Address("192.0.2.1"), Address("2001:db8::1")))


def contradictions(
    *,
    pools: Iterable[IPAddressPool],
    advertisements: Iterable[BGPAdvertisement],
    peers: Iterable[BGPPeer],
    communities: Iterable[Community],
) -> Iterator[str]:
    """Yield a sentence for each document that an agent would refuse because of another one."""
    advertisements = tuple(advertisements)
    kept = admit_pools(pools, {})
    yield from (sentence for _, sentence in kept.refused)
    aliases = aliases_of(communities, advertisements, in_force={})
    yield from aliases.refused
    # A peer without its key file is a peer all the same.
    keyless = tuple(replace(one, password_file=None) for one in peers)
    discovered = _stand_ins(keyless)
    spoken = peers_of(_NODE, keyless, password_of={}, previous=PeerSet(), discovered=discovered)
    around = Surroundings(node=_NODE, pools=kept.admitted, peers=spoken.peers, aliases=aliases)
    named = (replace(one, aliases=()) for one in advertisements)
    refused = (sentence for _, sentence in admit_advertisements(named, {}, around).refused)
    for one in (*spoken.refused, *spoken.unprovided, *refused):
        yield _as_written(one.removeprefix(f"on node {_NODE.name}: "), discovered)


def may_be_session(name: str, peers: Iterable[BGPPeer]) -> bool:
    """Return whether *name* may be that of a session which a provider of *peers* offers."""
    return any(one.provider is not None and name.startswith(f"{one.name}-") for one in peers)


def _stand_ins(peers: Sequence[BGPPeer]) -> dict[str, Discovery]:
    """Return one router for each provider, so that advertisements have somebody to be for.

    What a provider will say is not known here; it says nothing that contradicts the documents.
    """
    written = (one.my_asn or one.local_asn for one in peers)
    ours = next((asn for asn in written if asn), _PRIVATE)
    found: dict[str, Discovery] = {}
    for number, one in enumerate(peers, 1):
        if one.provider is not None:
            address = one.address if "address" in one.stated else _stand_in(number)
            mine = one.local_asn if "local_asn" in one.stated else ours
            theirs = mine if one.lever is Lever.LOCAL_PREF else _OTHER
            router = ProviderPeer(address=address, peer_asn=theirs, local_asn=ours)
            found[one.name] = Discovery(peers=(router,), known=True)
    return found


def _stand_in(number: int) -> Address:
    return Address(str(_BENCHMARKS + number))


def _as_written(sentence: str, discovered: Mapping[str, Discovery]) -> str:
    """Return *sentence* with the documents in place of their stand-ins."""
    for name, discovery in discovered.items():
        for router in discovery.peers:
            sentence = sentence.replace(session_name(name, router.address), name)
    return sentence


def undefined(
    advertisements: Iterable[BGPAdvertisement], communities: Iterable[Community]
) -> Iterator[str]:
    """Yield a sentence for each alias that no document here defines; another may, elsewhere."""
    known: Mapping[str, str] = {alias: v for one in communities for alias, v in one.values.items()}
    for one in advertisements:
        for alias in one.aliases:
            if alias not in known:
                yield (
                    f"BGPAdvertisement {one.name}: spec.communities names {alias}, which is no "
                    "community and which no Community document defines; correct the name or "
                    "define it"
                )
