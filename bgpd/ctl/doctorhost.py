"""Settings of the host's kernel without which routes are right and packets do not arrive."""

from collections.abc import Iterable
from typing import Final

from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Answer, Facts, HostAddress, PeerFacts, Way
from bgpd.model.prefix import Address, Family, Prefix, family_of

_STRICT: Final = 1
_LOOSE: Final = 2
_FORWARDING: Final = {
    Family.IPV4: "net.ipv4.ip_forward",
    Family.IPV6: "net.ipv6.conf.all.forwarding",
}
_WORDS: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


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
    if not elastic_ips(facts):
        yield _of("arp", Level.SKIP, "", "no elastic IP is known, so none can be on the host")
        return
    if not bound:
        yield _of("arp", Level.OK, "", "no elastic IP is bound on the host: nobody answers for one")
        return
    for name in uplinks(facts.peers, Family.IPV4):
        yield _arp(name, bound, facts)


def forwarding(facts: Facts) -> Findings:
    """Judge whether the kernel passes on what is for pods."""
    wanted = elastic_ips(facts)
    if not wanted:
        yield _of("forwarding", Level.SKIP, "", "no elastic IP is known, so nothing is passed on")
    for family, name in _FORWARDING.items():
        prefixes = {one for one in wanted if family_of_prefix(one) is family}
        # IPVS binds every elastic IP to the host, and passes on all the same.
        passes_on = facts.kube_proxy.answer is Answer.YES or not prefixes <= facts.ending_here
        if prefixes and passes_on:
            yield _forwarding(family, name, facts.host.sysctls.get(name))
        elif prefixes:
            sentence = f"every {_WORDS[family]} elastic IP ends on this host: nothing is passed on"
            yield _of("forwarding", Level.OK, _WORDS[family], sentence)


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


def _of(check: str, level: Level, subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=subject, sentence=sentence, next_command=command
    )


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
    if mode != _STRICT:
        word = "loose" if mode == _LOOSE else "off"
        return _of("rp-filter", Level.OK, name, f"rp_filter is {word}")
    ways = [one for one in facts.host.defaults or () if _is_v4(one)]
    others = sorted({one.interface for one in ways} - {name})
    command = f"sysctl -w net/ipv4/conf/{name}/rp_filter={_LOOSE}"
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
    # With slashes, because the names of interfaces may have dots.
    settings = (f"net/ipv4/conf/{name}/{what}" for what in ("arp_ignore=1", "arp_announce=2"))
    command = f"sysctl -w {' '.join(settings)}"
    return _of("arp", Level.WARN, name, sentence, command)


def _forwarding(family: Family, name: str, value: str | None) -> Finding:
    word = _WORDS[family]
    if value is None:
        return _of("forwarding", Level.SKIP, word, f"{name} cannot be read")
    if value != "0":
        return _of("forwarding", Level.OK, word, f"{name} is {value}")
    sentence = f"{name} is 0: what clients send to elastic IPs reaches no pod of this node"
    return _of("forwarding", Level.FAIL, word, sentence, f"sysctl -w {name}=1")
