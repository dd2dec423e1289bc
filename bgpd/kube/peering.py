"""From the wire form of a BGPPeer to a validated one.

Fields that exclude each other, texts with a grammar of their own, and what MetalLB knows and bgpd
does not do: that is said in a sentence, and where doing without would be another session than the
one that is asked for, there is none.
"""

from functools import partial
from typing import Final

from bgpd.kube import objects
from bgpd.kube.convert import selectors
from bgpd.kube.faults import Faults
from bgpd.kube.provision import alone, choice, stated
from bgpd.kube.scalar import (
    parse_gateway,
    parse_password,
    parse_path,
    parse_plain_address,
    parse_seconds,
)
from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import Asn, Lever, PeerName, Takeover
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.provider import DEFAULT_GATEWAY

HOLD_SECONDS: Final = 90
"""Hold time where a document names none; also RFC 4271's suggestion (section 10)."""
RESTART_SECONDS: Final = 120
"""Restart time of `enableGracefulRestart`, which has no number of its own: FRR's default."""

_NO_ADDRESS: Final = Address("0.0.0.0")  # noqa: S104 - stands for what was refused, never bound
_parse_v4 = partial(parse_plain_address, version=4)
_parse_v6 = partial(parse_plain_address, version=6)


def peer(wire: objects.BGPPeer, faults: Faults) -> BGPPeer:
    """Return a peer."""
    spec = wire.spec
    _tell_unsupported(spec, faults)
    address = _address(spec, faults)
    local_asn, peer_asn = _asns(spec, faults)
    session = family_of(address or _NO_ADDRESS)
    return BGPPeer(
        name=PeerName(wire.metadata.name),
        address=address or _NO_ADDRESS,
        peer_asn=peer_asn,
        local_asn=local_asn,
        my_asn=Asn(spec.my_asn) if spec.local_asn and spec.my_asn else None,
        port=spec.peer_port or 179,
        source_address=_source(spec, session, faults),
        router_id=faults.parsed("spec.routerID", spec.router_id, _parse_v4),
        hold_time=_hold_time(spec, faults),
        families=_families(spec, session),
        node_selectors=selectors("spec.nodeSelectors", spec.node_selectors, faults),
        password=faults.parsed("spec.password", spec.password, parse_password),
        password_file=faults.parsed("spec.passwordFile", spec.password_file, parse_path),
        password_secret=_password_secret(wire, faults),
        ttl=255 if spec.ebgp_multi_hop else None,
        ttl_security=_ttl_security(spec, faults),
        graceful_restart=spec.graceful_restart
        or (RESTART_SECONDS if spec.enable_graceful_restart else None),
        max_prefixes=spec.max_prefixes,
        lever=_lever(spec, faults, internal=bool(peer_asn) and local_asn == peer_asn),
        takeover=(spec.takeover and spec.takeover.mode) or Takeover.AUTO,
        damping=bool(spec.damping),
        next_hop_v4=faults.parsed("spec.nextHopV4", spec.next_hop_v4, _parse_v4),
        next_hop_v6=faults.parsed("spec.nextHopV6", spec.next_hop_v6, _parse_v6),
        bfd_profile=spec.bfd_profile or "",
        vrf=spec.vrf or "",
        interface=spec.interface or "",
        dynamic_asn=spec.dynamic_asn or "",
        gateway=_gateway(spec, session, faults),
        provider=choice(spec, faults),
        stated=stated(spec),
    )


def _tell_unsupported(spec: objects.BGPPeerSpec, faults: Faults) -> None:
    """Say what bgpd does not do, and what it does in its place."""
    none = "is not supported by bgpd; this peer gets no session until"
    if spec.vrf and not spec.provider:
        faults.unsupported("spec.vrf", f"{spec.vrf} {none} it is removed", spec.vrf)
    if spec.interface and not spec.peer_address and not spec.provider:
        what = f"{spec.interface} {none} spec.peerAddress stands in its place"
        faults.unsupported("spec.interface", what, spec.interface)
    if spec.dynamic_asn and spec.peer_asn is None and not spec.provider:
        faults.parsed("spec.dynamicASN", spec.dynamic_asn, _parse_dynamic)
        what = f"{spec.dynamic_asn} {none} spec.peerASN stands in its place"
        faults.unsupported("spec.dynamicASN", what, spec.dynamic_asn)
    if spec.connect_time:
        seconds = faults.parsed("spec.connectTime", spec.connect_time, parse_seconds)
        if seconds is not None and not 1 <= seconds <= 65535:
            faults.value("spec.connectTime", spec.connect_time)
        faults.notice("spec.connectTime", "has no effect: a lost session is retried within 5 s")
    if spec.disable_mp:
        faults.notice("spec.disableMP", "has no effect, as in MetalLB; use spec.families")


def _parse_dynamic(text: str) -> str:
    if text not in {"internal", "external"}:
        raise ValueError("is not allowed")
    return text


def _address(spec: objects.BGPPeerSpec, faults: Faults) -> Address | None:
    if spec.peer_address and spec.interface:
        faults.rule("spec.interface", "cannot stand beside spec.peerAddress; remove one")
    if not spec.peer_address and not spec.interface and alone(spec, faults):
        faults.rule("spec.peerAddress", "is required")
    return faults.parsed("spec.peerAddress", spec.peer_address, parse_plain_address)


