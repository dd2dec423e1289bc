"""ExaBGP's configuration file, from typed peers.

Theory of operation: the file says who our peers are, never what they are offered; routes come
as commands. Three things are said on purpose:

* The MD5 key is written in base64 with `md5-base64 true`: ExaBGP's tokeniser resolves escapes
  before it looks for quotes, so no quoting carries an arbitrary key.
* `adj-rib-in false`: nothing that a router sends is wanted, and a full table would be kept.
* The `api` section subscribes to nothing: session changes are reported by our launcher.

Supported standards: RFC 4271 (hold time), 4724 (graceful restart, with End-of-RIB sent by
command), 4760 (families), 5082 (TTL security), 2385 (TCP MD5), 8950 (IPv4 routes with an IPv6
next hop).
"""

import base64
import shlex
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from bgpd.model.errors import ConfigError
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, Family, family_of

REFLEX: Final = "reflex"
"""The name of the API process inside ExaBGP's configuration."""

MAX_KEY: Final = 80
"""Bytes of a TCP MD5 key that Linux accepts (TCP_MD5SIG_MAXKEYLEN)."""

_SPECIAL: Final = "\\\"'#;{},[]"
"""What ExaBGP's tokeniser does not take for a part of a word."""
_WORDS: Final = frozenset(
    """
    process run encoder respawn neighbor local-address router-id local-as peer-as connect hold-time
    passive outgoing-ttl incoming-ttl md5-password md5-base64 group-updates adj-rib-in adj-rib-out
    manual-eor family ipv4 ipv6 nexthop capability asn4 extended-message route-refresh
    graceful-restart api processes
    """.split()  # noqa: SIM905 - one a line would be a page
)
"""What a line of ours begins with: these may be shown, anything else may be a key."""

_FAMILY: Final = {Family.IPV4: "ipv4 unicast", Family.IPV6: "ipv6 unicast"}


def render(peers: Sequence[Peer], *, reflex: str) -> str:
    """Return ExaBGP's configuration for *peers*, whose API process is the command *reflex*.

    Raise `ConfigError`, naming the peer, rather than write what ExaBGP would refuse: one bad
    peer in the file would cost every other.
    """
    _check_addresses(peers)
    lines = [
        f"process {REFLEX} {{",
        f"    run {_command(reflex)};",
        "    encoder json;",
        "    respawn true;",
        "}",
    ]
    for peer in sorted(peers, key=lambda peer: peer.address):
        _check(peer)
        lines += ["", f"neighbor {peer.address} {{", *_indent(_neighbor(peer)), "}"]
    return "\n".join(lines) + "\n"


def blame(text: str, line: int, statement: str = "") -> str:
    """Return where *text*, a file, was refused at *line*, without a word that may be a key.

    What ExaBGP says of a syntax error quotes the line. Its reader is ahead of its parser: the
    *statement* that was refused, without blanks, is at *line* or before.
    """
    if line < 1:
        return "its parts contradict each other"
    lines = text.splitlines()
    bare = ["".join(one.split()) for one in lines[:line]]
    if statement and statement in bare:
        line = max(number for number, one in enumerate(bare, 1) if one == statement)
    words = " ".join(lines[line - 1 : line]).split()
    word = words[0].rstrip(";{}") if words else ""
    if word in _WORDS:
        return f"line {line}: {word}"
    if words and set(words[0]) <= set("{};"):
        return f"line {line}: the end of a section"
    return f"line {line}: an unknown word" if words else f"line {line}"


