"""The wire form of BGPNodeStatus: what each node's agent tells the whole cluster about itself.

Every text and list has an end, because the object is written as often as once a second. Words that
may grow with a later version (states, reasons, levers) are plain texts: a newer agent's word must
not cost the whole status.

Whatever changes without meaning anything (milliseconds since a heartbeat, counters) is not here:
a status that is the same as before is not written.
"""

from typing import Annotated, Final

from msgspec import Meta, field

from bgpd.kube.failoverform import MOST_FAILOVERS, FailoverForm
from bgpd.kube.hostform import HostForm
from bgpd.kube.statusform import (
    LONG,
    LONGEST,
    SHORT,
    AddressText,
    Conditions,
    Form,
    Name,
    PrefixText,
    ServiceText,
    TimeText,
    Word,
    number,
    says,
)

MOST_SESSIONS: Final = 64
MOST_ROUTES: Final = 1000
"""Of advertised and, again, of withheld routes; `counts` has the whole number."""
MOST_MEMBERS: Final = 100
MOST_PROBLEMS: Final = 20
MOST_SERVICES: Final = 16
"""Services named for one route."""
MOST_FAILING: Final = 20
"""Failing checks; `counts` has the whole number."""
MOST_STAYING: Final = 50
"""Of the prefixes that a drain waits for."""


class BFDForm(Form, kw_only=True):
    """The BFD session beside a BGP session."""

    state: Annotated[Word, Meta(description="AdminDown, Down, Init or Up (RFC 5880).")]
    since: Annotated[TimeText, Meta(description="When the state last changed.")] | None = None
    detection_milliseconds: (
        Annotated[int, number("Silence of the router that ends the session.")] | None
    ) = None
    remote_detection_milliseconds: (
        Annotated[int, number("Our silence after which the router calls us gone.")] | None
    ) = None
    transitions: Annotated[
        int, number("How often it came up or went down since the speaker started.")
    ]
    dampened: Annotated[
        bool, Meta(description="Whether it flapped so often that it is not believed for a while.")
    ] = False
    last_error: Annotated[str, says("Why it last went down, in a sentence.", most=SHORT)] = ""


class SessionForm(Form, kw_only=True):
    """One BGP session of the node."""

    peer: Annotated[
        Name, Meta(description="Name of the BGPPeer, or of a session that its provider told of.")
    ]
    document: Annotated[
        Name, Meta(description="The BGPPeer that the session was discovered for; absent: itself.")
    ] = ""
    provider: Annotated[
        Word, Meta(description="Who told of the session; absent: the BGPPeer itself.")
    ] = ""
    gateway: Annotated[
        Word, Meta(description="Next hop of our route to the router, or default; absent: none.")
    ] = ""
    local_address: Annotated[AddressText, Meta(description="Our end of the session.")] | None = None
    address: Annotated[AddressText, Meta(description="Address of the router.")]
    peer_asn: Annotated[int, number("The router's autonomous system.", 4294967295)] = field(
        name="peerASN"
    )
    local_asn: Annotated[int, number("Our autonomous system.", 4294967295)] = field(name="localASN")
    state: Annotated[Word, Meta(description="State of the session (RFC 4271, section 8.2.2).")]
    since: Annotated[TimeText, Meta(description="When the state last changed.")] | None = None
    hold_time_seconds: (
        Annotated[int, number("Hold time that was negotiated, in seconds.", 65535)] | None
    ) = None
    peer_router_id: (
        Annotated[AddressText, Meta(description="BGP Identifier of the router.")] | None
    ) = field(default=None, name="peerRouterID")
    lever: Annotated[Word, Meta(description="The attribute that carries the generation.")]
    advertised: Annotated[int, number("How many prefixes the router is offered.")]
    max_prefixes: Annotated[int, number("The most prefixes that the router accepts.")] | None = None
    transitions: Annotated[
        int, number("How often the session came up or went down since the speaker started.")
    ]
    last_error: Annotated[
        str, says("Why the session last went down, in a sentence.", most=LONG)
    ] = ""
    graceful_restart: Annotated[
        bool, Meta(description="Whether the router keeps our routes over a restart of the speaker.")
    ] = False
    bfd: (
        Annotated[BFDForm, Meta(description="BFD with the router; absent where none is wanted.")]
        | None
    ) = None


