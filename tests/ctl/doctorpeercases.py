"""What doctor says of the way to a router, and of what was agreed with it, in each state."""

from dataclasses import replace
from typing import Any, Final

from bgpd.ctl.doctor import Level
from bgpd.ctl.doctorfacts import Answer, Attempt, Connection, Facts
from bgpd.model.peer import BFDState, PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import BFDStatus
from tests.ctl.doctorsamples import (
    AGENT_WELL,
    DOWN,
    HOST,
    REFUSED,
    SILENT,
    TOR_B,
    WAY,
    WELL,
    YES,
    Case,
    condition,
    down,
    peer,
    provider,
    up,
    with_host,
    with_peer,
)
from tests.ctl.samples import NOW, WATCHED, session

OK, WARN, FAIL, SKIP = Level.OK, Level.WARN, Level.FAIL, Level.SKIP
NO_ANSWER: Final = "169.254.255.2:179 does not answer 10.0.0.5: the router is down"
NOTIFIED: Final = "the router expects another ASN of us (NOTIFICATION 2/2, OPEN Message Error)"
LIMITED = Withheld(
    service="default/web",
    prefix=Prefix("203.0.113.40/32"),
    reason=Reason.PREFIX_LIMIT,
    message="",
    peer=PeerName("tor-b"),
)


def limited(advertised: int, most: int | None, *withheld: Withheld) -> Facts:
    """Return a node whose tor-b takes *most* prefixes."""
    facts = with_peer(up(advertised=advertised, max_prefixes=most))
    agent = replace(AGENT_WELL, withheld=withheld)
    return replace(facts, view=replace(facts.view, agent=agent))


def bfd(**changes: Any) -> Facts:
    """Return a node whose tor-b is watched by BFD."""
    return with_peer(up(bfd=replace(WATCHED, **changes)))


