"""Nodes in every condition that a person may find them in, for screens and verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bgpd.ctl import document, table, timelinetable
from bgpd.ctl.timelinejoin import join
from bgpd.ctl.view import View, arranged
from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    BFDStatus,
    Condition,
    DrainPhase,
    DrainStatus,
    HealthStatus,
    MemberState,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    RouteStatus,
    SessionStatus,
    SpeakerStatus,
)
from bgpd.model.timeline import Failover, Step
from tests.ctl.timelinesamples import TAKEOVER, WITHDRAWN

GOLDEN: Final = Path(__file__).with_name("golden")
NOW: Final = 1_800_000_000.0


def session(name: str, address: str, **changes: Any) -> SessionStatus:
    """Return an established session."""
    one = SessionStatus(
        peer=PeerName(name),
        address=Address(address),
        peer_asn=65530,
        local_asn=65000,
        state=PeerState.ESTABLISHED,
        since=NOW - 11_520,
        hold_time=90,
        peer_router_id=Address(address),
        advertised=3,
    )
    return replace(one, **changes)


def member(name: str, address: str, **changes: Any) -> MemberStatus:
    """Return a member that is alive."""
    one = MemberStatus(
        name=name,
        address=Address(address),
        state=MemberState.ALIVE,
        last_heard_milliseconds=12.4,
        generation=7,
        version=1,
        hears_us=True,
    )
    return replace(one, **changes)


def route(prefix: str, *peers: str, rank: int = 0) -> RouteStatus:
    """Return a route that is on the wire."""
    return RouteStatus(
        prefix=Prefix(prefix),
        peers=tuple(PeerName(peer) for peer in peers),
        rank=rank,
        med=2**31 - 256 * 7 + rank,
    )


MESH: Final = MeshStatus(
    node="n1",
    generation=7,
    armed=True,
    reachable=3,
    counted=3,
    members=(member("n3", "10.0.0.3", loss_percent=0.4), member("n2", "10.0.0.2")),
)
SPEAKER: Final = arranged(
    SpeakerStatus(
        node="n1",
        version="0.1.0",
        started=NOW - 90_061,
        agent_connected=True,
        agent_absent_since=None,
        exabgp_pid=42,
        sessions=(
            session("tor-b", "169.254.255.2", max_prefixes=100),
            session("tor-a", "169.254.255.1"),
        ),
        routes=(
            route("203.0.113.10/32", "tor-a", "tor-b"),
            route("203.0.113.9/32", "tor-a", "tor-b", rank=100),
            route("2001:db8::7/128", "tor-a"),
        ),
        mesh=MESH,
    )
)
IDLE: Final = Withheld(
    service="default/dns",
    prefix=Prefix("203.0.113.44/32"),
    reason=Reason.NO_LOCAL_ENDPOINTS,
    message="no ready endpoint is on this node, and the traffic policy is Local",
)
NODE: Final = NodeStatus(
    node="n1",
    version="0.1.0",
    source="directory:/etc/bgpd/config",
    synced=True,
    speaker=SPEAKER,
    documents=24,
    withheld=(IDLE,),
    services={
        Prefix("203.0.113.10/32"): ("default/web",),
        Prefix("203.0.113.9/32"): ("shop/cart", "shop/checkout-with-a-rather-long-name"),
        Prefix("2001:db8::7/128"): ("default/web",),
    },
)
CUT_OFF_SPEAKER: Final = replace(
    SPEAKER,
    sessions=tuple(
        replace(one, state=PeerState.ACTIVE, since=NOW - 5, hold_time=None, advertised=0)
        for one in SPEAKER.sessions
    ),
    routes=tuple(replace(one, peers=()) for one in SPEAKER.routes),
)
FINE: Final = View(agent=NODE, speaker=SPEAKER)
CUT_OFF: Final = View(agent=NODE, speaker=CUT_OFF_SPEAKER)
SECONDHAND: Final = replace(
    FINE, speaker_error="/run/bgpd/speaker.sock: no answer within 3 s", secondhand=True
)

SICK_MESH: Final = replace(
    MESH,
    generation=8,
    armed=False,
    reachable=1,
    members=(
        member("n2", "10.0.0.2", state=MemberState.SUSPECT, last_heard_milliseconds=151.6),
        member("n3", "10.0.0.3", state=MemberState.DEAD, last_heard_milliseconds=754_000.0),
        member(
            "n4",
            "10.0.0.4",
            state=MemberState.UNHEARD,
            last_heard_milliseconds=None,
            generation=None,
            version=None,
        ),
        member("n5", "10.0.0.5", agent_alive=False, draining=True, doubtful=True),
    ),
)
SICK_SPEAKER: Final = replace(
    SPEAKER,
    sessions=(
        session("tor-a", "169.254.255.1"),
        session(
            "tor-b",
            "169.254.255.2",
            state=PeerState.ACTIVE,
            since=NOW - 42,
            hold_time=None,
            peer_router_id=None,
            advertised=0,
            transitions=5,
            last_error="the peer said Cease/Administrative Shutdown: \x1b[31mmaintenance\x07 soon",
        ),
    ),
    withheld=(
        Withheld(
            service="",
            prefix=Prefix("198.51.100.1/32"),
            reason=Reason.OUTSIDE_POOLS,
            message="198.51.100.1/32 is in no pool; the pools cover 203.0.113.0/24",
            peer=PeerName("tor-a"),
        ),
    ),
    conditions=(
        Condition(
            type="MeshElsewhere",
            status=True,
            reason="OtherInterface",
            message="heartbeats to n2 leave by eth1, routes to tor-a by eth0",
        ),
        Condition(type="LeverMismatch", status=False, reason="AllAgree", message=""),
    ),
    mesh=SICK_MESH,
)
SICK: Final = View(agent=replace(NODE, speaker=SICK_SPEAKER), speaker=SICK_SPEAKER)
ILL: Final = HealthStatus(
    node={
        "carrier": Health.HEALTHY,
        "gateway": Health.HEALTHY,
        "kube-proxy": Health.UNHEALTHY,
        "kubelet": Health.UNKNOWN,
    },
    details={
        "carrier": "eth0 has carrier",
        "kube-proxy": "http://127.0.0.1:10256/healthz: nobody listens on 127.0.0.1:10256",
    },
    doubt=("kube-proxy has been unhealthy for 12 s",),
    probes=(
        ProbeResult(check="", service="default/web", health=Health.HEALTHY, probes=912),
        ProbeResult(
            check="shop/cart-answers",
            service="shop/cart",
            health=Health.UNHEALTHY,
            message="10.244.1.7:8080 answered 503",
            since=NOW - 4,
            failures=41,
            probes=1200,
        ),
    ),
)
WATCHED: Final = BFDStatus(
    state=BFDState.UP,
    since=NOW - 11_519,
    detection_milliseconds=150.0,
    remote_detection_milliseconds=150.0,
    transmit_milliseconds=50.0,
)
DRAINED_SPEAKER: Final = replace(
    SPEAKER,
    draining=True,
    drain=DrainStatus(
        phase=DrainPhase.WAITING,
        cause="a person asked for it; node n1 is cordoned",
        since=NOW - 30,
        alone=(Prefix("203.0.113.9/32"),),
        busy=(Prefix("2001:db8::7/128"),),
    ),
    sessions=(
        replace(SPEAKER.sessions[0], bfd=WATCHED),
        replace(
            SPEAKER.sessions[1],
            bfd=replace(
                WATCHED,
                state=BFDState.DOWN,
                detection_milliseconds=None,
                last_error="the router was silent for 151 ms",
            ),
        ),
    ),
    routes=tuple(replace(one, rank=255) for one in SPEAKER.routes[:2]),
)
DRAINED: Final = View(
    agent=replace(NODE, speaker=DRAINED_SPEAKER, health=ILL), speaker=DRAINED_SPEAKER
)
LEFT_SPEAKER: Final = replace(
    SPEAKER,
    draining=True,
    drain=DrainStatus(phase=DrainPhase.DRAINED, cause="a person asked for it", since=NOW - 30),
    routes=(),
    sessions=tuple(replace(one, advertised=0) for one in SPEAKER.sessions),
    withheld=tuple(
        Withheld(
            service="",
            prefix=one.prefix,
            reason=Reason.DRAINED,
            message=f"this node is drained; {one.prefix} was left to the other nodes",
            peer=peer,
        )
        for one in SPEAKER.routes
        for peer in one.peers
    ),
)
LEFT: Final = View(agent=replace(NODE, speaker=LEFT_SPEAKER), speaker=LEFT_SPEAKER)
AGENT_DEAD: Final = View(
    speaker=replace(SPEAKER, agent_connected=False, agent_absent_since=NOW - 60),
    agent_error="/run/bgpd/agent.sock: nobody listens here any more",
)
SPEAKER_DEAD: Final = View(
    agent=replace(NODE, speaker=None),
    speaker_error="/run/bgpd/speaker.sock: no answer within 3 s",
)
DOWN: Final = View(
    agent_error="/run/bgpd/agent.sock: no such socket; nothing listens here",
    speaker_error="/run/bgpd/speaker.sock: no such socket; nothing listens here",
)
NEW: Final = View(
    agent=NodeStatus(
        node="n1", version="0.1.0", source="directory:/etc/bgpd/config", synced=False, speaker=None
    ),
    speaker=SpeakerStatus(
        node="n1",
        version="0.1.0",
        started=NOW - 1,
        agent_connected=False,
        agent_absent_since=None,
        exabgp_pid=None,
    ),
)
FAILOVERS: Final = (
    Failover(
        kind="raise",
        at=NOW - 3600.25,
        cause="member n3 silent for 152 ms",
        generation=7,
        routes=24,
        steps=(
            Step(name="cause", milliseconds=0.0),
            Step(name="decision", milliseconds=0.14, detail="3 of 3 heartbeats missed, n2 agrees"),
            Step(name="command", milliseconds=0.52),
            Step(name="flushed", milliseconds=2.41, detail="tor-a, tor-b"),
        ),
    ),
    Failover(
        kind="withdraw",
        at=NOW - 60,
        cause="default/web-with-a-long-name lost its last local endpoint, so the route left",
        generation=7,
        routes=1,
        steps=(Step(name="cause", milliseconds=0.0), Step(name="flushed", milliseconds=1234.5)),
    ),
)

SCREENS: Final[Mapping[str, Callable[[], str]]] = {
    "fine.txt": lambda: table.status_table(FINE, now=NOW),
    "fine-wide.txt": lambda: table.status_table(FINE, now=NOW, wide=True),
    "fine.json": lambda: document.dump(document.status_document(FINE), "json"),
    "fine.yaml": lambda: document.dump(document.status_document(FINE), "yaml"),
    "sick.txt": lambda: table.status_table(SICK, now=NOW),
    "sick-wide.txt": lambda: table.status_table(SICK, now=NOW, wide=True),
    "drained.txt": lambda: table.status_table(DRAINED, now=NOW),
    "drained-wide.txt": lambda: table.status_table(DRAINED, now=NOW, wide=True),
    "left.txt": lambda: table.status_table(LEFT, now=NOW),
    "left-wide.txt": lambda: table.status_table(LEFT, now=NOW, wide=True),
    "agent-dead.txt": lambda: table.status_table(AGENT_DEAD, now=NOW),
    "agent-dead.json": lambda: document.dump(document.status_document(AGENT_DEAD), "json"),
    "speaker-dead.txt": lambda: table.status_table(SPEAKER_DEAD, now=NOW),
    "down.txt": lambda: table.status_table(DOWN, now=NOW),
    "down.json": lambda: document.dump(document.status_document(DOWN), "json"),
    "cut-off.txt": lambda: table.status_table(CUT_OFF, now=NOW),
    "secondhand.txt": lambda: table.status_table(SECONDHAND, now=NOW),
    "new.txt": lambda: table.status_table(NEW, now=NOW),
    "timeline.txt": lambda: timelinetable.timeline_table(FAILOVERS),
    "timeline.json": lambda: document.dump(document.timeline_document(FAILOVERS), "json"),
    "timeline-empty.txt": lambda: timelinetable.timeline_table(()),
    "timeline-joined.txt": lambda: timelinetable.joined_table(join((*TAKEOVER, WITHDRAWN))),
}


if __name__ == "__main__":
    for name, screen in SCREENS.items():
        (GOLDEN / name).write_text(screen())
