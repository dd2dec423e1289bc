"""The way to each router: its source, its route, the right gateway, the size of packets."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Answer, Facts, HostAddress, PeerFacts, Way
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, family_of
from bgpd.model.provider import DEFAULT_GATEWAY


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


def asked(peer: PeerFacts) -> str:
    """Return the command that asks the kernel what it was asked here."""
    source = f" from {peer.source}" if peer.source else ""
    return f"ip route get {peer.address}{source}"


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
