"""The configuration of each router for a set of cases. Pure.

All of them send nothing, accept everything, and connect as well as listen unless a case says
passive; pauses after an error are a second where the router lets itself be told.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bgpd.model.prefix import Family
from tests.interop.cases import ROUTER_ASN, ROUTER_ID, Case

OTHER_PORT = 1790


def bird(cases: Sequence[Case], directory: Path) -> str:
    """Return bird.conf."""
    lines = [
        f'log "{directory}/bird.log" all;',
        f"router id {ROUTER_ID};",
        "protocol device { scan time 1; }",
        "protocol direct { ipv4; ipv6; }",
    ]
    for case in cases:
        if not case.theirs.known:
            continue
        words = list(_bird_options(case))
        lines += [f"protocol bgp {case.name} {{", *(f"  {word};" for word in words), "}"]
    return "\n".join(lines) + "\n"


def _bird_options(case: Case) -> Iterator[str]:
    theirs = case.theirs
    yield f"local {case.router} {f'port {OTHER_PORT} ' if theirs.elsewhere else ''}as {ROUTER_ASN}"
    yield f"neighbor {case.node} as {theirs.asn}"
    yield "multihop" if theirs.multihop else "direct"
    yield "hold time 90"
    yield "error wait time 1, 2"
    yield "connect delay time 1"
    if theirs.passive or theirs.elsewhere:
        yield "passive on"
    if theirs.password:
        yield f'password "{theirs.password}"'
    if theirs.ttl_security:
        yield "ttl security on"
    for family in theirs.families:
        limit = f" import limit {theirs.limit} action disable;" if theirs.limit else ""
        extended = theirs.extended_next_hop and family is Family.IPV4
        hop = " extended next hop on;" if extended else ""
        yield f"{_word(family)} {{ import all; export none;{limit}{hop} }}"


def frr(cases: Sequence[Case], directory: Path) -> str:
    """Return the part of frr.conf that bgpd reads."""
    lines = [
        f"log file {directory}/bgpd.log",
        f"router bgp {ROUTER_ASN}",
        f" bgp router-id {ROUTER_ID}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        # FRR refuses whoever offers less than this, for all neighbors of an instance.
        *(f" bgp minimum-holdtime {least}" for least in _least(cases)),
    ]
    known = [case for case in cases if case.theirs.known]
    for case in known:
        lines += [f" neighbor {case.node} {word}" for word in _frr_options(case)]
    for family in (Family.IPV4, Family.IPV6):
        lines.append(f" address-family {_word(family)} unicast")
        for case in known:
            if family in case.theirs.families:
                lines.append(f"  neighbor {case.node} activate")
                if case.theirs.limit:
                    lines.append(f"  neighbor {case.node} maximum-prefix {case.theirs.limit}")
        lines.append(" exit-address-family")
    return "\n".join(lines) + "\n"


def _frr_options(case: Case) -> Iterator[str]:
    theirs = case.theirs
    yield f"remote-as {theirs.asn}"
    yield f"update-source {case.router}"
    yield "timers 30 90"
    yield "timers connect 1"
    if theirs.passive:
        yield "passive"
    if theirs.password:
        yield f"password {theirs.password}"
    if theirs.multihop:
        yield "ebgp-multihop 5"
    if theirs.ttl_security:
        yield "ttl-security hops 1"
    if theirs.extended_next_hop:
        yield "capability extended-nexthop"
    if theirs.demands:
        yield "strict-capability-match"


def gobgp(cases: Sequence[Case], *, port: int = 179) -> str:
    """Return gobgpd.toml."""
    lines = [
        "[global.config]",
        f"  as = {ROUTER_ASN}",
        f'  router-id = "{ROUTER_ID}"',
        f"  port = {port}",
    ]
    for case in cases:
        if case.theirs.known:
            lines += _gobgp_neighbor(case)
    return "\n".join(lines) + "\n"


def _gobgp_neighbor(case: Case) -> Iterator[str]:
    theirs = case.theirs
    yield "[[neighbors]]"
    yield "  [neighbors.config]"
    yield f'    neighbor-address = "{case.node}"'
    yield f"    peer-as = {theirs.asn}"
    if theirs.password:
        yield f'    auth-password = "{theirs.password}"'
    yield "  [neighbors.transport.config]"
    yield f'    local-address = "{case.router}"'
    if theirs.passive or theirs.elsewhere:
        yield "    passive-mode = true"
    yield "  [neighbors.timers.config]"
    yield "    hold-time = 90"
    yield "    keepalive-interval = 30"
    yield "    connect-retry = 1"
    yield "    idle-hold-time-after-reset = 1"
    if theirs.multihop:
        yield "  [neighbors.ebgp-multihop.config]"
        yield "    enabled = true"
        yield "    multihop-ttl = 5"
    if theirs.ttl_security:
        yield "  [neighbors.ttl-security.config]"
        yield "    enabled = true"
        yield "    ttl-min = 255"
    for family in theirs.families:
        yield "  [[neighbors.afi-safis]]"
        yield "    [neighbors.afi-safis.config]"
        yield f'      afi-safi-name = "{_word(family)}-unicast"'
        if theirs.limit:
            yield "    [neighbors.afi-safis.prefix-limit.config]"
            yield f"      max-prefixes = {theirs.limit}"


def openbgpd(cases: Sequence[Case], socket: str) -> str:
    """Return bgpd.conf of OpenBGPD."""
    lines = [
        f"AS {ROUTER_ASN}",
        f"router-id {ROUTER_ID}",
        "holdtime 90",
        "fib-update no",
        "nexthop qualify via default",
        f'socket "{socket}"',
        "listen on 0.0.0.0",
        "listen on ::",
        *(f"listen on {case.router} port {OTHER_PORT}" for case in cases if case.theirs.elsewhere),
    ]
    for case in cases:
        if case.theirs.known:
            lines += [f"neighbor {case.node} {{", *_openbgpd_options(case), "}"]
    lines += ["allow from any", "deny to any"]
    return "\n".join(lines) + "\n"


def _openbgpd_options(case: Case) -> Iterator[str]:
    theirs = case.theirs
    yield f"  remote-as {theirs.asn}"
    yield f"  local-address {case.router}"
    for family in Family:
        name = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}[family]
        yield f"  announce {name} {'unicast' if family in theirs.families else 'none'}"
    if theirs.passive or theirs.elsewhere:
        yield "  passive"
    if theirs.password:
        yield f'  tcp md5sig password "{theirs.password}"'
    if theirs.multihop:
        yield "  multihop 5"
    if theirs.ttl_security:
        yield "  ttl-security yes"
    if theirs.limit:
        yield f"  max-prefix {theirs.limit}"
    if theirs.least_hold_time:
        yield f"  holdtime min {theirs.least_hold_time}"
    if theirs.demands:
        yield "  announce policy provider enforce"


def _least(cases: Sequence[Case]) -> list[int]:
    return [case.theirs.least_hold_time for case in cases if case.theirs.least_hold_time][:1]


def _word(family: Family) -> str:
    return {Family.IPV4: "ipv4", Family.IPV6: "ipv6"}[family]
