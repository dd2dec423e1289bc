"""Doctor's judgement: each check OK, warning and failing, with the sentence that a person reads."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ctl.doctor import Finding, Level, document, examine, exit_status, report
from bgpd.ctl.doctorchecks import CHECKS, NAMES
from bgpd.ctl.doctorfacts import (
    Answer,
    Attempt,
    Connection,
    Facts,
    HostAddress,
    MetadataFacts,
    ProcessFacts,
    StateFacts,
    Way,
)
from bgpd.ctl.doctornode import BELONGS, ELSEWHERE
from bgpd.ctl.doctorsession import reached
from bgpd.ctl.view import View
from bgpd.exabgp import refusal
from bgpd.model.health import Health
from bgpd.model.peer import BFDState, PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import BFDStatus, HealthStatus, MemberState
from tests.ctl.doctorsamples import (
    AGENT_WELL,
    DOWN,
    GATEWAY,
    HOST,
    NOTHING,
    REFUSED,
    SILENT,
    SOURCE,
    TOR_B,
    WAY,
    WELL,
    YES,
    condition,
    down,
    peer,
    told,
    up,
    with_agent,
    with_host,
    with_member,
    with_mesh,
    with_peer,
    with_speaker,
)
from tests.ctl.samples import NOW, WATCHED, session

OK, WARN, FAIL, SKIP = Level.OK, Level.WARN, Level.FAIL, Level.SKIP
NO_ANSWER = "169.254.255.2:179 does not answer 10.0.0.5: the router is down"
NOTIFIED = "the router expects another ASN of us (NOTIFICATION 2/2, OPEN Message Error)"
EIP = HostAddress(address=Address("203.0.113.10"), length=32, interface="bgpd0", loopback=True)
HERE = (Prefix("203.0.113.9/32"), Prefix("203.0.113.10/32"))
LIMITED = Withheld(
    service="default/web",
    prefix=Prefix("203.0.113.40/32"),
    reason=Reason.PREFIX_LIMIT,
    message="",
    peer=PeerName("tor-b"),
)


WANTED = refusal.Wanted(
    address=TOR_B, local_address=SOURCE, local_asn=1, peer_asn=2, router_id=SOURCE
)


def alone() -> Facts:
    """Return a node that has no other member."""
    return replace(with_mesh(members=(), counted=1, reachable=1, armed=False), members=())


def provider(**changes: Any) -> Facts:
    """Return a node with one BGPPeer that has a provider."""
    one = MetadataFacts(
        document="packet", provider="packet", where="https://metadata.packet.net/metadata", peers=2
    )
    return replace(WELL, metadata=(replace(one, **changes),))


def limited(advertised: int, most: int | None, *withheld: Withheld) -> Facts:
    """Return a node whose tor-b takes *most* prefixes."""
    facts = with_peer(up(advertised=advertised, max_prefixes=most))
    agent = replace(AGENT_WELL, withheld=withheld)
    return replace(facts, view=replace(facts.view, agent=agent))


def bfd(**changes: Any) -> Facts:
    """Return a node whose tor-b is watched by BFD."""
    return with_peer(up(bfd=replace(WATCHED, **changes)))


CASES = [
    # agent, speaker
    ("the agent answers", WELL, "agent", "", OK, "version 0.1.0 answers"),
    ("no agent", replace(WELL, view=View(agent_error="no such socket")), "agent", "", FAIL,
     "does not answer (no such socket); its last word stays in force"),
    ("an agent that we may not ask", replace(WELL, view=View(), agent_forbidden=True, user=7),
     "agent", "", SKIP, "user 7 may not ask it"),
    ("the speaker answers", WELL, "speaker", "", OK, "answers, with its ExaBGP"),
    ("no speaker", NOTHING, "speaker", "", FAIL, "does not answer (nobody listens)"),
    ("a speaker that only the agent heard",
     replace(WELL, view=replace(WELL.view, secondhand=True, speaker_error="no answer")),
     "speaker", "", FAIL, "what follows is what the agent heard of it last"),
    ("a speaker without ExaBGP", with_speaker(exabgp_pid=None), "speaker", "", FAIL,
     "it has no ExaBGP"),
    ("a speaker without its agent", with_speaker(agent_connected=False), "speaker", "", FAIL,
     "the agent is not connected to it"),
    ("peers that ExaBGP does not have", condition("PeersNotConfigured"), "speaker", "", FAIL,
     "PeersNotConfigured: the message"),
    # documents, api
    ("documents in force", WELL, "documents", "", OK, "24 documents of directory:/etc/bgpd/config"),
    ("a source that was not read", with_agent(synced=False), "documents", "", FAIL,
     "the agent has not read directory:/etc/bgpd/config completely"),
    ("a document that was refused", condition("ConfigurationRefused"), "documents", "", FAIL,
     "ConfigurationRefused: the message"),
    ("an older version in force", condition("LastAcceptedInForce"), "documents", "", WARN,
     "LastAcceptedInForce"),
    ("nobody to say what is in force", NOTHING, "documents", "", SKIP, "only the agent knows"),
    ("an API that speaks", WELL, "api", "", OK, "is followed without trouble"),
    ("an API that does not", condition("SourceDegraded"), "api", "", FAIL, "SourceDegraded"),
    ("an API that was heard just now", with_agent(silence_seconds=12.0), "api", "", OK,
     "without trouble, heard 12s ago"),
    ("an API that is silent", with_agent(silence_seconds=900.0), "api", "", WARN,
     "has said nothing for 15m"),
    ("a status that is not written", condition("StatusNotWritten"), "api", "", WARN, "NotWritten"),
    # metadata
    ("no provider", WELL, "metadata", "", OK, "no BGPPeer has a provider"),
    ("a provider that answers", provider(), "metadata", "packet", OK, "offers 2 sessions"),
    ("a provider that does not", provider(peers=None, problem="no answer"), "metadata", "packet",
     FAIL, "provider packet: no answer; what was known before stays"),
    ("a provider without sessions", provider(peers=0, empty="enable BGP"), "metadata", "packet",
     FAIL, "offers this node no session: enable BGP"),
    ("documents that we may not read", replace(NOTHING), "metadata", "", SKIP,
     "there is no objects.json"),
    ("the agent's word instead", replace(WELL, metadata_problem="permission denied"), "metadata",
     "", OK, "no provider is named by any session"),
    ("the agent's trouble instead",
     replace(condition("ProviderUnreachable"), metadata_problem="permission denied"), "metadata",
     "", FAIL, "ProviderUnreachable"),
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
    # rp-filter
    ("rp_filter off", WELL, "rp-filter", "eth0", OK, "rp_filter is off"),
    ("rp_filter loose", with_host(sysctls={"net.ipv4.conf.all.rp_filter": "2"}), "rp-filter",
     "eth0", OK, "rp_filter is loose"),
    ("strict, one way", with_host(sysctls={"net.ipv4.conf.eth0.rp_filter": "1"}), "rp-filter",
     "eth0", OK, "the way back is the way in"),
    ("strict, another way back",
     with_host(sysctls={"net.ipv4.conf.eth0.rp_filter": "1"},
               counters={"IPReversePathFilter": 12},
               defaults=(Way(interface="eth1", gateway=GATEWAY),)),
     "rp-filter", "eth0", FAIL, "drops what clients send over eth0 (12 packets so far)"),
    ("strict, no way back",
     with_host(sysctls={"net.ipv4.conf.eth0.rp_filter": "1"}, defaults=()), "rp-filter", "eth0",
     WARN, "there is no default route"),
    # arp
    ("nothing bound on the host", WELL, "arp", "", OK, "no elastic IP is bound on the host"),
    ("ARP for an elastic IP", with_host(addresses=(*(HOST.addresses or ()), EIP)), "arp", "eth0",
     WARN, "203.0.113.10 is bound on the host, and ARP by eth0 is answered for it"),
    ("ARP that is not answered",
     with_host(addresses=(*(HOST.addresses or ()), EIP),
               sysctls={"net.ipv4.conf.all.arp_ignore": "1",
                        "net.ipv4.conf.eth0.arp_announce": "2"}),
     "arp", "eth0", OK, "is not answered for 203.0.113.10"),
    # forwarding
    ("forwarding", WELL, "forwarding", "IPv4", OK, "net.ipv4.ip_forward is 1"),
    ("no forwarding", with_host(sysctls={"net.ipv4.ip_forward": "0"}), "forwarding", "IPv4", FAIL,
     "net.ipv4.ip_forward is 0"),
    ("no forwarding, and nobody who needs it",
     replace(with_host(sysctls={"net.ipv4.ip_forward": "0"}), kube_proxy=REFUSED,
             ending_here=frozenset(HERE)),
     "forwarding", "IPv4", OK, "every IPv4 elastic IP ends on this host"),
    ("no forwarding, though IPVS has the elastic IPs on the host",
     replace(with_host(sysctls={"net.ipv4.ip_forward": "0"}), ending_here=frozenset(HERE)),
     "forwarding", "IPv4", FAIL, "net.ipv4.ip_forward is 0"),
    ("no forwarding of IPv6", with_host(sysctls={"net.ipv6.conf.all.forwarding": "0"}),
     "forwarding", "IPv6", FAIL, "reaches no pod"),
    # kube-proxy
    ("kube-proxy", WELL, "kube-proxy", "", OK, "says that it is well"),
    ("kube-proxy that is sick",
     replace(WELL, kube_proxy=Attempt(answer=Answer.FAILED, detail="it answered 503")),
     "kube-proxy", "", FAIL, "it answered 503"),
    ("kube-proxy that hangs", replace(WELL, kube_proxy=SILENT), "kube-proxy", "", WARN,
     "does not answer"),
    ("kube-proxy that was there",
     replace(with_agent(health=HealthStatus(node={"kube-proxy": Health.UNHEALTHY},
                                            details={"kube-proxy": "nobody listens there"})),
             kube_proxy=REFUSED),
     "kube-proxy", "", FAIL, "nobody listens there"),
    ("no kube-proxy", replace(with_agent(health=HealthStatus()), kube_proxy=REFUSED),
     "kube-proxy", "", SKIP, "as it should be on a host without it"),
    # mesh
    ("a member", WELL, "mesh", "n2", OK, "10.0.0.2 UDP port 7179: heard, and hears us"),
    ("a member that does not hear us", with_member(hears_us=False), "mesh", "n2", FAIL,
     "we hear it, but it does not hear us"),
    ("a member behind a firewall", with_member(state=MemberState.DEAD), "mesh", "n2", FAIL,
     "though 10.0.0.2 answers ping: something drops UDP port 7179"),
    ("a member without a speaker",
     with_member(state=MemberState.UNHEARD, last_heard_milliseconds=None, knock=REFUSED), "mesh",
     "n2", FAIL, "never heard: no speaker listens at 10.0.0.2"),
    ("a member that is off", with_member(state=MemberState.DEAD, ping=SILENT), "mesh", "n2", WARN,
     "the node is off, or out of reach"),
    ("a member that could not be pinged", with_member(state=MemberState.DEAD, ping=Attempt()),
     "mesh", "n2", WARN, "could not be asked"),
    ("a member that loses packets", with_member(loss_percent=7.5), "mesh", "n2", WARN,
     "7.5 % of its heartbeats are lost"),
    ("a member that restarts", with_member(state=MemberState.RESTARTING), "mesh", "n2", OK,
     "restarts"),
    ("a member in quarantine", with_member(state=MemberState.QUARANTINED), "mesh", "n2", WARN,
     "died and came back so often"),
    ("no other member", alone(), "mesh", "", OK, "this node is the only member"),
    ("no mesh", replace(with_speaker(mesh=None), members=()), "mesh", "", WARN, "the mesh is off"),
    ("a mesh that goes another way", condition("MeshPath"), "mesh", "", WARN, "MeshPath"),
    # takeover, generation
    ("armed", WELL, "takeover", "", OK, "armed: yes (3 of 3 members reachable)"),
    ("not armed", with_mesh(armed=False, reachable=1), "takeover", "", WARN, "not armed"),
    ("not armed, for the mesh",
     replace(with_member(hears_us=False),
             view=with_mesh(armed=False, reachable=1, members=()).view), "takeover", "", SKIP,
     "because mesh failed"),
    ("nobody to take over", alone(), "takeover", "", OK, "this node is alone"),
    ("settings that differ", condition("TakeoverSettingsDiffer"), "takeover", "", FAIL, "Differ"),
    ("a takeover that moves nothing", condition("TakeoverNotComparable"), "takeover", "", WARN,
     "NotComparable"),
    ("one generation", WELL, "generation", "", OK, "7, as with all that are heard"),
    ("two generations", with_member(generation=6), "generation", "", WARN,
     "ours is 7, not so n2 6"),
    ("a generation out of reach", condition("GenerationJump"), "generation", "", FAIL, "Jump"),
    # clock, state, files, conditions
    ("a clock", WELL, "clock", "", OK, "is synchronized"),
    ("a clock that nobody keeps right", with_host(synchronized=False), "clock", "", WARN,
     "nobody keeps it right"),
    ("a clock of which nothing is known", with_host(synchronized=None), "clock", "", SKIP,
     "does not say"),
    ("a state directory", WELL, "state", "", OK, "/var/lib/bgpd can be written, 1024 MiB free"),
    ("a read-only state directory",
     replace(WELL, state=StateFacts(path="/s", read_only=True)), "state", "", FAIL, "read-only"),
    ("a full disk", replace(WELL, state=StateFacts(path="/s", free_bytes=1 << 20)), "state", "",
     FAIL, "has room for 1 MiB"),
    ("a disk without inodes",
     replace(WELL, state=StateFacts(path="/s", free_bytes=1 << 30, free_files=3)), "state", "",
     FAIL, "has room for no files"),
    ("a write that failed", condition("StateNotWritten"), "state", "", FAIL, "StateNotWritten"),
    ("a directory that we may not see",
     replace(WELL, state=StateFacts(path="/s", problem="permission denied")), "state", "", SKIP,
     "permission denied"),
    ("files", WELL, "files", "agent", OK, "20 of 65536 files"),
    ("few files",
     replace(WELL, processes=(ProcessFacts(what="agent", pid=7, open_files=20, limit=256),)),
     "files", "agent", WARN, "may open only 256 files"),
    ("files that run out",
     replace(WELL, processes=(ProcessFacts(what="agent", pid=7, open_files=900, limit=1024),)),
     "files", "agent", FAIL, "900 of 1024 files are open"),
    ("a process of somebody else", replace(WELL, processes=(ProcessFacts(what="agent", pid=7),)),
     "files", "agent", SKIP, "cannot be read"),
    ("a condition that no check knows", condition("SomethingNew"), "conditions", "", WARN,
     "SomethingNew: the message"),
    ("no condition", WELL, "conditions", "", OK, "report nothing else"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "check", "subject", "level", "words"),
    [pytest.param(*case[1:], id=f"{case[2]}: {case[0]}") for case in CASES],
)
def test_each_check_says_what_is(
    facts: Facts, check: str, subject: str, level: Level, words: str
) -> None:
    """The level is right, the sentence names the cause, and what is wrong has a next command."""
    found = told(facts)[check, subject]
    assert found.level is level, found
    assert words in found.sentence
    assert bool(found.next_command) or level in {OK, SKIP}


def test_a_node_that_is_well_has_no_line_to_act_on() -> None:
    """The sample itself is sound: nothing warns, and only the router knows what it took."""
    lines = told(WELL).values()
    assert {one.level for one in lines} <= {OK, SKIP}
    assert {one.check for one in lines if one.level is SKIP} == {"accepted"}
    assert exit_status(lines) == 0


def test_every_check_has_cases_for_each_of_its_levels() -> None:
    """A check that can only be OK in the table is one that nobody has seen fail."""
    seen: dict[str, set[Level]] = {name: set() for name in NAMES}
    for _, _, check, _, level, _ in CASES:
        seen[check].add(level)
    assert [name for name, levels in seen.items() if OK not in levels] == []
    assert [name for name, levels in seen.items() if not levels & {WARN, FAIL}] == []


def test_what_follows_from_a_failure_is_not_judged_again() -> None:
    """No route: connection, password, session and hold time of that peer wait; others do not."""
    lines = told(with_peer(down(NO_ANSWER, way=None, connect=SILENT, ping=SILENT)))
    assert [key for key, one in lines.items() if one.level is FAIL] == [("route", "tor-b")]
    for check in ("tcp", "md5", "open", "hold", "families", "accepted", "mtu"):
        assert lines[check, "tor-b"].sentence == "not judged, because route failed"
        assert lines[check, "tor-a"].level in {OK, SKIP}


def test_a_node_of_which_nothing_is_known_fails_only_for_its_processes() -> None:
    """What nobody could look at is said, and is no failure."""
    lines = told(NOTHING)
    assert {key[0] for key, one in lines.items() if one.level is FAIL} == {"agent", "speaker"}
    assert {one.level for one in lines.values()} <= {OK, FAIL, SKIP}
    assert lines["route", ""].sentence == "no router is known (there is no desired.json)"


@pytest.mark.parametrize(
    ("error", "there"),
    [
        pytest.param(refusal.silent(WANTED), False, id="silence"),
        pytest.param(refusal.silent(replace(WANTED, password=True)), False, id="signed silence"),
    ]
    + [
        pytest.param(refusal.failed(number, "words", WANTED), False, id=f"errno {number}")
        for number in (111, 113, 101, 99, 13, 1)
    ]
    + [
        pytest.param(NOTIFIED, True, id="a NOTIFICATION of the router"),
        pytest.param(f"{NOTIFIED}; since then {NO_ANSWER}", False, id="silence after one"),
        pytest.param(
            "we started the session anew (NOTIFICATION 6/6, Cease)", False, id="our own Cease"
        ),
        pytest.param(
            "the router is AS 7, not AS 8 (NOTIFICATION 2/2, OPEN Message Error)",
            True,
            id="what we do not accept",
        ),
        pytest.param(
            "169.254.255.2:179 takes connections from 10.0.0.5 and closes them at once: it is shut",
            True,
            id="a connection that is closed at once",
        ),
        pytest.param("", False, id="nothing said yet"),
        pytest.param(refusal.vanished(WANTED), False, id="a router that vanished"),
        pytest.param(refusal.closed(PeerState.CONNECT, WANTED), True, id="closed after a SYN"),
        pytest.param(refusal.closed(PeerState.OPEN_CONFIRM, WANTED), True, id="after our OPEN"),
        pytest.param(refusal.received(6, 1, b"", WANTED), True, id="a limit that was reached"),
        pytest.param(refusal.sent(6, 6, "", WANTED), False, id="a change of our own"),
    ],
)
def test_a_last_error_says_whether_tcp_got_through(error: str, there: bool) -> None:
    """The words are those that the speaker uses, so a change of them is noticed here."""
    assert reached(error) is there


@given(st.sampled_from([case[1] for case in CASES]))
@settings(max_examples=60)
def test_no_line_is_wider_than_a_terminal(facts: Facts) -> None:
    """Sentences are wrapped, and commands go on after a backslash."""
    text = report(examine(facts, CHECKS), "n1")
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[^\x20-\x7e\n]", text)


def test_a_long_command_can_be_copied() -> None:
    """Without the backslashes at the ends of lines it is the same again."""
    command = " ".join(f"word{number}" for number in range(30))
    one = Finding(check="c", level=FAIL, subject="s", sentence="it is so", next_command=command)
    text = report([one]).partition("$ ")[2]
    assert " ".join(text.replace("\\\n", " ").split()) == command


def test_what_a_router_says_drives_no_terminal() -> None:
    """An operator's shutdown message may hold anything."""
    text = report(examine(with_peer(down("saying \x1b[31m\x07")), CHECKS))
    assert "\x1b" not in text


