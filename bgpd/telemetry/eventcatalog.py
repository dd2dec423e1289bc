"""Every event that a process logs: what it means, at which level it comes, and its keys.

Code, docs/reference/events.md and the metric `bgpd_events_total` go by this table; a test compares
it with every place in the source that writes a line. Conditions are logged too, each by its type
when it begins and when it is over: see `bgpd.telemetry.conditioncatalog`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

KEYS: Final[Mapping[str, str]] = {
    "added": "how many routes the reason withholds since its last line",
    "address": "where it listens",
    "agent_alive": "whether its agent is there",
    "although": "what was still lacking",
    "cause": "why, in a sentence",
    "check": "the HealthCheck that is blamed, `namespace/name`",
    "condition": "the type of the condition",
    "count": "how many",
    "documents": "how many objects",
    "doubtful": "whether its routes rank behind all others",
    "draining": "whether it is being drained",
    "ended": "how many routes the reason stopped to withhold since its last line",
    "error": "why the session is down, in a sentence",
    "first": "the first by name of those that were added",
    "generation": "the number that routes carry from now on",
    "identity": "what no other controller is called",
    "kept_seconds": "how long every router keeps the routes",
    "key": "the number of the key, never the key",
    "latest": "the event that came last: how the member is now",
    "left_out": "how many lines of this event were counted and not written",
    "member": "the node's name in the mesh; several are joined by commas",
    "member_suspected": "how often it was suspected meanwhile",
    "member_up": "how often it was heard again meanwhile",
    "message": "the same words as in `bgpctl explain`",
    "partial": "whether it does not advertise all that others expect of it",
    "peer": "the name of the BGPPeer, or the address of its router",
    "peers": "how many, or their names",
    "phase": "`NotDraining`, `Waiting`, `Demoted`, `Drained` or `Leaving`",
    "prefix": "the prefix that is tried out",
    "previous": "the generation before",
    "priority": "how the kernel schedules the speaker",
    "program": "what runs, and its version",
    "problem": "what is wrong, in a sentence",
    "provider": "the provider that the BGPPeer names",
    "raise_refused": "how often nobody raised for it meanwhile",
    "reason": "a `Reason`, the reason of a condition, or why in a sentence",
    "repeated": "how many lines with the same words were counted and not written",
    "report": "what was done, or what could not be, in a sentence",
    "routers": "how many it names",
    "routes": "how many routes the reason withholds now",
    "seconds": "how long",
    "sequence": "the number of the agent's message",
    "service": "`namespace/name`",
    "services": "how many Services",
    "state": "the state of the session (RFC 4271, section 8.2.2)",
    "traceback": "where it happened; at a terminal in lines of its own",
    "waits_for": "what is not there yet, in a sentence",
    "was": "what the condition said while it held",
    "wished": "how many seconds the drain would take",
}
"""What a key means, whichever event has it."""

ANYWHERE: Final = ("left_out", "repeated")
"""Keys that any event may have, where lines were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One event, as people read it."""

    name: str
    levels: tuple[str, ...]
    processes: tuple[str, ...]
    meaning: str
    """A sentence."""
    keys: tuple[str, ...] = ()


def _event(name: str, levels: str, processes: str, meaning: str, *keys: str) -> LoggedEvent:
    return LoggedEvent(
        name=name,
        levels=tuple(levels.split()),
        processes=tuple(processes.split()),
        meaning=meaning,
        keys=keys,
    )


EVENTS: Final = (
    # Starts and ends.
    _event(
        "started", "info", "speaker agent controller", "The process runs.", "program", "priority"
    ),
    _event(
        "saved_state_used", "info", "speaker",
        "No agent came, so what it wanted last before the restart is in force.",
    ),
    _event(
        "restarting", "info", "speaker",
        "Told to end, and every router keeps our routes over it (graceful restart).",
        "kept_seconds",
    ),
    _event("draining", "info", "speaker", "Told to end: the routes are drained first.", "seconds"),
    _event(
        "drain_cut_short", "warning", "speaker",
        "Whoever ends the process leaves the drain less time than it would take.",
        "wished", "seconds",
    ),
    _event("stopping", "info", "controller", "Told to end; what is being written is waited for."),
    _event(
        "crashed", "error", "speaker agent controller",
        "The process ends by a mistake of ours, and is started again; report it.",
        "reason", "traceback",
    ),
    _event(
        "line", "warning error", "speaker agent controller exabgp",
        "A sentence of a library or of ExaBGP, no event of ours; in text the sentence alone.",
        "message",
    ),
    _event("recalled", "info", "agent", "What was accepted last was read from disk.", "documents"),
    _event(
        "synced", "info", "agent", "Everything was read and decided on for the first time.",
        "documents",
    ),
    _event(
        "started_from_memory", "warning", "agent",
        "The source cannot be read, so what was accepted before the start is in force.",
    ),
    _event(
        "startup_gate_closed", "info", "agent",
        "After a boot nothing is advertised before what is named here is there.",
        "cause", "waits_for",
    ),
    _event(
        "startup_gate_opened", "info warning", "agent",
        "What the start waited for is there, or (warning) was waited for long enough.",
        "cause", "seconds", "although",
    ),
    _event(
        "startup_over", "info", "agent",
        "After a boot every Service has its first answer, or none is waited for.", "seconds",
    ),
    _event(
        "leaving", "warning", "agent",
        "The cluster asks this node to end bgpd for good: routes go, then what it added.",
    ),
    _event("standing_by", "info", "controller", "Another controller may lead.", "identity"),
    _event("leading", "info", "controller", "This controller gives Services their addresses."),
    _event("not_leading", "info", "controller", "This controller leads no more."),
    # Sessions.
    _event(
        "session_changed", "info warning", "speaker",
        "A BGP session is established (info) or in another state (warning).",
        "peer", "state", "error",
    ),
    _event(
        "session_held", "info", "speaker",
        "BFD says that the router is gone: its session is not tried for a while.", "peer",
    ),
    _event("session_released", "info", "speaker", "The session is tried again.", "peer"),
    _event("bfd_up", "info", "speaker", "BFD with a router is up.", "peer"),
    _event(
        "bfd_down", "info warning", "speaker",
        "BFD with a router went down: by word of the router (info), or it fell silent (warning).",
        "peer", "reason",
    ),
    _event(
        "bfd_dampened", "warning", "speaker",
        "BFD with a router fails so often that its word does not count for a while.",
        "peer", "seconds",
    ),
    _event(
        "bfd_resumed", "info", "speaker",
        "BFD goes on after a restart of the reflex where it was.", "peer",
    ),
    _event(
        "bfd_not_listening", "error", "speaker", "BFD cannot open its socket.", "reason"
    ),
    _event(
        "configuration_refused", "error", "speaker",
        "A peer cannot be configured; the others are.", "reason",
    ),
    _event(
        "configuration_failed", "error", "speaker",
        "ExaBGP did not take its configuration; the one before stays in force.", "reason",
    ),
    # ExaBGP.
    _event(
        "exabgp_command_failed", "error", "speaker", "ExaBGP refused a command of ours.", "reason"
    ),
    _event(
        "exabgp_line_refused", "error", "speaker",
        "ExaBGP said something that is not understood.", "reason",
    ),
    _event(
        "exabgp_hangs", "error", "speaker", "ExaBGP does not answer and is killed.", "reason"
    ),
    _event(
        "exabgp_gone", "warning", "speaker", "ExaBGP ended without a word; it is started again."
    ),
    # The mesh and the takeover.
    _event("member_up", "info", "speaker", "A member of the mesh is heard (again).", "member"),
    _event(
        "member_changed", "info", "speaker", "A member says something else of its node.",
        "member", "draining", "doubtful", "partial", "agent_alive",
    ),
    _event(
        "member_suspected", "warning", "speaker", "A member is silent.", "member", "reason"
    ),
    _event(
        "member_dead", "warning", "speaker",
        "A silent member counts as dead: a quorum agrees.", "member", "reason",
    ),
    _event(
        "member_restarting", "info", "speaker",
        "A member's process is gone or said goodbye, but its kernel answers: nothing is raised.",
        "member", "reason",
    ),
    _event("member_removed", "info", "speaker", "A member is not listed any more.", "member"),
    _event(
        "member_unsettled", "warning", "speaker",
        "A member comes and goes; the lines of the last minute were counted.",
        "member", "latest", "member_suspected", "member_up", "raise_refused",
    ),
    _event(
        "member_settled", "info", "speaker",
        "A member that came and went is quiet again; the lines since the last were counted.",
        "member", "latest", "member_suspected", "member_up", "raise_refused",
    ),
    _event(
        "raise_refused", "warning", "speaker",
        "A member is silent, and this node raises nothing for it.", "member", "reason",
    ),
    _event(
        "quarantine_started", "warning", "speaker",
        "A member was taken over from too often: it ranks behind the others.", "member",
    ),
    _event("quarantine_ended", "info", "speaker", "A member's quarantine is over.", "member"),
    _event(
        "generation_raised", "warning", "speaker",
        "This node raised the generation: routers leave the routes of who does not follow.",
        "generation", "previous", "member", "reason",
    ),
    _event(
        "generation_planned", "info", "speaker",
        "This node raised the generation, and nothing failed: a member that had said goodbye and"
        " taken its routes with it was switched off, or the lever changes.",
        "generation", "previous", "member", "reason",
    ),
    _event(
        "generation_adopted", "info", "speaker",
        "Another node raised the generation, and this one follows.",
        "generation", "previous", "member", "reason",
    ),
    _event(
        "generation_reset", "warning", "speaker",
        "A person began to count generations anew (`bgpctl generation reset`).",
        "generation", "previous", "member", "reason",
    ),
    _event(
        "mesh_condition_began", "error", "speaker",
        "The mesh has a problem that a person must solve.", "condition", "reason", "message",
    ),
    _event(
        "mesh_condition_ended", "info", "speaker", "A problem of the mesh is over.",
        "condition", "reason", "message",
    ),
    _event(
        "mesh_path", "warning", "speaker",
        "Heartbeats leave the host another way than the traffic of a peer.", "reason", "message",
    ),
    _event(
        "mesh_path_restored", "info", "speaker",
        "Heartbeats leave the host the way of the traffic again.",
    ),
    _event("mesh_not_bound", "error", "speaker", "The mesh cannot open its socket.", "reason"),
    _event(
        "mesh_keys_loaded", "info", "speaker", "The key file of the mesh was read anew.", "count"
    ),
    _event(
        "mesh_keys_refused", "error", "speaker",
        "The key file of the mesh cannot be used; the keys before stay in force.", "reason",
    ),
    _event("mesh_key_changed", "info", "speaker", "Heartbeats are sealed by another key.", "key"),
    _event(
        "levers_wait", "info", "speaker",
        "Another lever was configured; it waits for a generation that makes the change safe.",
        "peers", "generation",
    ),
    _event("levers_changed", "info", "speaker", "The other lever is used.", "peers", "generation"),
    _event(
        "damping_budget_spent", "warning", "speaker",
        "A router that dampens flaps is told of no more changes of the generation for a while.",
        "peer",
    ),
    _event(
        "trial_began", "info", "speaker", "`bgpctl probe` tries a spare route.", "prefix", "peers"
    ),
    _event("trial_ended", "info", "speaker", "The spare route is taken back.", "prefix", "reason"),
    # Agent and speaker.
    _event("agent_connected", "info", "speaker", "The agent is there."),
    _event(
        "agent_lost", "warning", "speaker",
        "The agent is gone; what it wanted last stays in force.", "reason",
    ),
    _event(
        "desired", "info", "speaker", "The agent said everything anew.", "sequence", "peers"
    ),
    _event(
        "desired_refused", "error", "speaker",
        "What the agent says means nothing; what it wanted before stays in force.", "reason",
    ),
    _event("speaker_connected", "info", "agent", "The speaker is there."),
    _event("speaker_lost", "warning", "agent", "The speaker does not answer.", "reason"),
    # Drain and doubt.
    _event("drain_began", "info", "speaker", "The node is being drained.", "cause"),
    _event("drain_changed", "info", "speaker", "The drain has other causes.", "cause"),
    _event("drain_ended", "info", "speaker", "The node is not drained any more.", "cause"),
    _event("drain_phase", "info", "speaker", "How far a drain is.", "phase"),
    _event(
        "doubt_began", "warning", "speaker",
        "All routes of the node rank 250, behind those of others.", "reason",
    ),
    _event("doubt_ended", "info", "speaker", "The routes rank as before.", "reason"),
    # Services.
    _event(
        "service_withheld", "warning", "agent", "Health withholds a Service on this node.",
        "service", "reason", "check", "message",
    ),
    _event(
        "services_withheld", "warning", "agent",
        "Health withholds more than ten Services at once, for one reason.",
        "services", "first", "reason", "check", "message",
    ),
    _event(
        "service_returned", "info", "agent", "A Service that health withheld is back.",
        "service", "reason",
    ),
    _event(
        "services_returned", "info", "agent",
        "More than ten Services that health withheld are back.", "services", "first",
    ),
    _event(
        "routes_withheld", "info warning", "agent speaker",
        "Routes are not advertised, for the `Reason` named: one line for all of them.",
        "reason", "routes", "added", "ended", "first", "peer", "message",
    ),
    _event(
        "routes_released", "info", "agent speaker",
        "A `Reason` withholds fewer routes, or none.", "reason", "routes", "added", "ended",
    ),
    _event(
        "service_event", "info warning", "controller",
        "A Service got, kept or lost an address, or waits for one; it has the same Event.",
        "service", "reason", "message",
    ),
    # The host, the disk, the provider.
    _event(
        "host_restored", "warning", "agent",
        "Another program took away a route or an address, and it was put back.", "report",
    ),
    _event(
        "host_awaited", "debug warning", "agent",
        "Routes wait until their elastic IPs are on this host; a warning: they were waited for long"
        " enough, and are advertised all the same.", "report",
    ),
    _event(
        "egress", "warning", "agent",
        "What makes replies leave with an elastic IP was put right, or cannot be.", "report",
    ),
    _event(
        "provider_understood", "info", "agent", "A provider named routers for a BGPPeer.",
        "peer", "provider", "routers",
    ),
    _event(
        "state", "warning", "agent speaker",
        "A file of the state directory cannot be read and counts as absent.", "problem",
    ),
    _event(
        "state_not_written", "error", "agent speaker",
        "The process ended before its state was on the disk.", "reason",
    ),
    # Metrics.
    _event("metrics_served", "info", "speaker agent controller", "Metrics are served.", "address"),
    _event(
        "metrics_not_served", "error", "speaker agent controller",
        "The port of the metrics cannot be opened; it is tried again.", "reason",
    ),
    _event(
        "metrics_failed", "error", "speaker agent controller",
        "A scrape failed by a mistake of ours.", "reason",
    ),
)  # fmt: skip
