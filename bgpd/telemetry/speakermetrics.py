"""What the speaker exposes: sessions, mesh, generation, ExaBGP, its own loop."""

from typing import Final

from bgpd.model.peer import BFDState, PeerState
from bgpd.model.prefix import Family
from bgpd.model.reason import Reason
from bgpd.model.status import DrainPhase, MemberState
from bgpd.model.timeline import KINDS
from bgpd.telemetry.metric import Kind, Metric, Process

_PEER_STATES: Final = tuple(PeerState)
_BFD_STATES: Final = tuple(BFDState)
_FAMILIES: Final = tuple(Family)

CAUSES: Final = tuple(kind for kind in KINDS if kind != "bfd")
"""Why routers hear something else from us. A failure that BFD saw changes no route by itself."""
AT_THE_LAST_GATE: Final = (
    Reason.OUTSIDE_POOLS,
    Reason.PREFIX_TOO_SHORT,
    Reason.PREFIX_LIMIT,
    Reason.UNKNOWN_PEER,
    Reason.STANDBY,
    Reason.NOT_STARTED,
    Reason.DRAINED,
    Reason.FAMILY_NOT_NEGOTIATED,
)
"""Reasons of the speaker; all others are the agent's, so that a sum counts no route twice."""

# Sessions

SESSION_UP: Final = Metric(
    name="bgpd_bgp_session_up",
    kind=Kind.GAUGE,
    help="Whether the BGP session with this peer is established.",
    labels=("peer",),
)
SESSION_STATE: Final = Metric(
    name="bgpd_bgp_session_state",
    kind=Kind.GAUGE,
    help="1 for the state (RFC 4271) that the session is in, 0 for all others.",
    labels=("peer", "state"),
    values={"state": _PEER_STATES},
)
SESSION_TRANSITIONS: Final = Metric(
    name="bgpd_bgp_session_transitions_total",
    kind=Kind.COUNTER,
    help="How often the session came into this state.",
    labels=("peer", "to"),
    values={"to": _PEER_STATES},
)
SESSION_ESTABLISHED: Final = Metric(
    name="bgpd_bgp_session_established_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When the session was established, in seconds since the epoch; absent while it is not.",
    labels=("peer",),
)
SESSION_HOLD_TIME: Final = Metric(
    name="bgpd_bgp_session_hold_time_seconds",
    kind=Kind.GAUGE,
    help="The hold time that was negotiated; absent while the session is not established.",
    labels=("peer",),
)
BFD_UP: Final = Metric(
    name="bgpd_bfd_session_up",
    kind=Kind.GAUGE,
    help="Whether the BFD session with this peer is up; absent where none is wanted.",
    labels=("peer",),
)
BFD_TRANSITIONS: Final = Metric(
    name="bgpd_bfd_session_transitions_total",
    kind=Kind.COUNTER,
    help="How often the BFD session came into this state.",
    labels=("peer", "to"),
    values={"to": _BFD_STATES},
)

# Routes

PREFIXES_DESIRED: Final = Metric(
    name="bgpd_prefixes_desired",
    kind=Kind.GAUGE,
    help="Prefixes that the agent wants this peer to hear.",
    labels=("peer", "family"),
    values={"family": _FAMILIES},
)
PREFIXES_ADVERTISED: Final = Metric(
    name="bgpd_prefixes_advertised",
    kind=Kind.GAUGE,
    help="Prefixes that this peer is offered now; 0 while the session is down.",
    labels=("peer", "family"),
    values={"family": _FAMILIES},
)
PREFIX_LIMIT: Final = Metric(
    name="bgpd_prefix_limit",
    kind=Kind.GAUGE,
    help="How many prefixes this peer accepts from us; absent where no limit is configured.",
    labels=("peer",),
)
ROUTES_WITHHELD: Final = Metric(
    name="bgpd_routes_withheld",
    kind=Kind.GAUGE,
    help="Routes that are not advertised, by the reason; the speaker and the agent share no reason"
    " but FamilyNotNegotiated.",
    labels=("reason",),
    values={"reason": tuple(Reason)},
    processes=(Process.SPEAKER, Process.AGENT),
)

# Takeover

GENERATION: Final = Metric(
    name="bgpd_generation",
    kind=Kind.GAUGE,
    help="The generation that this node's routes carry; it differs between nodes for milliseconds.",
)
TAKEOVER_ARMED: Final = Metric(
    name="bgpd_takeover_armed",
    kind=Kind.GAUGE,
    help="Whether the death of one more member would be answered by a raise.",
)
TAKEOVERS: Final = Metric(
    name="bgpd_takeovers_total",
    kind=Kind.COUNTER,
    help="Changes of the generation: raised by this node for a death; planned: raised where nothing"
    " failed, as for a node that said goodbye and is off now; adopted from a member; reset by a"
    " person. A takeover is raised by one or more nodes and adopted by the others.",
    labels=("cause",),
    values={"cause": ("raised", "planned", "adopted", "reset")},
)
FAILOVER_SECONDS: Final = Metric(
    name="bgpd_failover_duration_seconds",
    kind=Kind.HISTOGRAM,
    help="From the cause to the flushed sessions, of each change that was not configuration.",
    labels=("cause",),
    values={"cause": CAUSES},
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60),
)
DRAIN_STATE: Final = Metric(
    name="bgpd_drain_state",
    kind=Kind.GAUGE,
    help="1 for how far the drain of this node is, 0 for all others.",
    labels=("state",),
    values={"state": tuple(DrainPhase)},
)

