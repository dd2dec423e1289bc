"""The configuration files of the lab's routers, rendered from the plan. Pure.

BIRD's pause after a session error (60 to 300 s by default) and its connect delay are set to a
second: they are the router's own, and a figure about bgpd should not contain them.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.lab.plan import (
    NODE_ASN,
    ROUTER_ASN,
    UPSTREAM_ASN,
    Plan,
    node_address,
    router_address,
    router_id,
    router_space,
    uplink,
)

UPSTREAM_BFD = (50, 3)
"""Between the upstream and its routers, whatever the nodes do: milliseconds, multiplier."""


_SPINE = "where source = RTS_BGP; next hop self"
"""What a router between racks tells each of them."""


def bird_configuration(plan: Plan, directory: Path, router: int = 1) -> str:
    """Render bird.conf of a router."""
    lines = [
        f'log "{directory}/bird.events" all;',
        f"router id {router_id(router)};",
        "protocol device { scan time 10; }",
        'protocol direct { ipv4; ipv6; interface "t*"; }',
    ]
    for v in (4, 6):
        channel = f"ipv{v} {{ export where source = RTS_BGP; }}"
        lines.append(f"protocol kernel {{ {channel}; merge paths yes limit 64; }}")
    lines += _bird_bfd(plan)
    # With `bfd on` BIRD 2.0.12 drops stale routes when BFD goes down, be it by AdminDown.
    bfd = f" bfd {'graceful' if plan.graceful_restart else 'on'};" if plan.bfd else ""
    restart = " graceful restart aware;" if plan.graceful_restart else ""
    asn, cable = plan.router_asn(router), plan.cable(router)
    for name, v in _cables(plan, router):
        lines.append(
            f"protocol bgp {name}{'' if v == 4 else '_6'} {{ "
            f"local {router_address(name, v, cable)} as {asn}; "
            f"neighbor {node_address(name, v, cable)} as {NODE_ASN}; "
            f"passive on; hold time {plan.hold}; error wait time 1, 2; connect delay time 1;"
            f"{bfd}{restart} ipv{v} {{ import all; export none; }}; }}"
        )
    if plan.routers > 1:
        theirs, ours = uplink(router)
        lines.append(
            f"protocol bgp upstream {{ local {ours} as {asn}; "
            f"neighbor {theirs} as {UPSTREAM_ASN}; hold time 90; error wait time 1, 2; "
            "connect delay time 1; bfd on; "
            f"ipv4 {{ import {'all' if plan.racks else 'none'}; "
            "export where source = RTS_BGP; next hop self; }; }"
        )
    return "\n".join(lines) + "\n"


def _bird_bfd(plan: Plan) -> Iterator[str]:
    """Yield BIRD's BFD protocol: `t*` are the nodes' cables, `u*` the upstream's."""
    speeds = {"t*": (plan.bfd.interval, plan.bfd.multiplier)} if plan.bfd else {}
    if plan.routers > 1:
        speeds["u*"] = UPSTREAM_BFD
    if speeds:
        blocks = " ".join(
            f'interface "{device}" {{ min rx interval {interval} ms; '
            f"min tx interval {interval} ms; idle tx interval 200 ms; "
            f"multiplier {multiplier}; }};"
            for device, (interval, multiplier) in speeds.items()
        )
        yield f"protocol bfd {{ {blocks} }}"


def upstream_configuration(plan: Plan, directory: Path) -> str:
    """Render bird.conf of the upstream router."""
    lines = [
        f'log "{directory}/bird.events" all;',
        "router id 169.254.255.254;",
        "protocol device { scan time 10; }",
        'protocol direct { ipv4; interface "*"; }',
        "protocol kernel { ipv4 { export where source = RTS_BGP; }; merge paths yes limit 64; }",
        *_bird_bfd(plan),
    ]
    for router in plan.router_numbers:
        ours, theirs = uplink(router)
        lines.append(
            f"protocol bgp to_{router_space(router)} {{ local {ours} as {UPSTREAM_ASN}; "
            f"neighbor {theirs} as {plan.router_asn(router)}; hold time 90; error wait time 1, 2; "
            "connect delay time 1; bfd on; "
            f"ipv4 {{ import all; export {_SPINE if plan.racks else 'none'}; }}; }}"
        )
    return "\n".join(lines) + "\n"