def _asns(spec: objects.BGPPeerSpec, faults: Faults) -> tuple[Asn, Asn]:
    if spec.my_asn is None and alone(spec, faults):
        faults.rule("spec.myASN", "is required")
    mine = spec.local_asn or spec.my_asn or 0
    if spec.peer_asn is None:
        if not spec.dynamic_asn and alone(spec, faults):
            faults.rule("spec.peerASN", "is required")
        return Asn(mine), Asn(mine if spec.dynamic_asn == "internal" else 0)
    if spec.dynamic_asn:
        faults.rule("spec.dynamicASN", "cannot stand beside spec.peerASN; remove one")
    if spec.local_asn is not None and spec.local_asn == spec.peer_asn:
        faults.rule("spec.localASN", "must differ from spec.peerASN", spec.local_asn)
    if spec.ebgp_multi_hop and mine == spec.peer_asn:
        faults.rule("spec.ebgpMultiHop", "is for eBGP; this session is iBGP, remove it", True)
    return Asn(mine), Asn(spec.peer_asn)


def _gateway(spec: objects.BGPPeerSpec, session: Family, faults: Faults) -> str:
    """Return the way to the router: an address of its family, `default` or nothing."""
    gateway = faults.parsed("spec.gateway", spec.gateway, parse_gateway) or ""
    if gateway in {"", DEFAULT_GATEWAY} or not spec.peer_address:
        return gateway
    if family_of(Address(gateway)) is not session:
        what = f"{gateway} is not of the same family as spec.peerAddress"
        faults.rule("spec.gateway", what, gateway)
    return gateway


def _source(spec: objects.BGPPeerSpec, session: Family, faults: Faults) -> Address | None:
    source = faults.parsed("spec.sourceAddress", spec.source_address, parse_plain_address)
    if not spec.peer_address and spec.provider:
        return source
    if source is not None and family_of(source) is not session:
        faults.rule(
            "spec.sourceAddress", f"{source} is not of the same family as spec.peerAddress", source
        )
    return source


def _hold_time(spec: objects.BGPPeerSpec, faults: Faults) -> int:
    hold = HOLD_SECONDS
    if spec.hold_time is not None:
        hold = _seconds("spec.holdTime", spec.hold_time, faults)
    if spec.hold_time_seconds is not None:
        if spec.hold_time is not None and hold != spec.hold_time_seconds:
            faults.rule(
                "spec.holdTimeSeconds",
                f"contradicts spec.holdTime {spec.hold_time}; remove one",
                spec.hold_time_seconds,
            )
        hold = spec.hold_time_seconds
        if 0 < hold < 3:
            faults.value("spec.holdTimeSeconds", hold)
    keepalive = faults.parsed("spec.keepaliveTime", spec.keepalive_time, parse_seconds)
    if keepalive is not None:
        hold = _with_keepalive(spec, hold, keepalive, faults)
    return hold


def _with_keepalive(spec: objects.BGPPeerSpec, hold: int, keepalive: int, faults: Faults) -> int:
    """Return the hold time; a keepalive time alone makes it three times as long."""
    path = "spec.keepaliveTime"
    if spec.hold_time is None and spec.hold_time_seconds is None:
        hold = 3 * keepalive
        if hold > 65535:
            faults.rule(path, f"{spec.keepalive_time} means a hold time above 65535 s")
    if keepalive > hold:
        faults.rule(
            path, f"{spec.keepalive_time} exceeds the hold time of {hold} s", spec.keepalive_time
        )
    elif keepalive != hold // 3:
        faults.notice(path, f"has no effect: keepalives leave every {hold // 3} s, a third of hold")
    return hold


def _seconds(path: str, text: str, faults: Faults) -> int:
    seconds = faults.parsed(path, text, parse_seconds)
    if seconds is None:
        if not text:
            faults.value(path, text)
        return HOLD_SECONDS
    if seconds > 65535 or 0 < seconds < 3:
        faults.value(path, text)
        return HOLD_SECONDS
    return seconds


def _families(spec: objects.BGPPeerSpec, session: Family) -> tuple[Family, ...]:
    if spec.families:
        return tuple(sorted({Family(one) for one in spec.families}))
    if spec.dual_stack_address_family:
        return (Family.IPV4, Family.IPV6)
    return (session,)


def _password_secret(wire: objects.BGPPeer, faults: Faults) -> str:
    """Return the name of the Secret; one password has one place."""
    spec = wire.spec
    reference = spec.password_secret or objects.SecretReference()
    places = {
        "spec.passwordFile": spec.password_file,
        "spec.passwordSecret": reference.name,
    }
    before = "spec.password" if spec.password else ""
    for path, value in places.items():
        if value and before:
            faults.rule(path, f"cannot stand beside {before}; remove one")
        before = path if value else before
    home = wire.metadata.namespace
    if reference.name and reference.namespace and home and reference.namespace != home:
        what = f"must be {home}, the namespace of the BGPPeer, or absent"
        faults.rule("spec.passwordSecret.namespace", what, reference.namespace)
    return reference.name or ""


def _ttl_security(spec: objects.BGPPeerSpec, faults: Faults) -> int | None:
    if spec.ttl_security is not None and spec.ebgp_multi_hop:
        faults.rule(
            "spec.ttlSecurity",
            "already says how far away the peer may be; remove spec.ebgpMultiHop",
            spec.ttl_security,
        )
    return spec.ttl_security


def _lever(spec: objects.BGPPeerSpec, faults: Faults, *, internal: bool) -> Lever:
    lever = spec.takeover.lever if spec.takeover else None
    if lever is None:
        # Local preference is compared first and is what iBGP carries; MED is for eBGP.
        return Lever.LOCAL_PREF if internal else Lever.MED
    unknown = spec.provider and not (spec.peer_asn and (spec.local_asn or spec.my_asn))
    if lever is Lever.LOCAL_PREF and not internal and not unknown:
        faults.rule(
            "spec.takeover.lever",
            "localPref is never sent over eBGP (RFC 4271, section 5.1.5); use med or asPath",
            lever.value,
        )
    return lever