# Mesh

MESH_MEMBERS: Final = Metric(
    name="bgpd_mesh_members",
    kind=Kind.GAUGE,
    help="Other members by what this speaker believes of them.",
    labels=("state",),
    values={"state": tuple(MemberState)},
)
MESH_COUNTED: Final = Metric(
    name="bgpd_mesh_quorum_members",
    kind=Kind.GAUGE,
    help="Members for the quorum, this one included: those that count, and those of them alive.",
    labels=("part",),
    values={"part": ("counted", "reachable")},
)
MESH_MEMBER_UP: Final = Metric(
    name="bgpd_mesh_member_up",
    kind=Kind.GAUGE,
    help="Whether this member is alive: heard, and hearing us or a majority.",
    labels=("member",),
)
MESH_LATENCY: Final = Metric(
    name="bgpd_mesh_latency_seconds",
    kind=Kind.GAUGE,
    help="Round trip to this member: of the last echo where its kernel answers them, else of"
    " heartbeats, to a millisecond; absent until there is one.",
    labels=("member",),
)
MESH_LOSS: Final = Metric(
    name="bgpd_mesh_loss_ratio",
    kind=Kind.GAUGE,
    help="Share of this member's last 256 heartbeats that did not arrive.",
    labels=("member",),
)
MESH_LATE: Final = Metric(
    name="bgpd_mesh_heartbeats_late_total",
    kind=Kind.COUNTER,
    help="Heartbeats of this member that came half an interval late or later, after a loss too.",
    labels=("member",),
)
MESH_SUSPICIONS: Final = Metric(
    name="bgpd_mesh_suspicions_total",
    kind=Kind.COUNTER,
    help="How often this speaker suspected the member, whether or not a raise followed.",
    labels=("member",),
)
MESH_DATAGRAMS: Final = Metric(
    name="bgpd_mesh_datagrams_ignored_total",
    kind=Kind.COUNTER,
    help="Heartbeats that were ignored or only half believed, and other things worth counting.",
    labels=("reason",),
)

# ExaBGP and the reflex itself

LOOP_LAG: Final = Metric(
    name="bgpd_reflex_loop_lag_seconds",
    kind=Kind.HISTOGRAM,
    help="How late the reflex's timer came: the machine was busy, or the reflex was.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
EXABGP_QUEUE: Final = Metric(
    name="bgpd_exabgp_queue_commands",
    kind=Kind.GAUGE,
    help="Commands that ExaBGP has not answered yet.",
)
EXABGP_QUEUE_BYTES: Final = Metric(
    name="bgpd_exabgp_queue_bytes",
    kind=Kind.GAUGE,
    help="Bytes of commands that ExaBGP has not read yet.",
)
EXABGP_RESIDENT_BYTES: Final = Metric(
    name="bgpd_exabgp_resident_memory_bytes",
    kind=Kind.GAUGE,
    help="Memory of ExaBGP that is in RAM; process_resident_memory_bytes is the reflex's.",
)
EXABGP_CPU_SECONDS: Final = Metric(
    name="bgpd_exabgp_cpu_seconds_total",
    kind=Kind.COUNTER,
    help="Processor time that ExaBGP used, for itself and in the kernel.",
)
EXABGP_RESTARTS: Final = Metric(
    name="bgpd_exabgp_restarts_total",
    kind=Kind.COUNTER,
    help="Starts of ExaBGP on this node after the first; it is kept on disk and outlives us.",
)
REFLEX_RESTARTS: Final = Metric(
    name="bgpd_reflex_restarts_total",
    kind=Kind.COUNTER,
    help="Starts of the reflex while ExaBGP ran on; it is kept on disk and outlives us.",
)
EXABGP_ANSWER: Final = Metric(
    name="bgpd_exabgp_answer_seconds",
    kind=Kind.HISTOGRAM,
    help="How long ExaBGP took to answer a ping; it is killed after 3 s without an answer.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3),
)
COMMANDS: Final = Metric(
    name="bgpd_commands_total",
    kind=Kind.COUNTER,
    help="Commands to ExaBGP by what became of them; dropped ones were never sent.",
    labels=("verb", "result"),
    values={
        "verb": ("update", "reload", "show", "ping", "close", "end-of-rib", "hold", "exit"),
        "result": ("sent", "done", "failed", "dropped"),
    },
)
AGENT_CONNECTED: Final = Metric(
    name="bgpd_agent_connected",
    kind=Kind.GAUGE,
    help="Whether the agent of this node is connected to the speaker.",
)
STATE_WRITES: Final = Metric(
    name="bgpd_state_writes_total",
    kind=Kind.COUNTER,
    help="Attempts to write what must outlive a restart.",
    labels=("result",),
    values={"result": ("written", "failed")},
)
