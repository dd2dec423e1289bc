"""What cannot hold together, as far as the documents alone can say: before they are rolled out.

The question is asked for a node that every document without node selectors selects. What depends
on a node's labels or on what is in force already, only an agent knows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPAdvertisement, BGPPeer, Community, IPAddressPool
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.policy.advertisements import Surroundings, admit_advertisements
from bgpd.policy.communities import aliases_of
from bgpd.policy.peers import PeerSet, peers_of
from bgpd.policy.pools import admit_pools

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
    keyless = (replace(one, password_file=None) for one in peers)
    spoken = peers_of(_NODE, keyless, password_of={}, previous=PeerSet())
    yield from (one.removeprefix(f"on node {_NODE.name}: ") for one in spoken.refused)
    around = Surroundings(node=_NODE, pools=kept.admitted, peers=spoken.peers, aliases=aliases)
    named = (replace(one, aliases=()) for one in advertisements)
    yield from (sentence for _, sentence in admit_advertisements(named, {}, around).refused)


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
