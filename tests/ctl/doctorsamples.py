"""A node on which doctor finds nothing wrong, and what is changed to break it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from bgpd.ctl.doctor import Finding, Level, examine
from bgpd.ctl.doctorchecks import CHECKS
from bgpd.ctl.doctorfacts import (
    Answer,
    Attempt,
    Connection,
    Facts,
    HostAddress,
    HostFacts,
    MemberFacts,
    MetadataFacts,
    PeerFacts,
    PortFacts,
    ProcessFacts,
    StateFacts,
    Way,
)
from bgpd.ctl.doctorports import LISTENING
from bgpd.ctl.view import View
from bgpd.model.health import Health
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family
from bgpd.model.status import (
    Condition,
    HealthStatus,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    SpeakerStatus,
)
from tests.ctl.samples import MESH, NODE, NOW, SPEAKER, member, session

Case: TypeAlias = tuple[str, Facts, str, str, Level, str]
"""What is so, the node, a check and its subject, and the level and words of its line."""
YES: Final = Attempt(answer=Answer.YES)
REFUSED: Final = Attempt(answer=Answer.REFUSED)
SILENT: Final = Attempt(answer=Answer.SILENT)
SOURCE: Final = Address("10.0.0.5")
TOR_A: Final = Address("169.254.255.1")
TOR_B: Final = Address("169.254.255.2")
GATEWAY: Final = Address("10.0.0.1")
UP: Final = {
    "families": (Family.IPV4,),
    "wanted_families": (Family.IPV4,),
    "wanted_hold_time": 90,
    "local_address": SOURCE,
    "signed": True,
}
DOWN: Final = {
    **UP,
    "state": PeerState.ACTIVE,
    "since": NOW - 60,
    "hold_time": None,
    "peer_router_id": None,
    "advertised": 0,
    "families": (),
}
WAY: Final = Way(
    interface="eth0", gateway=GATEWAY, source=SOURCE, mtu=None, link_mtu=1500, carrier=True
)


def peer(name: str, address: Address, **changes: Any) -> PeerFacts:
    """Return a router with which all is well."""
    one = PeerFacts(
        name=name,
        address=address,
        source=SOURCE,
        signed=True,
        wanted_hold_time=90,
        wanted_families=(Family.IPV4,),
        session=session(name, address, **UP),
        way=WAY,
        connection=Connection(path_mtu=1500, segment=1448, silence_seconds=0.4),
        ping=YES,
        large_ping=YES,
    )
    return replace(one, **changes)


def down(error: str, **changes: Any) -> PeerFacts:
    """Return tor-b with a session that is not up, for the reason *error*."""
    return peer(
        "tor-b",
        TOR_B,
        **{
            "session": session("tor-b", TOR_B, **{**DOWN, "last_error": error}),
            "connection": None,
            **changes,
        },
    )


def up(**changes: Any) -> PeerFacts:
    """Return tor-b with a session that is up, with *changes* of its status."""
    return peer("tor-b", TOR_B, session=session("tor-b", TOR_B, **{**UP, **changes}))


SYSCTLS: Final[Mapping[str, str]] = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    **{
        f"net.ipv4.conf.{name}.{what}": "0"
        for name in ("all", "eth0", "eth1")
        for what in ("rp_filter", "arp_ignore", "arp_announce")
    },
}
HOST: Final = HostFacts(
    addresses=(
        HostAddress(address=SOURCE, length=24, interface="eth0"),
        HostAddress(address=Address("127.0.0.1"), length=8, interface="lo", loopback=True),
    ),
    defaults=(Way(interface="eth0", gateway=Address("10.0.0.1")),),
    sysctls=SYSCTLS,
    counters={"IPReversePathFilter": 0},
    synchronized=True,
)
SESSIONS: Final = (
    session("tor-a", TOR_A, **UP),
    session("tor-b", TOR_B, **UP, max_prefixes=100),
)
SPEAKER_WELL: Final = replace(SPEAKER, sessions=SESSIONS)
AGENT_WELL: Final = replace(
    NODE, speaker=SPEAKER_WELL, health=HealthStatus(node={"kube-proxy": Health.HEALTHY})
)
MEMBERS: Final = tuple(
    MemberFacts(name=one.name, address=one.address, port=7179, status=one) for one in MESH.members
)
WELL: Final = Facts(
    view=View(agent=AGENT_WELL, speaker=SPEAKER_WELL),
    now=NOW,
    peers=(peer("tor-a", TOR_A), up(max_prefixes=100)),
    members=MEMBERS,
    host=HOST,
    kube_proxy_url="http://127.0.0.1:10256/healthz",
    kube_proxy=YES,
    state=StateFacts(path="/var/lib/bgpd", free_bytes=1 << 30, free_files=100_000),
    processes=(ProcessFacts(what="agent", pid=7, open_files=20, limit=65_536),),
    ports=tuple(
        PortFacts(name=one.name, addresses=(f"127.0.0.1:{one.number}",), ours=True)
        for one in LISTENING
    ),
)
NOTHING: Final = Facts(
    view=View(agent_error="nobody listens", speaker_error="nobody listens"),
    now=NOW,
    kept_problem="there is no desired.json",
    metadata_problem="there is no objects.json",
    host=HostFacts(problem="this system has no netlink"),
)


def with_peer(one: PeerFacts) -> Facts:
    """Return the node with *one* in the place of tor-b."""
    sessions = (SESSIONS[0], *((one.session,) if one.session is not None else ()))
    speaker = replace(SPEAKER_WELL, sessions=sessions)
    return replace(WELL, peers=(WELL.peers[0], one), view=replace(WELL.view, speaker=speaker))


def with_host(**changes: Any) -> Facts:
    """Return the node with another kernel; *sysctls* are those that differ."""
    sysctls = {**SYSCTLS, **changes.pop("sysctls", {})}
    return replace(WELL, host=replace(HOST, sysctls=sysctls, **changes))


def provider(**changes: Any) -> Facts:
    """Return a node with one BGPPeer that has a provider."""
    one = MetadataFacts(
        document="packet", provider="packet", where="https://metadata.packet.net/metadata", peers=2
    )
    return replace(WELL, metadata=(replace(one, **changes),))


def with_agent(**changes: Any) -> Facts:
    """Return the node with another word of its agent."""
    agent: NodeStatus = replace(AGENT_WELL, **changes)
    return replace(WELL, view=replace(WELL.view, agent=agent))


def with_speaker(**changes: Any) -> Facts:
    """Return the node with another word of its speaker."""
    speaker: SpeakerStatus = replace(SPEAKER_WELL, **changes)
    return replace(WELL, view=replace(WELL.view, speaker=speaker))


def with_mesh(**changes: Any) -> Facts:
    """Return the node with another mesh."""
    mesh: MeshStatus = replace(MESH, **changes)
    return with_speaker(mesh=mesh)


def with_member(*, ping: Attempt = YES, knock: Attempt = SILENT, **changes: Any) -> Facts:
    """Return the node with another n2."""
    status: MemberStatus = member("n2", "10.0.0.2", **changes)
    one = MemberFacts(
        name="n2", address=status.address, port=7179, status=status, ping=ping, knock=knock
    )
    mesh = replace(MESH, members=(status, MESH.members[0]))
    return replace(with_speaker(mesh=mesh), members=(one, MEMBERS[0]))


def condition(type_: str, message: str = "the message") -> Facts:
    """Return the node with a condition of its agent."""
    one = Condition(type=type_, status=True, reason="AReason", message=message)
    return with_agent(conditions=(one,))


def told(facts: Facts) -> dict[tuple[str, str], Finding]:
    """Return what doctor says, by check and subject, the worst line of each."""
    order = {level: number for number, level in enumerate((Level.FAIL, Level.WARN, Level.SKIP))}
    lines = sorted(examine(facts, CHECKS), key=lambda one: order.get(one.level, 9), reverse=True)
    return {(one.check, one.subject): one for one in lines}
