"""The rows of docs/interop.md: what the speaker wants of a session, and what its router does.

Every case has a subnet of its own between node and router, numbered as the case is, so that all
of them run at once: one speaker with all peers, one router with all neighbors. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from bgpd.model.peer import Asn, Lever, Peer, PeerName
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Advertisement

NODE_ASN: Final = 65000
ROUTER_ASN: Final = 65530
ROUTER_ID: Final = "10.255.0.2"
NODE_ID: Final = "10.255.0.1"
KEY: Final = "correct-horse-9"
"""Plain on purpose: the four routers quote in four ways, and ours is tested elsewhere."""
LIMIT: Final = 10
WORDS: Final = "maintenance until noon"
BOTH: Final = (Family.IPV4, Family.IPV6)
_ROUTES: Final = 3


class Make(StrEnum):
    """The routers, by the name that people know."""

    BIRD = "BIRD"
    FRR = "FRR"
    GOBGP = "GoBGP"
    OPENBGPD = "OpenBGPD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """The router's side of a session, in words that all four understand."""

    asn: int = NODE_ASN
    families: tuple[Family, ...] = (Family.IPV4,)
    password: str = ""
    passive: bool = False
    multihop: bool = False
    ttl_security: bool = False
    extended_next_hop: bool = False
    limit: int | None = None
    """More prefixes than these end the session."""
    demands: bool = False
    """It wants capabilities that are not offered, and takes no less."""
    least_hold_time: int | None = None
    known: bool = True
    """Whether the router has a neighbor of this address at all."""
    elsewhere: bool = False
    """Whether it listens on another port than 179."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table."""

    number: int
    title: str
    """What the row shows, as the table says it."""
    six: bool = False
    """Whether the session runs over IPv6."""
    ours: dict[str, Any] = field(default_factory=dict)
    """Fields of `Peer`."""
    theirs: Neighbor = Neighbor()
    routes: int = _ROUTES
    """How many prefixes of each family are wanted."""
    arrive: int | None = None
    """How many prefixes the router shall have in the end; None: all of them."""
    unheard: bool = False
    """Whether the rest is withheld, because the router did not agree to its family."""
    swap: bool = False
    """Whether what is advertised is exchanged for something else, one by one."""
    told: str = ""
    """How the router's operator ends the session: `down` or `reset`; empty: not at all."""
    refused: str = ""
    """What a person is told: a pattern. Empty: the session stands."""

    @property
    def name(self) -> PeerName:
        """The peer's name in the speaker, the neighbor's in the router."""
        return PeerName(f"case{self.number}")

    @property
    def node(self) -> Address:
        """Our end."""
        return Address(f"fd09:{self.number:x}::1" if self.six else f"10.9.{self.number}.1")

    @property
    def router(self) -> Address:
        """Their end."""
        return Address(f"fd09:{self.number:x}::2" if self.six else f"10.9.{self.number}.2")

    @property
    def peer(self) -> Peer:
        """The peer that the speaker gets."""
        plain = Peer(
            name=self.name,
            address=self.router,
            peer_asn=Asn(ROUTER_ASN),
            local_asn=Asn(NODE_ASN),
            local_address=self.node,
            router_id=Address(NODE_ID),
            families=(Family.IPV6,) if self.six else (Family.IPV4,),
            lever=Lever.MED,
        )
        return replace(plain, **self.ours)

    @property
    def wanted(self) -> tuple[Prefix, ...]:
        """What the speaker is asked to advertise, in the order of their numbers."""
        numbers = range(1, self.routes + 1)
        families = self.peer.families
        four = [self.prefix(number) for number in numbers if Family.IPV4 in families]
        return (*four, *(self.prefix(n, 6) for n in numbers if Family.IPV6 in families))

    @property
    def expected(self) -> int:
        """How many prefixes of this case the router shall have."""
        return len(self.wanted) if self.arrive is None else self.arrive

    def prefix(self, number: int, version: int = 4) -> Prefix:
        """Return an elastic IP of this case."""
        if version == 6:
            return Prefix(f"2001:db8:{self.number:x}::{number:x}/128")
        return Prefix(f"198.18.{self.number}.{number}/32")

    def advertisement(self, prefix: Prefix, priority: int = 0) -> Advertisement:
        """Return the wish to advertise *prefix*."""
        return Advertisement(peer=self.name, prefix=prefix, priority=priority)


