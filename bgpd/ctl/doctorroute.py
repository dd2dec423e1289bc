"""The way to each router: its source, its route, the right gateway, the size of packets."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Answer, Facts, HostAddress, PeerFacts, Way
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family, Prefix, family_of
from bgpd.model.provider import DEFAULT_GATEWAY

STRICT: Final = 1
_LOOSE: Final = 2


def source(facts: Facts) -> Findings:
    """Judge whether the host has the address that each session comes from."""
    for peer in facts.peers:
        yield _source(peer, facts.host.addresses)


def route(facts: Facts) -> Findings:
    """Judge how each router is reached."""
    for peer in facts.peers:
        yield _route(peer, facts)


def mtu(facts: Facts) -> Findings:
    """Judge whether packets as large as the uplink's arrive at each router."""
    for peer in facts.peers:
        yield _mtu(peer)


def rp_filter(facts: Facts) -> Findings:
    """Judge whether the kernel drops what comes in by one uplink and is answered by another."""
    names = uplinks(facts.peers, Family.IPV4)
    if not names:
        yield _of("rp-filter", Level.SKIP, "", "no uplink is known, so none can be filtered")
    for name in names:
        yield _rp_filter(name, facts)


def arp(facts: Facts) -> Findings:
    """Judge who answers ARP for elastic IPs that are bound on the host."""
    bound = [one for one in bound_here(facts) if family_of(one.address) is Family.IPV4]
    if not bound:
        yield _of("arp", Level.OK, "", "no elastic IP is bound on the host: nobody answers for one")
        return
    for name in uplinks(facts.peers, Family.IPV4):
        yield _arp(name, bound, facts)


def forwarding(facts: Facts) -> Findings:
    """Judge whether the kernel passes on what is for pods."""
    for family, name in _FORWARDING.items():
        prefixes = {one for one in elastic_ips(facts) if family_of_prefix(one) is family}
        bound = {one.address for one in bound_here(facts)}
        elsewhere = {one for one in prefixes if one.partition("/")[0] not in bound}
        if elsewhere:
            yield _forwarding(family, name, facts.host.sysctls.get(name))
        elif prefixes:
            sentence = f"every {_WORDS[family]} elastic IP ends on this host: nothing is passed on"
            yield _of("forwarding", Level.OK, _WORDS[family], sentence)
    if not elastic_ips(facts):
        yield _of("forwarding", Level.SKIP, "", "no elastic IP is known, so nothing is passed on")


def uplinks(peers: Iterable[PeerFacts], family: Family | None = None) -> tuple[str, ...]:
    """Return the interfaces by which routers are reached, each once."""
    return tuple(
        dict.fromkeys(
            peer.way.interface
            for peer in peers
            if peer.way is not None
            and not peer.way.ours
            and (family is None or family_of(peer.address) is family)
        )
    )


def elastic_ips(facts: Facts) -> frozenset[Prefix]:
    """Return the prefixes that the node advertises, or wants to."""
    view = facts.view
    wanted = view.agent.services if view.agent is not None else {}
    actual = view.speaker.routes if view.speaker is not None else ()
    return frozenset((*wanted, *(one.prefix for one in actual)))


def bound_here(facts: Facts) -> tuple[HostAddress, ...]:
    """Return the elastic IPs among the host's own addresses."""
    wanted = {prefix.partition("/")[0] for prefix in elastic_ips(facts)}
    return tuple(one for one in facts.host.addresses or () if one.address in wanted)


def family_of_prefix(prefix: Prefix) -> Family:
    """Return the family of *prefix*."""
    return family_of(Address(prefix.partition("/")[0]))


def asked(peer: PeerFacts) -> str:
    """Return the command that asks the kernel what it was asked here."""
    source = f" from {peer.source}" if peer.source else ""
    return f"ip route get {peer.address}{source}"


_FORWARDING: Final = {
    Family.IPV4: "net.ipv4.ip_forward",
    Family.IPV6: "net.ipv6.conf.all.forwarding",
}
_WORDS: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


def _of(check: str, level: Level, subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=subject, sentence=sentence, next_command=command
    )


def _source(peer: PeerFacts, addresses: tuple[HostAddress, ...] | None) -> Finding:
    if peer.source is None:
        sentence = "nobody says which source the session has: speaker and saved state are mute"
        return _of("source", Level.SKIP, peer.name, sentence)
    if addresses is None:
        sentence = f"whether this host has {peer.source} is not known: the kernel does not say"
        return _of("source", Level.SKIP, peer.name, sentence)
    found = [one.interface for one in addresses if one.address == peer.source]
    if found:
        sentence = f"{peer.source} is an address of {', '.join(dict.fromkeys(found))}"
        return _of("source", Level.OK, peer.name, sentence)
    sentence = (
        f"no interface has {peer.source}, from which the session with {peer.address} must come;"
        " add it to the host, or change sourceAddress of the BGPPeer"
    )
    return _of("source", Level.FAIL, peer.name, sentence, "ip -brief address show")


