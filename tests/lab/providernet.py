"""The links and addresses of a lab at a provider: `ip` commands, and what its fabric refuses. Pure.

Each node has one cable, to a segment of the fabric. On this segment are the fabric, which
is the node's gateway, and every router, which has no address there: it knows the node by a device
route, as a top-of-rack router knows whoever is behind its ports.
"""

from collections.abc import Iterator
from typing import Final

from tests.lab.plan import FABRIC, LabError, Plan, number, router_space
from tests.lab.provider import LINK_LOCAL, Site

SYSCTLS: Final = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    # Each gateway of a node has an interface of its own, which answers for itself alone.
    "net.ipv4.conf.all.arp_ignore=1",
    # Answers do not leave by the way on which questions came.
    "net.ipv4.conf.all.rp_filter=0",
)
_BITS: Final = {4: 32, 6: 128}
_BACK: Final = ("10.94.255.0", "10.94.255.1", "2001:db8:94:ff::a", "2001:db8:94:ff::b")
"""The fabric's end and the other one of the cable by which answers leave, in both families."""


def site_of(plan: Plan) -> Site:
    """Return the provider's network of a plan that has one."""
    if plan.site is None:
        raise LabError("this lab is at no provider")
    return plan.site


def links(plan: Plan, edge: str) -> Iterator[str]:
    """Yield the cables besides those of client and upstream, run in the world's own namespace."""
    site = site_of(plan)
    yield f"link add x0 netns {FABRIC} type veth peer name x0 netns {edge}"
    for router in plan.router_numbers:
        space = router_space(router)
        yield f"link add f{router} netns {FABRIC} type veth peer name f0 netns {space}"
    for name in plan.names:
        index = number(name)
        yield f"link add e0 netns {name} type veth peer name t{index} netns {FABRIC}"
        if site.private:
            yield f"link add q{index} netns {FABRIC} type veth peer name k{index} netns {FABRIC}"
        for router in plan.router_numbers:
            far = f"peer name t{index} netns {router_space(router)}"
            yield f"link add r{router}n{index} netns {FABRIC} type veth {far}"


def edge_commands() -> Iterator[str]:
    """Yield the `ip` commands of the cable by which answers come back from the nodes."""
    _, ours, _, ours6 = _BACK
    yield f"addr add {ours}/31 dev x0"
    yield f"addr add {ours6}/127 dev x0 nodad"
    yield "link set x0 up"


def router_commands(plan: Plan, router: int) -> Iterator[str]:
    """Yield the `ip` commands of a router, besides those of its cable to the upstream."""
    site = site_of(plan)
    yield f"addr add 10.94.{router}.1/31 dev f0"
    yield f"addr add 2001:db8:94:{router}::b/127 dev f0 nodad"
    yield "link set f0 up"
    ours = {4: f"10.94.{router}.1", 6: f"2001:db8:94:{router}::b"}
    for version, addresses in site.routers.items():
        ours[version] = addresses[router - 1]
        yield f"addr add {ours[version]}/{_BITS[version]} dev lo"
    for name in plan.names:
        device = f"t{number(name)}"
        yield f"link set {device} up"
        for version in (4, 6):
            # Unnumbered, yet the node is on-link: a point-to-point address that is ours already.
            peer = f"{site.node(number(name), version)}/{_BITS[version]}"
            yield f"addr add {ours[version]} peer {peer} dev {device}"


def fabric_commands(plan: Plan) -> Iterator[str]:
    """Yield the `ip` commands of the fabric: a segment for each node, and its gateways."""
    site = site_of(plan)
    yield "link set lo up"
    theirs, edge, theirs6, edge6 = _BACK
    yield f"addr add {theirs}/31 dev x0"
    yield f"addr add {theirs6}/127 dev x0 nodad"
    yield "link set x0 up"
    yield f"route add default via {edge}"
    yield f"route add ::/0 via {edge6}"
    for router in plan.router_numbers:
        yield f"addr add 10.94.{router}.0/31 dev f{router}"
        yield f"addr add 2001:db8:94:{router}::a/127 dev f{router} nodad"
        yield f"link set f{router} up"
        for version, addresses in site.routers.items():
            via = f"10.94.{router}.1" if version == 4 else f"2001:db8:94:{router}::b"
            yield f"route add {addresses[router - 1]}/{_BITS[version]} via {via}"
    if site.metadata and not site.told_by_a_router:
        yield f"addr add {site.metadata_address}/32 dev lo"
    for name in plan.names:
        yield from _segment(plan, site, number(name))


def _segment(plan: Plan, site: Site, index: int) -> Iterator[str]:
    bridge = f"b{index}"
    yield f"link add {bridge} type bridge mcast_snooping 0"
    ports = [f"t{index}", *(f"r{router}n{index}" for router in plan.router_numbers)]
    ports += [f"k{index}"] if site.private else []
    for port in ports:
        yield f"link set {port} master {bridge} up"
    yield f"addr add {site.gateway(index, 4)}/31 dev {bridge}"
    yield f"addr add {LINK_LOCAL}/64 dev {bridge} nodad"
    yield f"link set {bridge} up"
    yield f"route add {site.public(index, 6)}/128 dev {bridge}"
    if site.private:
        yield f"addr add {site.public_gateway(index, 4)}/31 dev q{index}"
        yield f"link set q{index} up"


def refusals(plan: Plan) -> str:
    """Return the fabric's rules for nft: sessions by a wrong gateway or source get nowhere."""
    site = site_of(plan)
    if not site.private:
        return ""
    routers = ", ".join(site.routers[4])
    return "\n".join(
        (
            "table ip fabric {",
            " chain refusals {",
            "  type filter hook forward priority 0; policy accept;",
            f'  iifname "q*" ip daddr {{ {routers} }} counter drop',
            f"  ip saddr 147.75.0.0/16 ip daddr {{ {routers} }} counter drop",
            " }",
            "}",
        )
    )


def node_commands(plan: Plan, name: str) -> Iterator[str]:
    """Yield the `ip` commands of one node, as the provider's image sets them up."""
    site, index = site_of(plan), number(name)
    yield "link set lo up"
    yield f"addr add {site.public(index, 4)}/31 dev e0"
    if site.private:
        yield f"addr add {site.node(index, 4)}/31 dev e0"
    yield f"addr add {site.public(index, 6)}/64 dev e0 nodad"
    yield "link set e0 up"
    yield from node_routes(plan, name)
    for version in plan.family.versions:
        yield f"route add local {plan.pool(version)} dev lo"


def node_routes(plan: Plan, name: str) -> Iterator[str]:
    """Yield the routes that the provider's image sets up; none of them leads to a BGP router."""
    site, index = site_of(plan), number(name)
    yield f"route replace default via {site.public_gateway(index, 4)} dev e0"
    yield f"route replace ::/0 via {LINK_LOCAL} dev e0"
    if site.private:
        yield f"route replace 10.0.0.0/8 via {site.gateway(index, 4)} dev e0"
