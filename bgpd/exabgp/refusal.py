"""Why a session is not there, in one sentence that says what to do about it. Pure.

A router says why it ends a session with a NOTIFICATION: two numbers, and sometimes data. Often
it says nothing at all: it refuses the connection, closes it, or leaves it without an answer.
Each of these has a sentence here. The numbers stay in it, in brackets, for whoever looks them up.

What says nothing must not hide what said something: a router that reached its prefix limit tells
that once, and closes every later connection without a word. `Story` keeps the two apart.

Supported standards: RFC 4271 (section 6), 4486 and 9003 (Cease), 5492 (capabilities), 6608 (FSM
errors), 7313 (route refresh), 8538 (hard reset), 9234 (roles), 9384 (BFD), 9687 (send hold timer).
"""

import errno
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.exabgp.codes import CAPABILITIES, FAMILIES, numbers
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family
from bgpd.model.status import SINCE

_CEASE: Final = 6
_HARD_RESET: Final = (6, 9)
_RECEIVED: Final[Mapping[tuple[int, int], str]] = {
    (2, 1): "the router speaks no BGP-4",
    (2, 2): "the router expects another ASN of us than {local_asn}: correct myASN of the BGPPeer, "
    "or the neighbor {local_address} at the router",
    (2, 3): "the router does not accept our BGP identifier {router_id}, which it or another of its "
    "neighbors has: give this node another routerID",
    (2, 6): "the router does not accept our hold time of {hold_time} s: raise holdTime of the "
    "BGPPeer, or lower the router's minimum",
    (2, 11): "the router insists on a BGP role (RFC 9234), and we announce none: let it do without",
    (6, 3): "the router's operator removed this session from its configuration",
    (6, 5): "the router does not take connections from {local_address} now: it has no such "
    "neighbor, or has shut it down, or waits after an error",
    (6, 6): "the router's configuration changed, and it starts the session anew",
    (6, 7): "the router kept another connection between the same two addresses: see whether "
    "another program on this host speaks BGP with it",
    (6, 8): "the router is out of resources",
    (6, 10): "the router's BFD lost us, so it ended the session",
}
_RECEIVED_CODE: Final[Mapping[int, str]] = {
    1: "the router could not read what we sent: look for what changes packets on the way",
    2: "the router does not accept our OPEN: compare the BGPPeer with the router's configuration",
    3: "the router could not accept a route of ours: compare its log with `bgpctl get routes`",
    4: "the router heard nothing from us for its hold time: packets are lost on the way to it "
    "(also full-sized ones alone: see the MTU), or this host stood still",
    5: "the router got a message that it did not expect; the session starts anew",
    7: "the router could not read a ROUTE-REFRESH of ours",
    8: "we took nothing from the router for so long that it gave up: this host stood still, or "
    "packets from the router are lost",
}
_SENT: Final[Mapping[tuple[int, int], str]] = {
    (2, 3): "the router's BGP identifier is not valid beside ours, {router_id}: correct the "
    "router's, or give this node another routerID",
    (2, 6): "the router asks for a hold time that is not valid; BGP knows 0, and 3 s or more",
    (4, 0): "we heard nothing from the router for the hold time: it is dead, or packets from it "
    "are lost on the way",
    (6, 2): "we shut the session down",
    (6, 3): "we ended the session: this peer is configured no more",
    (6, 4): "we reset the session",
    (6, 6): "we started the session anew, because its configuration changed",
    (6, 10): "we ended the session, because BFD with the router is down",
}
_SENT_CODE: Final[Mapping[int, str]] = {
    1: "we could not read what the router sent: look for what changes packets on the way",
    2: "we do not accept the router's OPEN: compare the BGPPeer with the router's configuration",
    3: "we could not read a route of the router; it needs to send us none",
    4: "the connection took no KEEPALIVE of ours: packets to the router are lost",
    5: "the router sent what we did not expect",
    6: "we ended the session",
}
_FIREWALL: Final = "this host's own firewall forbids connections to {where} ({error})"
_FAILED: Final[Mapping[int, str]] = {
    errno.ECONNREFUSED: "{where} refuses connections ({error}): BGP does not run there, or listens "
    "on another port or address, or a firewall rejects us",
    errno.EHOSTUNREACH: "{where} is not reachable ({error}): nobody on the link answers for it, or "
    "a router on the way knows no way",
    errno.ENETUNREACH: "this host has no route to {address} ({error}): add one, or set gateway of "
    "the BGPPeer",
    errno.EADDRNOTAVAIL: "{local_address} is no address of this host ({error}): correct "
    "sourceAddress of the BGPPeer, or add the address",
    errno.EACCES: _FIREWALL,
    errno.EPERM: _FIREWALL,
}
_ASNS: Final = re.compile(r"ASN in OPEN \((\d+)\)")
_WEAK: Final = frozenset({(6, 5), (6, 7)})
"""What a router says when it only does not want to be asked now: it explains nothing before it."""
CLOSED_AGAIN: Final = "the router closes each connection at once"
"""`closed`, where the reason has been told before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What we wanted of a session, as far as sentences need it."""

    address: Address
    local_address: Address
    local_asn: int
    peer_asn: int
    router_id: Address
    port: int = 179
    hold_time: int = 90
    families: tuple[Family, ...] = (Family.IPV4,)
    password: bool = False
    ttl_security: int | None = None

    @property
    def where(self) -> str:
        """Address and port."""
        brackets = "[{}]:{}" if ":" in self.address else "{}:{}"
        return brackets.format(self.address, self.port)


