"""Everything about this node that decisions on Services share, worked out once.

A `Context` changes when configuration or Nodes change; then every Service is decided again.
Between two changes a Service or one of its EndpointSlices costs one `decide`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bgpd.model.cluster import EXCLUDE_LABEL, Node, NodeReport
from bgpd.model.configuration import (
    BGPAdvertisement,
    BGPPeer,
    Community,
    Distribution,
    IPAddressPool,
    NodePolicy,
)
from bgpd.model.errors import ConfigError
from bgpd.model.member import Member, NodeName, SpeakerPolicy
from bgpd.model.migration import MIGRATING
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, Family, Prefix, family_of
from bgpd.model.reason import Reason
from bgpd.model.status import Condition
from bgpd.policy.admission import Admission
from bgpd.policy.advertisements import (
    Surroundings,
    admit_advertisements,
    aggregates_of,
    dangling,
    fitted,
)
from bgpd.policy.communities import aliases_of, sentences_of
from bgpd.policy.overruled import overruled
from bgpd.policy.peers import WORD, PeerSet, address_in, peers_of, without_profile
from bgpd.policy.pools import PoolIndex, admit_pools, index_of
from bgpd.policy.reach import PoolRules, rules_of
from bgpd.policy.selector import matches_any

REFUSED: Final = "ConfigurationRefused"
"""Type of the conditions that a person must act on; at a start they are a `ConfigError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The documents that hold, so that a newcomer cannot push one of them out."""

    pools: Mapping[str, IPAddressPool] = field(default_factory=dict)
    advertisements: Mapping[str, BGPAdvertisement] = field(default_factory=dict)
    communities: Mapping[str, Community] = field(default_factory=dict)
    peers: PeerSet = field(default_factory=PeerSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One node's view of the configuration."""

    node: NodeName
    peers: tuple[Peer, ...]
    pools: tuple[Prefix, ...]
    """Every prefix of every pool, sorted: the fence of the last gate."""
    aggregates: Mapping[Prefix, int]
    """Blocks of pools in which more than single addresses may be advertised, and how short."""
    members: tuple[Member, ...]
    """Every node whose agent says where its speaker listens, or, where no agent says so, every Node
    with an address for the mesh; ourselves included, sorted by name."""
    mesh_address: Address
    policy: SpeakerPolicy
    load_balancer_class: str | None
    conditions: tuple[Condition, ...]
    in_force: Admitted
    index: PoolIndex
    rules: Mapping[str, PoolRules]
    """By the pool's name."""
    blocked: tuple[Reason, str] | None
    """Why this node attracts no traffic at all, if so."""

    @property
    def ordered(self) -> bool:
        """Whether decisions depend on who the members are: some nodes come before others."""
        return any(
            one.distribution is Distribution.ACTIVE_STANDBY
            for one in self.in_force.advertisements.values()
        )

    @property
    def errors(self) -> tuple[str, ...]:
        """The sentences that make a start fail with exit 78 and are conditions later."""
        return tuple(one.message for one in self.conditions if one.type == REFUSED)

    @classmethod
    def build(  # noqa: PLR0913 - one argument for each kind of document
        cls,
        *,
        node: Node | None,
        node_name: NodeName,
        pools: Iterable[IPAddressPool],
        advertisements: Iterable[BGPAdvertisement],
        peers: Iterable[BGPPeer],
        policies: Iterable[NodePolicy],
        nodes: Iterable[Node],
        reports: Iterable[NodeReport] = (),
        communities: Iterable[Community] = (),
        bfd_profiles: Collection[str] | None = None,
        load_balancer_class: str | None = None,
        ignore_exclude_label: bool = False,
        password_of: Mapping[str, str] | None = None,
        previous: "Context | None" = None,
    ) -> "Context":
        """Return the context, or raise `ConfigError` where this node has no place in the mesh.

        *previous* is the context in force, if any: of two documents that cannot both hold, the
        one in it stays. *ignore_exclude_label* lets nodes attract traffic that say they should not.
        """
        if node is None:
            raise ConfigError(
                f"there is no Node document named {node_name}; add one, or name this node "
                "with --node"
            )
        documents = tuple(peers)
        if ignore_exclude_label:
            node, nodes = without_exclusion(node), map(without_exclusion, nodes)
        nodes = tuple(nodes)
        before = previous.in_force if previous else Admitted()
        pools = tuple(pools)
        kept_pools = admit_pools(pools, before.pools)
        # A pool that is refused for what it holds has the mark all the same.
        marked = tuple(one for one in (*pools, *kept_pools.admitted) if one.migrating)
        peer_set = peers_of(
            node, documents, password_of=password_of or {}, previous=before.peers, held=bool(marked)
        )
        advertisements = tuple(advertisements)
        aliases = aliases_of(
            communities,
            (*advertisements, *before.advertisements.values()),
            in_force=before.communities,
        )
        around = Surroundings(
            node=node, pools=kept_pools.admitted, peers=peer_set.peers, aliases=aliases
        )
        kept_advertisements = admit_advertisements(advertisements, before.advertisements, around)
        aliases = aliases.needed_by(kept_advertisements.admitted)
        resolved = tuple(aliases.resolved(one) for one in kept_advertisements.admitted)
        family = _mesh_family(documents, node)
        policy, policy_conditions = _policy_of(node, policies)
        mesh_address = _mesh_address(node, family)
        ours = Member(name=node_name, address=mesh_address)
        members, member_conditions = _reported(reports, nodes, ours, family)
        return cls(
            node=node_name,
            peers=peer_set.peers,
            pools=tuple(sorted(p for pool in kept_pools.admitted for p in pool.prefixes)),
            aggregates=aggregates_of(resolved, kept_pools.admitted, node),
            members=members,
            mesh_address=mesh_address,
            policy=policy,
            load_balancer_class=load_balancer_class,
            conditions=(
                *_refusals("IPAddressPoolRefused", _sentences(kept_pools)),
                *_refusals("BGPPeerRefused", peer_set.refused),
                *_refusals("CommunityRefused", aliases.refused),
                *_refusals("BGPAdvertisementRefused", _sentences(kept_advertisements)),
                *_kept(kept_advertisements, replace(around, aliases=aliases)),
                *policy_conditions,
                *_held(marked),
                *member_conditions,
                *_families_without_next_hop(peer_set),
                *_overruled(overruled(resolved, kept_pools.admitted, peer_set.peers, nodes)),
                *_missing(_dangling_of(kept_advertisements, kept_pools, documents)),
                *_missing(without_profile(peer_set.documents.values(), bfd_profiles)),
            ),
            in_force=Admitted(
                pools={one.name: one for one in kept_pools.admitted},
                advertisements={one.name: one for one in kept_advertisements.admitted},
                communities=aliases.documents,
                peers=peer_set,
            ),
            index=index_of(kept_pools.admitted),
            rules=rules_of(
                node,
                kept_pools.admitted,
                resolved,
                peer_set.peers,
                nodes=nodes,
                members={member.name for member in members},
            ),
            blocked=_blocked(node),
        )


def _sentences(
    admission: Admission[IPAddressPool] | Admission[BGPAdvertisement],
) -> tuple[str, ...]:
    return tuple(sentence for _, sentence in admission.refused)


def _refusals(reason: str, sentences: Iterable[str]) -> tuple[Condition, ...]:
    return tuple(
        Condition(type=REFUSED, status=True, reason=reason, message=sentence)
        for sentence in sentences
    )


def _kept(
    advertisements: Admission[BGPAdvertisement], around: Surroundings
) -> tuple[Condition, ...]:
    """Return what holds because it held before, and would be refused today."""
    found = [("WouldBeRefused", one) for one in fitted(advertisements.admitted, around)]
    found += [("DocumentGone", one) for one in sentences_of(around.aliases.outlived)]
    return tuple(
        Condition(type="LastGoodInForce", status=True, reason=reason, message=sentence)
        for reason, sentence in found
    )


def _overruled(sentences: Iterable[str]) -> tuple[Condition, ...]:
    return tuple(
        Condition(type="TakeoverOverruled", status=True, reason="ComparedBefore", message=one)
        for one in sentences
    )


def _mesh_family(peers: Iterable[BGPPeer], node: Node) -> Family:
    """Return the family of the BGP sessions, so that heartbeats share the fate of the data.

    All peers are asked, not only this node's: two nodes must not choose differently.
    """
    families = {family_of(peer.address) for peer in peers}
    if not families:
        return Family.IPV4 if address_in(node, Family.IPV4) else Family.IPV6
    return Family.IPV6 if families == {Family.IPV6} else Family.IPV4


def _mesh_address(node: Node, family: Family) -> Address:
    address = address_in(node, family)
    if address is None:
        raise ConfigError(
            f"Node {node.name} has no {WORD[family]} address of type InternalIP in "
            f"status.addresses ({', '.join(node.addresses) or 'none at all'}); the mesh needs one"
        )
    return address


def _members(
    nodes: Iterable[Node], family: Family
) -> tuple[tuple[Member, ...], tuple[Condition, ...]]:
    members: list[Member] = []
    conditions: list[Condition] = []
    for node in sorted(nodes, key=lambda one: one.name):
        address = address_in(node, family)
        if address is not None:
            members.append(Member(name=node.name, address=address))
            continue
        message = (
            f"Node {node.name} has no {WORD[family]} address of type InternalIP in "
            "status.addresses; it is not a member of the mesh, so its death is not noticed"
        )
        conditions.append(
            Condition(
                type="MemberWithoutAddress", status=True, reason="NoInternalIP", message=message
            )
        )
    return tuple(members), tuple(conditions)


def _reported(
    reports: Iterable[NodeReport], nodes: Iterable[Node], ours: Member, family: Family
) -> tuple[tuple[Member, ...], tuple[Condition, ...]]:
    """Return the members that agents speak for; where no agent speaks, a member for each Node.

    No report at all is a cluster whose agents do not write any, or whose kinds went: the Nodes are
    there all the same. What a node says in the other family (the peers are about to change theirs)
    is no way to reach it, so its Node has the word.
    """
    found = {one.name: one.member for one in reports if one.member is not None}
    if not found:
        return _members(nodes, family)
    found[ours.name] = ours
    kept = [one for one in found.values() if family_of(one.address) is family]
    lacking = found.keys() - {one.name for one in kept}
    instead, conditions = _members([one for one in nodes if one.name in lacking], family)
    return tuple(sorted((*kept, *instead), key=lambda one: one.name)), conditions


def _policy_of(
    node: Node, policies: Iterable[NodePolicy]
) -> tuple[SpeakerPolicy, tuple[Condition, ...]]:
    found = [one for one in policies if matches_any(one.node_selectors, node.labels)]
    found.sort(key=lambda one: one.name)
    if not found:
        return SpeakerPolicy(), ()
    if len(found) == 1:
        return found[0].policy, ()
    names = ", ".join(one.name for one in found)
    message = (
        f"SpeakerPolicy documents {names} all select node {node.name}; {found[0].name} holds, "
        "the first by name"
    )
    condition = Condition(
        type="SpeakerPolicyAmbiguous", status=True, reason="SeveralMatch", message=message
    )
    return found[0].policy, (condition,)


def _held(pools: Iterable[IPAddressPool]) -> tuple[Condition, ...]:
    """Return the condition that says why no peer has a lever, while there is a reason.

    MetalLB sends no MED, which routers read as the best one: whatever a lever says loses to it.
    """
    names = sorted({one.name for one in pools})
    if not names:
        return ()
    message = (
        f"IPAddressPool {', '.join(names)} has the annotation {MIGRATING}: MetalLB may still carry "
        "traffic, so no peer has a lever and nothing is taken over; `bgpctl migrate finish` ends it"
    )
    return (Condition(type="TakeoverHeld", status=True, reason="Migrating", message=message),)


def _families_without_next_hop(peers: PeerSet) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for peer in peers.peers:
        lost = set(peers.documents[peer.name].families) - set(peer.families)
        for family in sorted(lost):
            message = (
                f"BGPPeer {peer.name}: no {WORD[family]} routes are offered, because this node has "
                f"no {WORD[family]} InternalIP for a next hop; set spec.nextHop"
                f"{'V4' if family is Family.IPV4 else 'V6'}"
            )
            found.append(
                Condition(type="FamilyLeftOut", status=True, reason="NoNextHop", message=message)
            )
    return tuple(found)


def _dangling_of(
    advertisements: Admission[BGPAdvertisement],
    pools: Admission[IPAddressPool],
    peers: Iterable[BGPPeer],
) -> Iterator[str]:
    """Yield a sentence for each pool or peer that an advertisement names and that is not there."""
    pool_names = {one.name for one in pools.admitted}
    return dangling(advertisements.admitted, pool_names, {one.name for one in peers})


def _missing(sentences: Iterable[str]) -> tuple[Condition, ...]:
    return tuple(
        Condition(type="ReferenceMissing", status=True, reason="NoSuchObject", message=sentence)
        for sentence in sentences
    )


def without_exclusion(node: Node) -> Node:
    """Return *node* as if nobody had excluded it from external load balancers."""
    if EXCLUDE_LABEL not in node.labels:
        return node
    labels = {key: value for key, value in node.labels.items() if key != EXCLUDE_LABEL}
    return replace(node, labels=labels)


def _blocked(node: Node) -> tuple[Reason, str] | None:
    if node.network_unavailable:
        return (
            Reason.NODE_NETWORK_UNAVAILABLE,
            f"Node {node.name} has the condition NetworkUnavailable",
        )
    if EXCLUDE_LABEL in node.labels:
        return Reason.NODE_EXCLUDED, f"Node {node.name} has the label {EXCLUDE_LABEL}"
    return None
