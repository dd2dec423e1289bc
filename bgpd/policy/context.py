"""Everything about this node that decisions on Services share, worked out once.

A `Context` changes when configuration or Nodes change; then every Service is decided again.
Between two changes a Service or one of its EndpointSlices costs one `decide`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bgpd.model.cluster import EXCLUDE_LABEL, Node, NodeReport
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    Distribution,
    IPAddressPool,
    NodePolicy,
)
from bgpd.model.errors import ConfigError
from bgpd.model.health import HealthCheck
from bgpd.model.member import Member, NodeName, SpeakerPolicy
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, Prefix
from bgpd.model.provider import Discovery
from bgpd.model.reason import Reason
from bgpd.model.status import Condition
from bgpd.policy.accepted import not_accepted
from bgpd.policy.advertisements import (
    Surroundings,
    admit_advertisements,
    aggregates_of,
)
from bgpd.policy.communities import aliases_of
from bgpd.policy.conditions import (
    REFUSED,
    dangling_of,
    families_left_out,
    filtered,
    last_good,
    left_out,
    missing,
    refusals,
    sentences_in,
    takeover_held,
    takeover_overruled,
    unfit,
)
from bgpd.policy.members import members_of, mesh_address, mesh_family
from bgpd.policy.overruled import overruled
from bgpd.policy.peers import PeerSet, SourceFor, peers_of
from bgpd.policy.pools import PoolIndex, admit_pools, index_of
from bgpd.policy.probing import Checks
from bgpd.policy.profiles import echoing, without_profile
from bgpd.policy.reach import PoolRules, rules_of
from bgpd.policy.selector import matches_any
from bgpd.policy.standing import drain_cause


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
    checks: Checks = field(default_factory=Checks)
    """What people want to be asked before a Service is advertised."""
    drain: str = ""
    """Why the node is to be drained, in a sentence; empty: it is not."""

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
        bfd_profiles: Mapping[str, BFDProfile] | None = None,
        health_checks: Iterable[HealthCheck] = (),
        load_balancer_class: str | None = None,
        ignore_exclude_label: bool = False,
        password_of: Mapping[str, str] | None = None,
        discovered: Mapping[str, Discovery] | None = None,
        addresses: frozenset[Address] | None = None,
        source_for: SourceFor | None = None,
        previous: "Context | None" = None,
    ) -> "Context":
        """Return the context, or raise `ConfigError` where this node has no place in the mesh.

        *previous* is the context in force, if any: of two documents that cannot both hold, the
        one in it stays. *ignore_exclude_label* lets nodes attract traffic that say they should not.
        *discovered* is what the providers of *peers* said, by the BGPPeer's name; *addresses* are
        all that this host has, on whatever interface (None: nobody knows yet); *source_for* says
        from which of them it reaches an address over a gateway.
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
        if previous is not None:
            node = _steady(node, previous.mesh_address)
        before = previous.in_force if previous else Admitted()
        pools = tuple(pools)
        kept_pools = admit_pools(pools, before.pools)
        # A pool that is refused for what it holds has the mark all the same.
        marked = tuple(one for one in (*pools, *kept_pools.admitted) if one.migrating)
        peer_set = peers_of(
            node,
            documents,
            password_of=password_of or {},
            previous=before.peers,
            held=bool(marked),
            profiles=bfd_profiles,
            discovered=discovered or {},
            addresses=addresses,
            source_for=source_for,
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
        before_lever = overruled(resolved, kept_pools.admitted, peer_set.peers, nodes)
        family = mesh_family(documents, node)
        policy, policy_conditions = _policy_of(node, policies)
        address = mesh_address(node, family)
        ours = Member(name=node_name, address=address)
        members, member_conditions = members_of(reports, nodes, ours, family)
        return cls(
            node=node_name,
            peers=peer_set.peers,
            pools=tuple(sorted(p for pool in kept_pools.admitted for p in pool.prefixes)),
            aggregates=aggregates_of(resolved, kept_pools.admitted, node),
            members=members,
            mesh_address=address,
            policy=policy,
            load_balancer_class=load_balancer_class,
            conditions=(
                *refusals("IPAddressPoolRefused", sentences_in(kept_pools)),
                *refusals("BGPPeerRefused", peer_set.refused),
                *refusals("CommunityRefused", aliases.refused),
                *refusals("BGPAdvertisementRefused", sentences_in(kept_advertisements)),
                *last_good(kept_advertisements, replace(around, aliases=aliases)),
                *policy_conditions,
                *takeover_held(marked),
                *member_conditions,
                *families_left_out(peer_set),
                *takeover_overruled(before_lever),
                *left_out(peer_set),
                *filtered(
                    not_accepted(
                        peer_set.sessions,
                        discovered or {},
                        (one for one in resolved if matches_any(one.node_selectors, node.labels)),
                        kept_pools.admitted,
                    )
                ),
                *missing(
                    dangling_of(
                        kept_advertisements,
                        kept_pools,
                        (*documents, *peer_set.sessions.values()),
                    )
                ),
                *missing(without_profile(peer_set.documents.values(), bfd_profiles)),
                *unfit(
                    echoing(peer_set.sessions.values(), bfd_profiles, resolved, kept_pools.admitted)
                ),
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
                added={
                    one.name: one.communities
                    for one in peer_set.sessions.values()
                    if one.communities
                },
            ),
            blocked=_blocked(node),
            checks=Checks(health_checks),
            drain=drain_cause(node, policy),
        )


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


def without_exclusion(node: Node) -> Node:
    """Return *node* as if nobody had excluded it from external load balancers."""
    if EXCLUDE_LABEL not in node.labels:
        return node
    labels = {key: value for key, value in node.labels.items() if key != EXCLUDE_LABEL}
    return replace(node, labels=labels)


def _steady(node: Node, ours: Address) -> Node:
    """Return *node* with the address *ours* before others of its family, if it has it still.

    Its first one is that of sessions, mesh and router ID, and who writes a Node's status may put
    several in another order: that is no reason to close every session.
    """
    if ours not in node.addresses:
        return node
    return replace(node, addresses=(ours, *(one for one in node.addresses if one != ours)))


def _blocked(node: Node) -> tuple[Reason, str] | None:
    if node.network_unavailable:
        return (
            Reason.NODE_NETWORK_UNAVAILABLE,
            f"Node {node.name} has the condition NetworkUnavailable",
        )
    if EXCLUDE_LABEL in node.labels:
        return Reason.NODE_EXCLUDED, f"Node {node.name} has the label {EXCLUDE_LABEL}"
    return None