def _neighbor(peer: Peer) -> Iterator[str]:
    yield f"local-address {peer.local_address};"
    yield f"router-id {peer.router_id};"
    yield f"local-as {peer.local_asn};"
    yield f"peer-as {peer.peer_asn};"
    yield f"connect {peer.port};"
    yield f"hold-time {peer.hold_time};"
    yield "passive false;"
    if peer.ttl is not None:
        yield f"outgoing-ttl {peer.ttl};"
    if peer.ttl_security is not None:
        yield f"incoming-ttl {peer.ttl_security};"
    if peer.password:
        yield f"md5-password {base64.b64encode(peer.password.encode()).decode()};"
        yield "md5-base64 true;"
    yield "group-updates true;"
    yield "adj-rib-in false;"
    yield "adj-rib-out true;"
    if peer.graceful_restart is not None:
        yield "manual-eor true;"
    yield from _section("family", [f"{_FAMILY[family]};" for family in _families(peer)])
    if _extended_next_hop(peer):
        yield from _section("nexthop", ["ipv4 unicast ipv6;"])
    yield from _section("capability", list(_capabilities(peer)))
    yield from _section("api", [f"processes [ {REFLEX} ];"])


def _capabilities(peer: Peer) -> Iterator[str]:
    yield "asn4 enable;"
    yield "extended-message disable;"
    yield "route-refresh enable;"
    if _extended_next_hop(peer):
        yield "nexthop enable;"
    if peer.graceful_restart is not None:
        yield f"graceful-restart {peer.graceful_restart};"


def _extended_next_hop(peer: Peer) -> bool:
    # RFC 8950, section 4. ExaBGP drops the entry unless both families are configured, so the
    # session then negotiates IPv6 as well, which carries nothing unless the peer wants it.
    return Family.IPV4 in peer.families and family_of(peer.address) is Family.IPV6


def _families(peer: Peer) -> list[Family]:
    wanted = set(peer.families)
    if _extended_next_hop(peer):
        wanted.add(Family.IPV6)
    return sorted(wanted)


def _command(reflex: str) -> str:
    # ExaBGP's tokeniser splits at blanks and knows no escape inside quotes. It wants a command,
    # but the launcher starts the reflex by its own option and never by this line: what an option
    # of ours says in brackets (an IPv6 address, a second one) must not cost every session.
    return " ".join(_word(one) for one in shlex.split(reflex))


def _word(word: str) -> str:
    if word and all(" " < char <= "~" and char not in _SPECIAL for char in word):
        return word
    if word.startswith("--"):
        return quote(word, safe="=/:")
    raise ConfigError(f"the reflex's command has an argument that ExaBGP cannot read: {word!r}")


def _section(name: str, lines: Sequence[str]) -> list[str]:
    return [f"{name} {{", *_indent(lines), "}"]


def _indent(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _check_addresses(peers: Sequence[Peer]) -> None:
    seen: dict[Address, Peer] = {}
    for peer in peers:
        other = seen.setdefault(peer.address, peer)
        if other is not peer:
            raise ConfigError(
                f"BGPPeers {other.name} and {peer.name} have one address, {peer.address}: "
                "a node keeps one session with an address; remove one of them"
            )


def _check(peer: Peer) -> None:
    """Raise `ConfigError` for what a `Peer` may hold and ExaBGP, or Linux, may not."""
    for field, value, low, high in (
        ("ttl", peer.ttl, 1, 255),
        ("ttlSecurity", peer.ttl_security, 1, 255),
        ("gracefulRestart", peer.graceful_restart, 1, 4095),
    ):
        if value is not None and not low <= value <= high:
            raise _error(peer, field, value, f"must be between {low} and {high}")
    if not peer.families:
        raise _error(peer, "families", "()", "at least one address family is needed")
    if family_of(peer.router_id) is not Family.IPV4:
        raise _error(peer, "routerID", peer.router_id, "must be an IPv4 address")
    if family_of(peer.local_address) is not family_of(peer.address):
        raise _error(
            peer, "sourceAddress", peer.local_address, f"must be of the family of {peer.address}"
        )
    if peer.password is not None and not 0 < len(peer.password.encode()) <= MAX_KEY:
        raise _error(
            peer, "password", f"{len(peer.password.encode())} bytes", f"must be 1 to {MAX_KEY}"
        )


def _error(peer: Peer, field: str, value: object, rule: str) -> ConfigError:
    return ConfigError(f"BGPPeer {peer.name}: {field}: {value}: {rule}")