def test_of_many_members_only_those_with_trouble_are_named() -> None:
    """A mesh of a thousand is one line, and one for each that is not well."""
    deaf = with_member(hears_us=False).members
    many = tuple(replace(deaf[1], name=f"m{number}") for number in range(30))
    lines = told(replace(WELL, members=(deaf[0], *many))).values()
    mesh = {one.subject: one.sentence for one in lines if one.check == "mesh"}
    assert set(mesh) == {"", "n2"}
    assert mesh[""] == "30 members are heard, and hear us"


def test_the_first_line_says_where_to_begin() -> None:
    """Lines are in the order of causes."""
    lines = examine(with_host(addresses=(), sysctls={"net.ipv4.ip_forward": "0"}), CHECKS)
    first = report(lines, "n1").splitlines()[0]
    assert re.fullmatch(
        r"n1: 3 FAIL, 0 WARN, \d+ OK, \d+ not judged of \d+ lines; begin with source", first
    )


def test_only_the_named_checks_are_shown_and_count() -> None:
    """What is not asked for still explains what is: a failed route makes `open` wait."""
    facts = with_peer(down(NO_ANSWER, way=None))
    lines = examine(facts, CHECKS, {"open"})
    assert {one.check for one in lines} == {"open"}
    assert exit_status(lines) == 0
    assert exit_status(examine(facts, CHECKS, {"open", "route"})) == 1


def test_programs_read_every_line() -> None:
    """Level, check, subject, sentence and next command, and whether anything failed."""
    found = json.loads(json.dumps(document(examine(with_host(synchronized=False), CHECKS), "n1")))
    assert found["kind"] == "Examination"
    assert found["healthy"] is True
    assert found["counts"]["WARN"] == 1
    clock = next(one for one in found["items"] if one["check"] == "clock")
    assert clock == {
        "level": "WARN",
        "check": "clock",
        "subject": "",
        "sentence": clock["sentence"],
        "next": "timedatectl || chronyc tracking",
    }


def test_every_condition_that_a_check_tells_is_one_that_somebody_reports() -> None:
    """A condition that was given another name would fall to the last line, as a warning."""
    rooms = Path(__file__).parents[2] / "bgpd"
    text = "".join(
        path.read_text() for path in rooms.rglob("*.py") if not path.name.startswith("doctor")
    )
    assert [one for one in (*BELONGS, *ELSEWHERE) if f'"{one}"' not in text] == []
    assert {name for name, _, _ in BELONGS.values()} <= set(NAMES)