class RouteForm(Form, kw_only=True):
    """One prefix that this node advertises now."""

    prefix: Annotated[PrefixText, Meta(description="The elastic IP as a /32 or /128.")]
    services: Annotated[
        list[ServiceText],
        says("The Services that it belongs to, as namespace/name.", most=MOST_SERVICES),
    ] = field(default_factory=list)
    peers: Annotated[list[Name], says("The BGPPeers that hear it.", most=MOST_SESSIONS)]
    rank: Annotated[
        int, number("Preference within the generation: 0 normal, 250 doubt, 255 drain.", 255)
    ]


class WithheldForm(Form, kw_only=True):
    """One route that this node does not advertise, and why."""

    service: Annotated[ServiceText, Meta(description="The Service, as namespace/name.")] = ""
    prefix: Annotated[PrefixText, Meta(description="The elastic IP as a /32 or /128.")] = ""
    peer: Annotated[Name, Meta(description="The BGPPeer; absent where it is true of all.")] = ""
    reason: Annotated[Word, Meta(description="Why not, in one word.")]
    message: Annotated[str, says("Why not, in a sentence.", most=LONGEST)]


class EvidenceForm(Form, kw_only=True):
    """One thing on the node that is looked at."""

    name: Annotated[Word, Meta(description="What it is: carrier, gateway, kubelet or kube-proxy.")]
    health: Annotated[
        Word, Meta(description="Healthy, Unhealthy or Unknown, which changes nothing.")
    ]
    message: Annotated[str, says("What was seen, in a sentence.", most=SHORT)] = ""


class FailingForm(Form, kw_only=True):
    """One check that fails for one Service on this node."""

    service: Annotated[ServiceText, Meta(description="The Service, as namespace/name.")]
    check: Annotated[
        ServiceText,
        Meta(description="The HealthCheck, as namespace/name; absent: its healthCheckNodePort."),
    ] = ""
    message: Annotated[str, says("The last answer, in a sentence.", most=SHORT)] = ""
    since: Annotated[TimeText, Meta(description="When it began to fail.")] | None = None


class HealthForm(Form, kw_only=True):
    """What the agent knows of its node's health."""

    node: Annotated[list[EvidenceForm], says("What is looked at on the node.", most=16)] = field(
        default_factory=list
    )
    doubt: Annotated[
        list[Annotated[str, Meta(max_length=SHORT)]],
        says("Why the node's routes rank behind others; absent: they do not.", most=16),
    ] = field(default_factory=list)
    failing: Annotated[
        list[FailingForm],
        says(
            "What fails here; no more than fit, `counts.failing` has all.",
            most=MOST_FAILING,
        ),
    ] = field(default_factory=list)


class DrainForm(Form, kw_only=True):
    """How far a drain of the node is."""

    phase: Annotated[Word, Meta(description="NotDraining, Waiting, Demoted, Drained or Leaving.")]
    cause: Annotated[str, says("Why, in a sentence.", most=LONGEST)] = ""
    since: Annotated[TimeText, Meta(description="When it began.")] | None = None
    alone: Annotated[
        list[PrefixText],
        says("Prefixes that stay because no other node carries them.", most=MOST_STAYING),
    ] = field(default_factory=list)
    busy: Annotated[
        list[PrefixText],
        says("Prefixes that stay because connections are open.", most=MOST_STAYING),
    ] = field(default_factory=list)


class MemberForm(Form, kw_only=True):
    """One member of the mesh as this node's speaker sees it."""

    name: Annotated[Name, Meta(description="Name of the Node.")]
    address: Annotated[AddressText, Meta(description="Where its heartbeats come from.")]
    state: Annotated[
        Word,
        Meta(description="Unheard, Alive, Suspect, Restarting, Dead or Quarantined."),
    ]
    hears_us: Annotated[bool, Meta(description="Whether it says that it hears this node.")]
    agent_alive: Annotated[bool, Meta(description="Whether its agent is there.")]
    draining: Annotated[bool, Meta(description="Whether it is being drained.")]


class ReachForm(Form, kw_only=True):
    """Where this node's speaker can be reached by the others."""

    address: Annotated[AddressText, Meta(description="Address that it sends and hears from.")]
    port: Annotated[int, number("UDP port of the heartbeats.", 65535)]


class MeshForm(Form, kw_only=True):
    """The mesh as this node's speaker sees it."""

    armed: Annotated[
        bool, Meta(description="Whether a death would be answered by a takeover right now.")
    ] = False
    reachable: Annotated[int, number("Members that are alive, this one included.")]
    counted: Annotated[int, number("Members that count for the quorum, this one included.")]
    quarantined: Annotated[
        bool,
        Meta(description="Whether the others rank this node behind them: it fell silent often."),
    ] = False
    members: Annotated[
        list[MemberForm],
        says(
            "The members, those in trouble first; no more than fit, `counts.members` has all.",
            most=MOST_MEMBERS,
        ),
    ] = field(default_factory=list)


