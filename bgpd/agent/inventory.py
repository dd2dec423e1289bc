"""What is configured and how much of it is in use, worked out when a person asks for it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bgpd.allocator.layout import Layout
from bgpd.kube.view import Objects
from bgpd.model.cluster import Service
from bgpd.model.configuration import BGPPeer, IPAddressPool
from bgpd.model.health import DNS, GRPC, NTP, Exec, HealthCheck, HTTPGet, Probe, TCPSocket
from bgpd.model.inventory import CheckDocument, Inventory, PeerDocument, PoolUse
from bgpd.model.prefix import Address, Family
from bgpd.policy.context import Context
from bgpd.policy.pools import PoolIndex, admit_pools, index_of
from bgpd.policy.selector import matches_any

_PROBES: Final[dict[type[Probe], str]] = {
    HTTPGet: "httpGet",
    TCPSocket: "tcpSocket",
    DNS: "dns",
    NTP: "ntp",
    GRPC: "grpc",
    Exec: "exec",
}


def pools_alone(objects: Objects) -> Inventory:
    """Return the pools among *objects* and their use, where no agent says which of them hold.

    They are admitted in the order of their names, as by an agent that has just started.
    """
    holding = {one.name: one for one in admit_pools(objects.pools, {}).admitted}
    index = index_of(holding.values())
    return Inventory(pools=tuple(_pools(objects, holding, index)))


def inventory_of(objects: Objects, context: Context | None) -> Inventory:
    """Return what *objects* configure; *context* is what holds of it, None where that is unclear.

    Nothing is said of an object that holds in an earlier version than the one that is written now:
    the conditions do.
    """
    return Inventory(
        pools=tuple(
            _pools(objects, context.in_force.pools, context.index)
            if context is not None
            else _pools(objects, {}, None)
        ),
        peers=tuple(_peers(objects, context)),
        checks=tuple(map(_check, sorted(objects.health_checks, key=lambda one: one.key))),
    )


def _pools(
    objects: Objects, holding: Mapping[str, IPAddressPool], index: PoolIndex | None
) -> Iterator[PoolUse]:
    written = {one.name: one for one in objects.pools}
    uses = _uses(objects.services, index)
    for name in sorted(written.keys() | holding.keys()):
        yield _pool(holding.get(name) or written[name], uses[name], in_force=name in holding)


class _Use:
    """The addresses of one pool that Services have."""

    def __init__(self) -> None:
        self.ipv4: set[Address] = set()
        self.ipv6: set[Address] = set()
        self.services: set[str] = set()


def _uses(services: Iterable[Service], index: PoolIndex | None) -> defaultdict[str, _Use]:
    """Return the use of each pool; ten thousand Services are looked at in one turn of the loop."""
    uses: defaultdict[str, _Use] = defaultdict(_Use)
    if index is None:
        return uses
    place_of = index.place
    for service in services:
        if not service.load_balancer:
            continue
        for text in service.ingress:
            place = place_of(text)
            if place is not None and place.pool is not None:
                use = uses[place.pool]
                held = use.ipv4 if place.family is Family.IPV4 else use.ipv6
                held.add(place.address)
                use.services.add(service.key)
    return uses


def _pool(pool: IPAddressPool, use: _Use, *, in_force: bool) -> PoolUse:
    def total(family: Family) -> int:
        return Layout(
            family, pool.prefixes, reserved=pool.reserved, avoid_buggy=pool.avoid_buggy_ips
        ).count

    return PoolUse(
        name=pool.name,
        prefixes=pool.prefixes,
        in_force=in_force,
        total_ipv4=total(Family.IPV4),
        total_ipv6=total(Family.IPV6),
        used_ipv4=len(use.ipv4),
        used_ipv6=len(use.ipv6),
        auto_assign=pool.auto_assign,
        avoid_buggy_ips=pool.avoid_buggy_ips,
        reserved=pool.reserved,
        bind=pool.bind,
        migrating=pool.migrating,
        services=len(use.services),
    )


def _peers(objects: Objects, context: Context | None) -> Iterator[PeerDocument]:
    holding: Mapping[str, BGPPeer] = {} if context is None else context.in_force.peers.documents
    written: dict[str, BGPPeer] = {one.name: one for one in objects.all_peers}
    node = None if context is None else objects.node(context.node)
    for name in sorted(written.keys() | holding.keys()):
        one = holding.get(name) or written[name]
        chosen = name in holding or (
            node is not None and matches_any(one.node_selectors, node.labels)
        )
        yield _peer(one, selected=chosen, in_force=name in holding)


def _peer(one: BGPPeer, *, selected: bool, in_force: bool) -> PeerDocument:
    told = one.provider is not None

    def known(field: str) -> bool:
        """Return whether the document says *field* itself."""
        return not told or field in one.stated

    return PeerDocument(
        name=one.name,
        selected=selected,
        in_force=in_force,
        address=one.address if known("address") and not one.interface else None,
        port=one.port,
        peer_asn=int(one.peer_asn) if known("peer_asn") and not one.dynamic_asn else None,
        local_asn=int(one.local_asn) if known("local_asn") else None,
        hold_time=one.hold_time,
        families=one.families if known("families") else (),
        lever=one.lever,
        takeover=one.takeover,
        max_prefixes=one.max_prefixes,
        bfd_profile=one.bfd_profile,
        signed=bool(one.password or one.password_file or one.password_secret),
        damping=one.damping,
        gateway=one.gateway,
        provider=one.provider.kind.value if one.provider is not None else "",
    )


def _check(one: HealthCheck) -> CheckDocument:
    rhythm = one.rhythm
    return CheckDocument(
        name=one.key,
        probe=_PROBES[type(one.probe)],
        target=one.target,
        period_milliseconds=rhythm.period_milliseconds,
        timeout_milliseconds=rhythm.timeout_milliseconds,
        failure_threshold=rhythm.failure_threshold,
        success_threshold=rhythm.success_threshold,
    )
