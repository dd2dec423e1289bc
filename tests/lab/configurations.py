"""The configuration files of the lab's routers, rendered from the plan. Pure.

BIRD's pause after a session error (60 to 300 s by default) and its connect delay are set to a
second: they are the router's own, and a figure about bgpd should not contain them.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.lab.plan import NODE_ASN, ROUTER_ASN, Plan, node_address, router_address


def bird_configuration(plan: Plan, directory: Path) -> str:
    """Render bird.conf."""
    lines = [
        f'log "{directory}/bird.events" all;',
        "router id 169.254.255.1;",
        "protocol device { scan time 10; }",
        'protocol direct { ipv4; ipv6; interface "t*"; }',
    ]
    for v in (4, 6):
        channel = f"ipv{v} {{ export where source = RTS_BGP; }}"
        lines.append(f"protocol kernel {{ {channel}; merge paths yes limit 64; }}")
    for name, v in _cables(plan):
        lines.append(
            f"protocol bgp {name}{'' if v == 4 else '_6'} {{ "
            f"local {router_address(name, v)} as {ROUTER_ASN}; "
            f"neighbor {node_address(name, v)} as {NODE_ASN}; "
            f"passive on; hold time {plan.hold}; error wait time 1, 2; connect delay time 1; "
            f"ipv{v} {{ import all; export none; }}; }}"
        )
    return "\n".join(lines) + "\n"


def frr_configuration(plan: Plan) -> str:
    """Render the part of frr.conf that bgpd reads."""
    lines = [
        f"router bgp {ROUTER_ASN}",
        " bgp router-id 169.254.255.1",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
    ]
    for name, v in _cables(plan):
        peer = f" neighbor {node_address(name, v)}"
        lines += [
            f"{peer} remote-as {NODE_ASN}",
            f"{peer} update-source {router_address(name, v)}",
            f"{peer} timers {plan.hold // 3} {plan.hold}",
            f"{peer} passive",
        ]
    for v in plan.family.versions:
        lines += [f" address-family ipv{v} unicast", "  maximum-paths 64"]
        lines += [f"  neighbor {node_address(name, v)} activate" for name in plan.names]
        lines.append(" exit-address-family")
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


def _cables(plan: Plan) -> Iterator[tuple[str, int]]:
    for name in plan.names:
        for version in plan.family.versions:
            yield name, version