class ProblemForm(Form, kw_only=True):
    """One thing in the configuration that a person should correct."""

    source: Annotated[str, says("Where it was read.", most=LONGEST)]
    kind: Annotated[Word, Meta(description="Kind of the object.")] = ""
    name: Annotated[Name, Meta(description="Name of the object.")] = ""
    path: Annotated[str, says("The field.", most=LONGEST)] = ""
    refused: Annotated[
        bool, Meta(description="Whether the object was refused; its last good version holds.")
    ]
    message: Annotated[str, says("What is wrong, and what would be legal.", most=LONGEST)]


class ConfigurationForm(Form, kw_only=True):
    """What this node made of the configuration."""

    source: Annotated[str, says("Where documents come from.", most=LONGEST)]
    synced: Annotated[bool, Meta(description="Whether all of it has been seen.")]
    documents: Annotated[int, number("Pools, advertisements and peers in force on the node.")]
    problems: Annotated[
        list[ProblemForm],
        says(
            "What a person should correct; no more than fit, `counts.problems` has all.",
            most=MOST_PROBLEMS,
        ),
    ] = field(default_factory=list)


class CountsForm(Form, kw_only=True):
    """Whole numbers, whatever the lists had room for; absent where nobody knows them now."""

    sessions: Annotated[int, number("Sessions that should be.")] | None = None
    established: Annotated[int, number("Sessions that are.")] | None = None
    routes: Annotated[int, number("Prefixes advertised.")] | None = None
    withheld: Annotated[int, number("Routes not advertised for a reason.")]
    limited: Annotated[int, number("Of those withheld, for which a peer has no room.")] = 0
    members: Annotated[int, number("Members of the mesh, this one not included.")] | None = None
    failing: Annotated[int, number("Checks of Services that fail here.")] = 0
    problems: Annotated[int, number("Things in the configuration that a person should correct.")]


class StatusForm(Form, kw_only=True):
    """`status` of a BGPNodeStatus."""

    node: Annotated[Name, Meta(description="Name of the Node; that of the object.")]
    version: Annotated[Word, Meta(description="Version of the agent.")]
    speaker_version: Annotated[Word, Meta(description="Version of the speaker.")] = ""
    speaker_started: Annotated[TimeText, Meta(description="When the speaker started.")] | None = (
        None
    )
    draining: Annotated[bool, Meta(description="Whether the node is being drained.")] = False
    takeover_generation: (
        Annotated[int, number("The cluster's generation as this node's routes carry it.")] | None
    ) = None
    conditions: Conditions
    sessions: Annotated[list[SessionForm], says("The BGP sessions.", most=MOST_SESSIONS)] = field(
        default_factory=list
    )
    routes: Annotated[
        list[RouteForm],
        says("What is advertised; no more than fit, `counts.routes` has all.", most=MOST_ROUTES),
    ] = field(default_factory=list)
    withheld: Annotated[
        list[WithheldForm],
        says(
            "What is not advertised, and why; no more than fit, `counts.withheld` has all.",
            most=MOST_ROUTES,
        ),
    ] = field(default_factory=list)
    member: (
        Annotated[
            ReachForm,
            Meta(description="Where the other members of the mesh reach this node's speaker."),
        ]
        | None
    ) = None
    mesh: Annotated[MeshForm, Meta(description="The mesh as this node sees it.")] | None = None
    health: (
        Annotated[HealthForm, Meta(description="What is known of the node's health.")] | None
    ) = None
    drain: (
        Annotated[DrainForm, Meta(description="How far a drain is; absent where there is none.")]
        | None
    ) = None
    host: Annotated[HostForm, Meta(description="What was added to the node's network.")] | None = (
        None
    )
    timeline: Annotated[
        list[FailoverForm],
        says(
            "The last takeovers and other changes that were no configuration, the oldest first.",
            most=MOST_FAILOVERS,
        ),
    ] = field(default_factory=list)
    configuration: Annotated[
        ConfigurationForm, Meta(description="What this node made of the configuration.")
    ]
    counts: Annotated[
        CountsForm, Meta(description="Whole numbers, whatever the lists had room for.")
    ]