CASES: Final = (
    Case(number=1, title="a session comes up; routes are announced and withdrawn"),
    Case(
        number=2,
        title="TCP MD5",
        ours={"password": KEY},
        theirs=Neighbor(password=KEY),
    ),
    Case(
        number=3,
        title="IPv6 routes over an IPv6 session",
        six=True,
        theirs=Neighbor(families=(Family.IPV6,)),
    ),
    Case(
        number=4,
        title="TCP MD5 over IPv6",
        six=True,
        ours={"password": KEY},
        theirs=Neighbor(families=(Family.IPV6,), password=KEY),
    ),
    Case(
        number=5,
        title="IPv4 routes over an IPv6 session (RFC 8950)",
        six=True,
        ours={"families": (Family.IPV4,)},
        theirs=Neighbor(families=BOTH, extended_next_hop=True),
    ),
    Case(
        number=6,
        title="both families on one IPv4 session",
        ours={"families": BOTH, "next_hop_v6": Address("fd09:6::1")},
        theirs=Neighbor(families=BOTH),
    ),
    Case(
        number=7,
        title="both families on one IPv6 session",
        six=True,
        ours={"families": BOTH, "next_hop_v6": Address("fd09:7::1")},
        theirs=Neighbor(families=BOTH, extended_next_hop=True),
    ),
    Case(
        number=8,
        title="the router lacks a family that we offer: the session carries the other",
        ours={"families": BOTH, "next_hop_v6": Address("fd09:8::1")},
        arrive=_ROUTES,
        unheard=True,
    ),
    Case(
        number=9,
        title="multihop, over a router between the two, with a source address on `lo`",
        theirs=Neighbor(multihop=True),
    ),
    Case(
        number=10,
        title="TTL security (RFC 5082)",
        ours={"ttl_security": 255},
        theirs=Neighbor(ttl_security=True),
    ),
    Case(
        number=11,
        title="another port than 179",
        ours={"port": 1790},
        theirs=Neighbor(elsewhere=True),
    ),
    Case(number=12, title="a passive router", theirs=Neighbor(passive=True)),
    Case(
        number=13,
        title=f"at our `maxPrefixes` {LIMIT}, the router's limit: replaced one by one, never down",
        ours={"max_prefixes": LIMIT},
        theirs=Neighbor(limit=LIMIT),
        routes=15,
        arrive=LIMIT,
        swap=True,
    ),
    Case(
        number=14,
        title="more prefixes than the router's limit",
        theirs=Neighbor(limit=LIMIT),
        routes=15,
        refused=r"limit|maxPrefixes",
    ),
    Case(
        number=15,
        title="the router expects another ASN of us",
        theirs=Neighbor(asn=64999),
        refused="ASN",
    ),
    Case(
        number=16,
        title="the router has another ASN than we expect",
        ours={"peer_asn": Asn(64998)},
        refused="ASN",
    ),
    Case(
        number=17,
        title="the router has another password",
        ours={"password": "not-theirs"},
        theirs=Neighbor(password=KEY),
        refused="password|MD5",
    ),
    Case(
        number=18,
        title="only the router has a password",
        theirs=Neighbor(password=KEY),
        refused="password|MD5",
    ),
    Case(
        number=19,
        title="only we have a password",
        ours={"password": KEY},
        refused="password|MD5",
    ),
    Case(
        number=20,
        title="the router insists on a capability that we lack",
        theirs=Neighbor(demands=True),
        refused="capabilit|role",
    ),
    Case(
        number=21,
        title="no address family in common",
        ours={"families": (Family.IPV6,), "next_hop_v6": Address("fd09:15::1")},
        refused="famil|did not agree",
    ),
    Case(
        number=22,
        title="the router knows no neighbor of our address",
        theirs=Neighbor(known=False),
        refused="neighbor",
    ),
    Case(
        number=23,
        title="our hold time is shorter than the router's least",
        ours={"hold_time": 9},
        theirs=Neighbor(least_hold_time=30),
        refused="hold time|holdTime",
    ),
    Case(
        number=24,
        title="the router's operator shuts the session down",
        told="down",
        refused="shut the session down",
    ),
    Case(
        number=25,
        title="the router's operator resets the session: it returns",
        told="reset",
        refused="reset the session",
    ),
)
"""All rows, in the order of the table."""

_NO_MD5: Final = "this build has no TCP MD5 on Linux (`PF_KEY not available`)"
_NO_8950: Final = "this version knows nothing of RFC 8950"
_NEVER_INSISTS: Final = "this version cannot insist on a capability"
_ANY_HOLD_TIME: Final = "this version has no least hold time"

UNABLE: Final[Mapping[tuple[Make, int], str]] = {
    (Make.BIRD, 20): _NEVER_INSISTS,
    (Make.BIRD, 23): _ANY_HOLD_TIME,
    (Make.FRR, 20): "`strict-capability-match` minds what FRR does not know; we offer nothing else",
    (Make.GOBGP, 20): _NEVER_INSISTS,
    (Make.GOBGP, 23): _ANY_HOLD_TIME,
    (Make.OPENBGPD, 2): _NO_MD5,
    (Make.OPENBGPD, 4): _NO_MD5,
    (Make.OPENBGPD, 5): _NO_8950,
    (Make.OPENBGPD, 7): _NO_8950,
    (Make.OPENBGPD, 17): _NO_MD5,
    (Make.OPENBGPD, 18): _NO_MD5,
}
"""What a router's build cannot do, and why."""