CASES: Final[tuple[Case, ...]] = (
    # source
    ("a source of this host", WELL, "source", "tor-b", OK, "10.0.0.5 is an address of eth0"),
    ("a source that is missing", with_host(addresses=(HOST.addresses or ())[1:]),
     "source", "tor-b", FAIL, "no interface has 10.0.0.5"),
    ("a kernel that does not say", with_host(addresses=None), "source", "tor-b", SKIP,
     "the kernel does not say"),
    ("a source that nobody names", with_peer(peer("tor-b", TOR_B, source=None)), "source", "tor-b",
     SKIP, "nobody says which source"),
    # route
    ("a route", WELL, "route", "tor-b", OK, "reached by eth0 over 10.0.0.1"),
    ("no route", with_peer(peer("tor-b", TOR_B, way=None)), "route", "tor-b", FAIL,
     "there is no route to 169.254.255.2; add one"),
    ("no route, though bgpd is to make one",
     with_peer(peer("tor-b", TOR_B, way=None, gateway="10.0.0.1")), "route", "tor-b", FAIL,
     "the agent makes one, as gateway of the BGPPeer says"),
    ("an uplink without carrier",
     with_peer(peer("tor-b", TOR_B, way=replace(WAY, carrier=False))), "route", "tor-b", FAIL,
     "eth0, which leads to 169.254.255.2, has no carrier"),
    ("another gateway than is wanted",
     with_peer(peer("tor-b", TOR_B, gateway="10.0.0.254")), "route", "tor-b", FAIL,
     "but the BGPPeer wants it over 10.0.0.254"),
    ("the default gateway, as is wanted",
     with_peer(peer("tor-b", TOR_B, gateway="default")), "route", "tor-b", OK, "over 10.0.0.1"),
    ("the public gateway for a private source",
     with_peer(peer("tor-b", TOR_B, way=replace(WAY, gateway=Address("192.31.7.1")))), "route",
     "tor-b", FAIL, "192.31.7.1, a public gateway, but the session comes from the private"),
    ("another interface than that of the source",
     with_peer(peer("tor-b", TOR_B, way=replace(WAY, interface="eth1"))), "route", "tor-b", WARN,
     "but 10.0.0.5 is an address of eth0"),
    ("a router that is ourselves",
     with_peer(peer("tor-b", TOR_B, way=replace(WAY, interface="lo", gateway=None, ours=True))),
     "route", "tor-b", FAIL, "is an address of this host itself"),
    ("a way that nobody can tell",
     with_peer(peer("tor-b", TOR_B, way=None, way_problem="not Linux")), "route", "tor-b", SKIP,
     "is not known: not Linux"),
    ("a route that the agent could not add", condition("HostRouteFailed"), "route", "", FAIL,
     "HostRouteFailed"),
    # tcp
    ("a session is a connection", WELL, "tcp", "tor-b", OK, "there is, or was just now"),
    ("a session that is up while packets are lost",
     with_peer(peer("tor-b", TOR_B, connection=Connection(silence_seconds=8.2))), "tcp", "tor-b",
     FAIL, "is still up, but nothing has been acknowledged for 8 s"),
    ("a port that is open", with_peer(down("", connect=YES, signed=False)), "tcp", "tor-b", OK,
     "169.254.255.2:179 accepts connections from 10.0.0.5"),
    ("a port that is closed", with_peer(down(NO_ANSWER, connect=REFUSED)), "tcp", "tor-b", FAIL,
     "refuses connections from 10.0.0.5: no BGP runs there"),
    ("a router that is gone", with_peer(down(NO_ANSWER, connect=SILENT, ping=SILENT)), "tcp",
     "tor-b", FAIL, "no ping either: it is down"),
    ("a router that cannot be pinged",
     with_peer(down(NO_ANSWER, connect=SILENT, ping=Attempt())), "tcp", "tor-b", FAIL,
     "could not be pinged"),
    ("a filter, or a password that we lack",
     with_peer(down(NO_ANSWER, connect=SILENT, signed=False)), "tcp", "tor-b", FAIL,
     "a filter drops TCP port 179, or the router expects a TCP MD5 password"),
    ("a router that wants signatures", with_peer(down(NO_ANSWER, connect=SILENT)), "tcp", "tor-b",
     OK, "as a router does that expects TCP MD5"),
    ("a firewall of our own",
     with_peer(down("", connect=Attempt(answer=Answer.FAILED, detail="operation not permitted"))),
     "tcp", "tor-b", FAIL, "cannot be reached from 10.0.0.5: operation not permitted"),
    ("nobody tried", with_peer(down("")), "tcp", "tor-b", SKIP, "nobody tried to connect"),
    # md5
    ("a signed session that is up", WELL, "md5", "tor-b", OK, "signed segments come through"),
    ("no password", with_peer(peer("tor-b", TOR_B, signed=False)), "md5", "tor-b", OK,
     "no password is configured"),
    ("passwords that differ", with_peer(down(NO_ANSWER, connect=SILENT)), "md5", "tor-b", FAIL,
     "most likely the passwords of both ends differ"),
    ("passwords that differ, says the kernel",
     replace(with_peer(down(NO_ANSWER, connect=SILENT)),
             host=replace(HOST, counters={"TCPMD5Failure": 3})),
     "md5", "tor-b", FAIL, "(dropped by our kernel: TCPMD5Failure 3)"),
    ("a router without the password", with_peer(down(NO_ANSWER, connect=YES)), "md5", "tor-b",
     FAIL, "accepts a connection without a signature"),
    ("a router that signs, and we do not",
     replace(with_peer(down(NO_ANSWER, connect=YES, signed=False)),
             host=replace(HOST, counters={"TCPMD5Unexpected": 9})),
     "md5", "tor-b", WARN, "the kernel has dropped 9 signed segments"),
    ("nothing to tell by", with_peer(down("", connect=SILENT)), "md5", "tor-b", SKIP,
     "no signed segment was sent that stayed unanswered"),
    ("a password that nobody tells of", with_peer(peer("tor-b", TOR_B, signed=None)), "md5",
     "tor-b", SKIP, "is not known"),
    # open
    ("established", WELL, "open", "tor-b", OK, "Established for 3h12m with AS 65530, router ID"),
    ("a NOTIFICATION", with_peer(down(NOTIFIED)), "open", "tor-b", FAIL,
     "Active for 1m: the router expects another ASN of us (NOTIFICATION 2/2"),
    ("a session that is being made",
     with_peer(down("", connect=YES, signed=False, session=session("tor-b", TOR_B, **{
         **DOWN, "state": PeerState.OPEN_SENT, "since": NOW - 1}))),
     "open", "tor-b", WARN, "it is just being made"),
    ("a router that says nothing to our OPEN",
     with_peer(down("", connect=YES, signed=False, session=session("tor-b", TOR_B, **{
         **DOWN, "state": PeerState.OPEN_SENT}))),
     "open", "tor-b", FAIL, "OpenSent for 1m"),
    ("a session that nobody tells of", with_peer(peer("tor-b", TOR_B, session=None)), "open",
     "tor-b", SKIP, "the speaker does not answer"),
    # hold
    ("a hold time", WELL, "hold", "tor-b", OK, "90 s, keepalives each 30 s"),
    ("a lower one", with_peer(up(hold_time=30)), "hold", "tor-b", OK,
     "30 s (90 s wanted, the router asked for less), keepalives each 10 s"),
    ("a hasty one", with_peer(up(hold_time=3)), "hold", "tor-b", WARN,
     "keepalives each 1.0 s, so a moment without processor time"),
    ("an endless one", with_peer(up(hold_time=240)), "hold", "tor-b", WARN,
     "a silent router is noticed only after that"),
    ("an endless one beside BFD", with_peer(up(hold_time=240, bfd=WATCHED)), "hold", "tor-b", OK,
     "240 s"),
    ("none", with_peer(up(hold_time=0)), "hold", "tor-b", WARN, "no keepalives are exchanged"),
    # families
    ("a family", WELL, "families", "tor-b", OK, "ipv4-unicast was negotiated"),
    ("a family that the router lacks",
     with_peer(up(wanted_families=(Family.IPV4, Family.IPV6))), "families", "tor-b", FAIL,
     "speaks ipv4-unicast, but not ipv6-unicast"),
    ("a family without a next hop", condition("FamilyLeftOut"), "families", "", WARN,
     "FamilyLeftOut"),
    # limit
    ("room", limited(3, 100), "limit", "tor-b", OK, "3 of 100 prefixes"),
    ("no limit", limited(3, None), "limit", "tor-b", OK, "3 prefixes are advertised"),
    ("nearly full", limited(9, 10), "limit", "tor-b", WARN, "9 of 10 prefixes"),
    ("full", limited(10, 10, LIMITED), "limit", "tor-b", FAIL,
     "the router takes 10 prefixes, so 203.0.113.40/32 is not advertised to it"),
    # accepted
    ("only the router knows", WELL, "accepted", "tor-b", SKIP, "BIRD `birdc show route`"),
    ("nothing to take", with_peer(up(advertised=0)), "accepted", "tor-b", OK,
     "nothing is advertised to it now"),
    ("what the provider refuses",
     provider(accepts={TOR_B: (Prefix("198.51.100.0/24"),)}), "accepted", "tor-b", FAIL,
     "and 203.0.113.10/32, 203.0.113.9/32 is"),
    ("what the provider takes", provider(accepts={TOR_B: (Prefix("203.0.113.0/24"),)}),
     "accepted", "tor-b", SKIP, "3 routes offered"),
    # bfd
    ("no BFD", WELL, "bfd", "tor-b", OK, "not wanted"),
    ("BFD that is up", bfd(), "bfd", "tor-b", OK, "Up; a silent router is noticed after 150 ms"),
    ("BFD that the router does not speak", bfd(state=BFDState.DOWN), "bfd", "tor-b", WARN,
     "Down; is BFD configured for this neighbor on the router?"),
    ("BFD that ended the session",
     with_peer(down("held back: BFD is down", session=session("tor-b", TOR_B, **{
         **DOWN, "bfd": BFDStatus(state=BFDState.DOWN, last_error="silent for 151 ms")}))),
     "bfd", "tor-b", FAIL, "Down: silent for 151 ms"),
    ("BFD that flaps", bfd(dampened=True), "bfd", "tor-b", WARN, "it flapped so often"),
    ("a port of BFD that is taken", condition("BFDNotListening"), "bfd", "", FAIL, "NotListening"),
    # damping
    ("a budget", with_peer(up(damping_budget=2)), "damping", "tor-b", OK, "2 more takeovers"),
    ("a budget that is spent", with_peer(up(damping_budget=0)), "damping", "tor-b", WARN,
     "has heard as many changes as it takes"),
    # mtu
    ("large packets arrive", WELL, "mtu", "tor-b", OK, "packets of 1500 bytes"),
    ("a narrow way", with_peer(peer("tor-b", TOR_B, way=replace(WAY, mtu=1400))), "mtu", "tor-b",
     WARN, "eth0 takes packets of 1500 bytes, the way to 169.254.255.2 only 1400"),
    ("a narrow way that says nothing", with_peer(peer("tor-b", TOR_B, large_ping=SILENT)), "mtu",
     "tor-b", WARN, "answers small pings, but none of 1500 bytes"),
    ("a router that answers no ping",
     with_peer(peer("tor-b", TOR_B, large_ping=SILENT, ping=SILENT)), "mtu", "tor-b", OK,
     "1500 bytes on eth0, and nothing smaller is known"),
)  # fmt: skip
