"""The configurations of a provider's routers, rendered from the plan. Pure.

Passwords are not the site's alone: one may have been rotated on one router.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.lab.plan import (
    UPSTREAM_ASN,
    Plan,
    number,
    router_id,
    uplink,
)
from tests.lab.provider import ProviderName, Site
from tests.lab.providernet import site_of

Passwords = Mapping[str, str]
"""Node -> the password of its sessions with one router, where it is not the site's."""

_EXPORT: Final = "export where source = RTS_BGP;"
_SOON: Final = "error wait time 1, 2; connect delay time 1;"
_BFD: Final = (
    'protocol bfd { interface "u*" { min rx interval 50 ms; min tx interval 50 ms; '
    "idle tx interval 200 ms; multiplier 3; }; }"
)
_BY_COMMUNITY: Final = (
    "filter by_community { "
    "if (65000, 1) ~ bgp_community then bgp_local_pref = 200; "
    "if (65000, 2) ~ bgp_community then bgp_local_pref = 150; "
    "accept; }"
)


def bird_configuration(plan: Plan, directory: Path, router: int, passwords: Passwords) -> str:
    """Render bird.conf of a router."""
    site = site_of(plan)
    lines = [
        f'log "{directory}/bird.events" all;',
        f"router id {router_id(router)};",
        "protocol device { scan time 10; }",
        _BY_COMMUNITY,
    ]
    for version in (4, 6):
        lines += [
            f"protocol kernel {{ ipv{version} {{ {_EXPORT} }}; merge paths yes limit 64; }}",
            f"protocol static {{ ipv{version}; {' '.join(_device_routes(plan, site, version))} }}",
        ]
    for name in plan.names:
        for version in plan.session_versions:
            lines.append(_bird_session(plan, site, name, version, router, passwords))
    if plan.routers > 1:
        theirs, ours = uplink(router)
        ends = f"local {ours} as {site.router_asn}; neighbor {theirs} as {UPSTREAM_ASN};"
        channel = f"ipv4 {{ import none; {_EXPORT} next hop self; }};"
        lines += [
            _BFD,
            f"protocol bgp upstream {{ {ends} hold time 90; {_SOON} bfd on; {channel} }}",
        ]
    return "\n".join(lines) + "\n"


def _device_routes(plan: Plan, site: Site, version: int) -> Iterator[str]:
    for name in plan.names:
        bits = 32 if version == 4 else 128
        yield f'route {site.node(number(name), version)}/{bits} via "t{number(name)}";'


def _bird_session(
    plan: Plan, site: Site, name: str, version: int, router: int, passwords: Passwords
) -> str:
    password = passwords.get(name, site.password)
    words = [
        f"local {site.routers[version][router - 1]} as {site.router_asn};",
        f"neighbor {site.node(number(name), version)} as {site.node_asn};",
        f"multihop {site.multihop}; passive on; hold time {plan.hold};",
        _SOON,
        f'password "{password}";' if password else "",
        *(_bird_channel(site, version, family) for family in (4, 6)),
    ]
    return (
        f"protocol bgp {name}{'' if version == 4 else '_6'} {{ {' '.join(filter(None, words))} }}"
    )


def _bird_channel(site: Site, version: int, family: int) -> str:
    if site.transports.get(family) != version:
        return ""
    limit = f" import limit {site.max_prefixes} action restart;" if site.max_prefixes else ""
    foreign = " extended next hop on;" if family != version else ""
    chosen = "filter by_community" if site.name is ProviderName.LINODE else "all"
    return f"ipv{family} {{ import {chosen};{limit}{foreign} export none; }};"


def frr_configuration(plan: Plan, router: int, passwords: Passwords) -> str:
    """Render the part of frr.conf that bgpd reads."""
    site = site_of(plan)
    lines = [
        f"router bgp {site.router_asn}",
        f" bgp router-id {router_id(router)}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
    ]
    peers = [(name, version) for name in plan.names for version in plan.session_versions]
    for name, version in peers:
        peer = f" neighbor {site.node(number(name), version)}"
        password = passwords.get(name, site.password)
        lines += [
            f"{peer} remote-as {site.node_asn}",
            f"{peer} update-source {site.routers[version][router - 1]}",
            f"{peer} ebgp-multihop {site.multihop}",
            f"{peer} timers {plan.hold // 3} {plan.hold}",
            f"{peer} passive",
        ]
        lines += [f"{peer} password {password}"] if password else []
        lines += [f"{peer} capability extended-nexthop"] if site.transports.get(4) == 6 else []
    if plan.routers > 1:
        peer = f" neighbor {uplink(router)[0]}"
        lines += [f"{peer} remote-as {UPSTREAM_ASN}", f"{peer} bfd profile upstream"]
        lines += [f"{peer} timers connect 1"]
    for family in (4, 6):
        lines += _frr_family(plan, site, family, router)
    lines += ["route-map nothing deny 10", *_FRR_PREFERRED]
    return "\n".join(lines) + "\n"


_FRR_PREFERRED: Final = (
    "bgp community-list standard primary permit 65000:1",
    "bgp community-list standard secondary permit 65000:2",
    "route-map preferred permit 10",
    " match community primary",
    " set local-preference 200",
    "route-map preferred permit 20",
    " match community secondary",
    " set local-preference 150",
    "route-map preferred permit 30",
)


def _frr_family(plan: Plan, site: Site, family: int, router: int) -> Iterator[str]:
    yield f" address-family ipv{family} unicast"
    yield "  maximum-paths 64"
    version = site.transports.get(family)
    for name in plan.names if version in plan.session_versions else ():
        assert version is not None
        peer = f"  neighbor {site.node(number(name), version)}"
        yield f"{peer} activate"
        if site.max_prefixes:
            yield f"{peer} maximum-prefix {site.max_prefixes} restart 1"
        if site.name is ProviderName.LINODE:
            yield f"{peer} route-map preferred in"
    if plan.routers > 1 and family == 4:
        peer = f"  neighbor {uplink(router)[0]}"
        yield f"{peer} activate"
        yield f"{peer} route-map nothing in"
    yield " exit-address-family"