def _route(peer: PeerFacts, facts: Facts) -> Finding:
    way = peer.way
    if way is None and peer.way_problem:
        sentence = f"the way to {peer.address} is not known: {peer.way_problem}"
        return _of("route", Level.SKIP, peer.name, sentence)
    if way is None:
        ours = (
            "; the agent makes one, as gateway of the BGPPeer says, if it has CAP_NET_ADMIN"
            if peer.gateway
            else "; add one, or set gateway of the BGPPeer and the agent does"
        )
        sentence = f"there is no route to {peer.address}{ours}"
        return _of("route", Level.FAIL, peer.name, sentence, asked(peer))
    wrong = next(_wrong(peer, way, facts), None)
    if wrong is not None:
        level, sentence = wrong
        return _of("route", level, peer.name, sentence, asked(peer))
    return _of("route", Level.OK, peer.name, f"{peer.address} is reached {_by(way)}")


def _wrong(peer: PeerFacts, way: Way, facts: Facts) -> Iterator[tuple[Level, str]]:
    """Yield what is wrong with a way, the worst first."""
    if way.ours:
        yield Level.FAIL, f"{peer.address} is an address of this host itself; correct peerAddress"
    if way.carrier is False:
        yield Level.FAIL, f"{way.interface}, which leads to {peer.address}, has no carrier"
    wanted = _wanted_gateways(peer, facts)
    if wanted and way.gateway not in wanted:
        sentence = (
            f"{peer.address} is reached {_by(way)}, but the BGPPeer wants it over"
            f" {' or '.join(sorted(wanted))}; the agent makes that route: see `bgpctl get host`"
        )
        yield Level.FAIL, sentence
    if not peer.gateway and _by_the_public_side(peer, way):
        sentence = (
            f"{peer.address} is reached {_by(way)}, a public gateway, but the session comes from"
            f" the private {peer.source}; add a route over the private gateway, or set gateway of"
            " the BGPPeer to it"
        )
        yield Level.FAIL, sentence
    other = _other_interface(peer, way, facts.host.addresses or ())
    if other:
        sentence = (
            f"{peer.address} is reached {_by(way)}, but {peer.source} is an address of {other}:"
            " the router's answers come in by another interface than they should"
        )
        yield Level.WARN, sentence


def _wanted_gateways(peer: PeerFacts, facts: Facts) -> frozenset[Address]:
    if peer.gateway != DEFAULT_GATEWAY:
        return frozenset({Address(peer.gateway)} if peer.gateway else ())
    family = family_of(peer.address)
    return frozenset(
        way.gateway
        for way in facts.host.defaults or ()
        if way.gateway is not None and family_of(way.gateway) is family
    )


def _by_the_public_side(peer: PeerFacts, way: Way) -> bool:
    if peer.source is None or way.gateway is None:
        return False
    return _private(peer.source) and not _private(way.gateway)


def _private(address: Address) -> bool:
    found = ip_address(address.partition("%")[0])
    return found.is_private or found.is_link_local


def _other_interface(peer: PeerFacts, way: Way, addresses: Iterable[HostAddress]) -> str:
    """Return the interface that has the source, where that is a cable and not the way's."""
    own = [one for one in addresses if one.address == peer.source]
    if any(one.loopback or one.interface == way.interface for one in own):
        return ""
    return own[0].interface if own else ""


def _by(way: Way) -> str:
    return f"by {way.interface}" + (f" over {way.gateway}" if way.gateway else ", on the link")