def frr_bfd_configuration(plan: Plan) -> str:
    """Render bfdd.conf: a profile for the nodes, and one for the upstream."""
    speeds = {"upstream": UPSTREAM_BFD}
    if plan.bfd:
        speeds["nodes"] = (plan.bfd.interval, plan.bfd.multiplier)
    lines = ["bfd"]
    for name, (interval, multiplier) in speeds.items():
        lines += [
            f" profile {name}",
            f"  detect-multiplier {multiplier}",
            f"  receive-interval {interval}",
            f"  transmit-interval {interval}",
            " exit",
        ]
    return "\n".join(lines) + "\n"


def frr_configuration(plan: Plan, router: int = 1) -> str:
    """Render the part of frr.conf that bgpd reads."""
    cable = plan.cable(router)
    lines = [
        f"router bgp {plan.router_asn(router)}",
        f" bgp router-id {router_id(router)}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
    ]
    for name, v in _cables(plan, router):
        peer = f" neighbor {node_address(name, v, cable)}"
        lines += [
            f"{peer} remote-as {NODE_ASN}",
            f"{peer} update-source {router_address(name, v, cable)}",
            f"{peer} timers {plan.hold // 3} {plan.hold}",
            f"{peer} passive",
        ]
        if plan.bfd:
            lines.append(f"{peer} bfd profile nodes")
        if plan.graceful_restart:
            lines.append(f"{peer} graceful-restart-helper")
    if plan.routers > 1:
        peer = f" neighbor {uplink(router)[0]}"
        lines += [f"{peer} remote-as {UPSTREAM_ASN}", f"{peer} bfd profile upstream"]
        lines += [f"{peer} timers connect 1"]
    for v in plan.family.versions:
        lines += [f" address-family ipv{v} unicast", "  maximum-paths 64"]
        names = plan.names_at(router)
        lines += [f"  neighbor {node_address(name, v, cable)} activate" for name in names]
        if plan.routers > 1 and v == 4:
            peer = f"  neighbor {uplink(router)[0]}"
            lines.append(f"{peer} activate")
            lines += [] if plan.racks else [f"{peer} route-map nothing in"]
        lines.append(" exit-address-family")
    if plan.routers > 1:
        lines.append("route-map nothing deny 10")
    return "\n".join(lines) + "\n"


def gobgp_configuration(plan: Plan) -> str:
    """Render gobgpd.toml."""
    lines = [
        f'[global.config]\n  as = {ROUTER_ASN}\n  router-id = "169.254.255.1"',
        "[global.use-multiple-paths.config]\n  enabled = true",
    ]
    for name, v in _cables(plan):
        lines += [
            "[[neighbors]]",
            "  [neighbors.config]",
            f'    neighbor-address = "{node_address(name, v)}"',
            f"    peer-as = {NODE_ASN}",
            "  [neighbors.transport.config]",
            "    passive-mode = true",
            "  [neighbors.timers.config]",
            f"    hold-time = {plan.hold}",
            f"    keepalive-interval = {plan.hold // 3}",
            "    idle-hold-time-after-reset = 1",
            "  [[neighbors.afi-safis]]",
            "    [neighbors.afi-safis.config]",
            f'      afi-safi-name = "ipv{v}-unicast"',
        ]
    return "\n".join(lines) + "\n"


def openbgpd_configuration(plan: Plan, socket: str) -> str:
    """Render bgpd.conf of OpenBGPD."""
    lines = [
        f"AS {ROUTER_ASN}",
        "router-id 169.254.255.1",
        f"holdtime {plan.hold}",
        "fib-update no",
        "nexthop qualify via default",
        f'socket "{socket}"',
    ]
    for name, v in _cables(plan):
        lines += [
            f"neighbor {node_address(name, v)} {{",
            f"  remote-as {NODE_ASN}",
            f"  local-address {router_address(name, v)}",
            "  passive",
            *(f"  announce IPv{w} {'unicast' if w == v else 'none'}" for w in (4, 6)),
            "}",
        ]
    lines += ["allow from any", "deny to any"]
    return "\n".join(lines) + "\n"


def _cables(plan: Plan, router: int = 1) -> Iterator[tuple[str, int]]:
    for name in plan.names_at(router):
        for version in plan.family.versions:
            yield name, version