class Story:
    """What ended a session, and what has kept it from returning since."""

    def __init__(self) -> None:
        self.text = ""
        """The sentence for a person; empty while all is well."""
        self._cause = ""

    def well(self) -> None:
        """Forget: the session is established."""
        self.text = self._cause = ""

    def ended(self, sentence: str) -> None:
        """Take note of a reason that somebody gave, or of the end of a session that stood."""
        if sentence != self._cause:
            self._cause = self.text = sentence

    def hindered(self, sentence: str, again: str = "") -> None:
        """Take note of an attempt that came to nothing, without a reason.

        *again* says it in fewer words, for when the reason is known.
        """
        self.text = f"{self._cause}{SINCE}{again or sentence}" if self._cause else sentence


def explains(code: int, subcode: int) -> bool:
    """Return whether a NOTIFICATION says why, rather than that it is no time to ask."""
    return (code, subcode) not in _WEAK


def received(code: int, subcode: int, data: bytes, wanted: Wanted) -> str:
    """Return what a NOTIFICATION of the router means, *data* being what followed the codes."""
    if (code, subcode) == _HARD_RESET and len(data) >= 2 and tuple(data[:2]) != _HARD_RESET:
        # RFC 8538, section 3: the reason itself is inside, once.
        return f"{received(data[0], data[1], data[2:], wanted)}, as a hard reset"
    if code == _CEASE and subcode in {2, 4}:
        text = _spoken(data)
        verb, then = (
            ("shut the session down", "it returns when they enable it")
            if (subcode == 2)
            else ("reset the session", "")
        )
        said = f', saying "{text}"' if text else ""
        return f"the router's operator {verb}{said}{f'; {then}' if then else ''}" + numbers(
            code, subcode
        )
    if (code, subcode) == (6, 1):
        return _limit(data) + numbers(code, subcode)
    if (code, subcode) == (2, 7):
        return _capability(data, wanted) + numbers(code, subcode)
    return _of(_RECEIVED, _RECEIVED_CODE, code, subcode, wanted) + numbers(code, subcode)


def sent(code: int, subcode: int, text: str, wanted: Wanted) -> str:
    """Return what a NOTIFICATION of ours means; *text* is what ExaBGP had to say beside it."""
    bracket = numbers(code, subcode)
    found = _ASNS.search(text)
    if (code, subcode) == (2, 2) and found:
        return (
            f"the router is AS {found[1]}, not AS {wanted.peer_asn}: correct peerASN of the "
            f"BGPPeer, if it is the right router{bracket}"
        )
    if "waited for open" in text:
        return f"{wanted.where} takes connections, and then says nothing: BGP hangs there{bracket}"
    return _of(_SENT, _SENT_CODE, code, subcode, wanted) + bracket