def _mtu(peer: PeerFacts) -> Finding:
    way = peer.way
    if way is None or way.link_mtu is None:
        return _of("mtu", Level.SKIP, peer.name, "the size of the uplink's packets is not known")
    known = [one for one in (way.mtu, _path_mtu(peer)) if one is not None]
    path = min(known, default=way.link_mtu)
    ping = f"ping -c 3 -M do -s {way.link_mtu - (48 if ':' in peer.address else 28)} {peer.address}"
    if path < way.link_mtu:
        sentence = (
            f"{way.interface} takes packets of {way.link_mtu} bytes, the way to {peer.address} only"
            f" {path}: large packets of clients depend on ICMP that filters like to drop; give"
            f" {way.interface} the MTU {path}"
        )
        return _of("mtu", Level.WARN, peer.name, sentence, ping)
    if peer.large_ping.answer is Answer.YES:
        sentence = f"packets of {way.link_mtu} bytes, as {way.interface} takes, are answered"
        return _of("mtu", Level.OK, peer.name, sentence)
    if peer.large_ping.answer is Answer.SILENT and peer.ping.answer is Answer.YES:
        sentence = (
            f"{peer.address} answers small pings, but none of {way.link_mtu} bytes, which"
            f" {way.interface} sends: something on the way takes less, and says nothing"
        )
        return _of("mtu", Level.WARN, peer.name, sentence, ping)
    sentence = f"{way.link_mtu} bytes on {way.interface}, and nothing smaller is known of the way"
    return _of("mtu", Level.OK, peer.name, sentence)


def _path_mtu(peer: PeerFacts) -> int | None:
    connection = peer.connection
    established = peer.session is not None and peer.session.state is PeerState.ESTABLISHED
    return connection.path_mtu if connection is not None and established else None


def _effective(facts: Facts, name: str, interface: str) -> int | None:
    """Return what holds for *interface*: of these settings the kernel takes the larger one."""
    values = [
        facts.host.sysctls.get(f"net.ipv4.conf.{where}.{name}") for where in ("all", interface)
    ]
    numbers = [int(value) for value in values if value is not None and value.isdecimal()]
    return max(numbers) if len(numbers) == len(values) else None


def _rp_filter(name: str, facts: Facts) -> Finding:
    mode = _effective(facts, "rp_filter", name)
    if mode is None:
        return _of("rp-filter", Level.SKIP, name, "rp_filter of this interface cannot be read")
    if mode != STRICT:
        word = "loose" if mode == _LOOSE else "off"
        return _of("rp-filter", Level.OK, name, f"rp_filter is {word}")
    ways = [one for one in facts.host.defaults or () if _is_v4(one)]
    others = sorted({one.interface for one in ways} - {name})
    command = f"sysctl -w net.ipv4.conf.{name}.rp_filter={_LOOSE}"
    if any(one.interface == name for one in ways):
        return _of(
            "rp-filter", Level.OK, name, "rp_filter is strict, and the way back is the way in"
        )
    dropped = facts.host.counters.get("IPReversePathFilter", 0)
    so_far = f" ({dropped} packets so far)" if dropped else ""
    if others:
        sentence = (
            f"rp_filter is strict, but the default route leaves by {', '.join(others)}: the kernel"
            f" drops what clients send over {name}{so_far}; set it to loose"
        )
        return _of("rp-filter", Level.FAIL, name, sentence, command)
    sentence = (
        f"rp_filter is strict and there is no default route: the kernel drops what comes in by"
        f" {name} from clients that it has no route to{so_far}"
    )
    return _of("rp-filter", Level.WARN, name, sentence, command)


def _is_v4(way: Way) -> bool:
    return way.gateway is None or family_of(way.gateway) is Family.IPV4


def _arp(name: str, bound: Iterable[HostAddress], facts: Facts) -> Finding:
    addresses = ", ".join(sorted({one.address for one in bound if one.interface != name}))
    if not addresses:
        return _of("arp", Level.OK, name, "the elastic IPs on the host are its own")
    ignore, announce = (_effective(facts, one, name) for one in ("arp_ignore", "arp_announce"))
    if ignore is None or announce is None:
        return _of("arp", Level.SKIP, name, "arp_ignore and arp_announce cannot be read")
    if ignore and announce == _LOOSE:
        sentence = f"ARP by {name} is not answered for {addresses}: arp_ignore is {ignore}"
        return _of("arp", Level.OK, name, sentence)
    sentence = (
        f"{addresses} {'are' if ',' in addresses else 'is'} bound on the host, and ARP by {name} is"
        " answered for it: who asks on that link sends here whatever the routers chose; set"
        " arp_ignore to 1 and arp_announce to 2"
    )
    command = f"sysctl -w net.ipv4.conf.{name}.arp_ignore=1 net.ipv4.conf.{name}.arp_announce=2"
    return _of("arp", Level.WARN, name, sentence, command)


def _forwarding(family: Family, name: str, value: str | None) -> Finding:
    word = _WORDS[family]
    if value is None:
        return _of("forwarding", Level.SKIP, word, f"{name} cannot be read")
    if value != "0":
        return _of("forwarding", Level.OK, word, f"{name} is {value}")
    sentence = f"{name} is 0: what clients send to elastic IPs reaches no pod of this node"
    return _of("forwarding", Level.FAIL, word, sentence, f"sysctl -w {name}=1")