def closed(state: PeerState, wanted: Wanted) -> str:
    """Return what it means that the router closed the connection without a NOTIFICATION."""
    if state is PeerState.ESTABLISHED:
        return (
            "the router closed the session without a reason: its BGP ended, crashed or was "
            "restarted"
        )
    if state is PeerState.OPEN_CONFIRM:
        return "the router closed the connection after our OPEN, without a reason: see its log"
    return (
        f"{wanted.where} takes connections from {wanted.local_address} and closes them at once: "
        "the router has no such neighbor, has shut it down, or waits after an error"
    )


def vanished(wanted: Wanted) -> str:
    """Return what it means that the kernel gave the connection up."""
    return (
        f"the router {wanted.address} acknowledged nothing for the hold time: it is dead, or the "
        "way to it is"
    )


def silent(wanted: Wanted) -> str:
    """Return what it may mean that nobody answers an attempt to connect."""
    reasons = ["the router is down", "the way to it or back is not there or filtered"]
    if wanted.password:
        reasons.append("its TCP MD5 password is missing or differs")
    else:
        reasons.append("it wants a TCP MD5 password (passwordSecret of the BGPPeer)")
    if wanted.ttl_security is not None:
        reasons.append("TTL security drops packets: it is further away than said")
    return f"{wanted.where} does not answer {wanted.local_address}: {_or(reasons)}"


def failed(number: int, said: str, wanted: Wanted) -> str:
    """Return what it means that connecting failed with the error *number*, called *said*."""
    if number == errno.ECONNRESET:
        return closed(PeerState.CONNECT, wanted)
    template = _FAILED.get(number, "{where}: {error}")
    return template.format(
        where=wanted.where,
        address=wanted.address,
        local_address=wanted.local_address,
        error=said.lower(),
    )


def _of(
    exact: Mapping[tuple[int, int], str],
    rough: Mapping[int, str],
    code: int,
    subcode: int,
    wanted: Wanted,
) -> str:
    unknown = "the session ended for a reason that bgpd does not know"
    template = exact.get((code, subcode)) or rough.get(code) or unknown
    if code == _CEASE and template is unknown:
        template = "the router ended the session"
    return template.format(
        local_asn=wanted.local_asn,
        local_address=wanted.local_address,
        router_id=wanted.router_id,
        hold_time=wanted.hold_time,
    )


def _spoken(data: bytes) -> str:
    """Return the operator's words (RFC 9003, section 2), on one line, or the empty string."""
    text = data[1 : 1 + data[0]] if data else b""
    words = text.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _limit(data: bytes) -> str:
    """Return what the limit is (RFC 4486, section 4: family and number may follow)."""
    sentence = "the router takes fewer prefixes than we announced"
    advice = "set maxPrefixes of the BGPPeer to the router's limit, or raise that"
    if len(data) >= 7:
        afi, safi, most = struct.unpack("!HBI", data[:7])
        family = FAMILIES.get((afi, safi), f"family {afi}/{safi}")
        sentence = f"the router takes at most {most} prefixes of {family}, and we announced more"
        advice = f"set maxPrefixes of the BGPPeer to {most}, or raise the router's limit"
    return f"{sentence}: {advice}; the session may stay down until its operator clears it"


def _capability(data: bytes, wanted: Wanted) -> str:
    names = list(_capabilities(data))
    ours = " and ".join(_OURS[family] for family in sorted(wanted.families))
    which = f" ({', '.join(names)})" if names else ""
    return (
        f"the router does not go on without a capability that one of us lacks{which}: we offer "
        f"{ours}, so compare families of the BGPPeer with what the router's neighbor activates"
    )


_OURS: Final = {Family.IPV4: "IPv4 unicast", Family.IPV6: "IPv6 unicast"}


def _capabilities(data: bytes) -> Iterator[str]:
    """Yield the capabilities in *data* (RFC 5492, section 5), as far as they can be read."""
    while len(data) >= 2:
        code, length = data[0], data[1]
        value, data = data[2 : 2 + length], data[2 + length :]
        if len(value) < length:
            return
        if code == 1 and length == 4:
            afi, _, safi = struct.unpack("!HBB", value)
            yield FAMILIES.get((afi, safi), f"family {afi}/{safi}")
        else:
            yield CAPABILITIES.get(code, f"capability {code}")


def _or(reasons: list[str]) -> str:
    return ", ".join(reasons[:-1]) + f", or {reasons[-1]}"
