"""The wire form of BGPNodeStatus: what each node's agent tells the whole cluster about itself.

Every text and list has an end, because the object is written by machines, as often as once a
second, into a store that refuses more than 1.5 MB. Words that may grow with a later version
(states, reasons, levers) are plain texts: a newer agent's word must not cost the whole status.

Whatever changes without meaning anything (milliseconds since a heartbeat, counters) is not here:
a status that is the same as before is not written.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

MOST_SESSIONS: Final = 64
MOST_ROUTES: Final = 1000
"""Of advertised and, again, of withheld routes; `counts` has the whole number."""
MOST_MEMBERS: Final = 100
MOST_PROBLEMS: Final = 20
MOST_CONDITIONS: Final = 64
MOST_SERVICES: Final = 16
"""Services named for one route."""
MOST_FAILING: Final = 20
"""Failing checks; `counts` has the whole number."""
MOST_STAYING: Final = 50
"""Of the prefixes that a drain waits for."""
MOST_BOUND: Final = 32
"""Of elastic IPs on the host, and of routes to routers; `host.bound` has the whole number."""
MOST_HOPS: Final = 2
MOST_HITCHES: Final = 8
"""Things that are wrong with the node's network."""
LONGEST: Final = 1024
"""Characters of a sentence."""
LONG: Final = 512
"""The same of each session."""
SHORT: Final = 256
"""The same where there are many of them."""
SHORTER: Final = 128
_MOST_INT: Final = 2**53


def _says(description: str, *, most: int | None = None) -> Meta:
    return Meta(description=description, max_length=most)


def _number(description: str, most: int = _MOST_INT) -> Meta:
    return Meta(description=description, ge=0, le=most)


Truth: TypeAlias = Literal["True", "False", "Unknown"]
_Name: TypeAlias = Annotated[str, Meta(max_length=253)]
_Word: TypeAlias = Annotated[str, Meta(max_length=64)]
_Prefix: TypeAlias = Annotated[str, Meta(max_length=49)]
_Service: TypeAlias = Annotated[str, Meta(max_length=320)]
_Address: TypeAlias = Annotated[str, Meta(max_length=45)]
_Time: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, max_length=40)]


class Form(Struct, rename="camel", kw_only=True, gc=False, omit_defaults=True):
    """A part of a status: what has its default is not sent."""


class ConditionForm(Form, kw_only=True):
    """A condition in Kubernetes' shape (metav1.Condition)."""

    type: Annotated[str, _says("What the condition is about, as an adjective.", most=316)]
    status: Annotated[Truth, Meta(description="True, False or Unknown.")]
    observed_generation: (
        Annotated[int, _number("The metadata.generation that the condition was set for.")] | None
    ) = None
    last_transition_time: Annotated[_Time, Meta(description="When the status last changed.")]
    reason: Annotated[str, Meta(description="Why, in one word.", min_length=1, max_length=LONGEST)]
    message: Annotated[str, _says("Why, in a sentence with names in it.", most=32768)]


Conditions: TypeAlias = Annotated[
    list[ConditionForm], _says("What a person should know, Ready first.", most=MOST_CONDITIONS)
]


class BFDForm(Form, kw_only=True):
    """The BFD session beside a BGP session."""

    state: Annotated[_Word, Meta(description="AdminDown, Down, Init or Up (RFC 5880).")]
    since: Annotated[_Time, Meta(description="When the state last changed.")] | None = None
    detection_milliseconds: (
        Annotated[int, _number("Silence of the router that ends the session.")] | None
    ) = None
    remote_detection_milliseconds: (
        Annotated[int, _number("Our silence after which the router calls us gone.")] | None
    ) = None
    transitions: Annotated[
        int, _number("How often it came up or went down since the speaker started.")
    ]
    dampened: Annotated[
        bool, Meta(description="Whether it flapped so often that it is not believed for a while.")
    ] = False
    last_error: Annotated[str, _says("Why it last went down, in a sentence.", most=SHORT)] = ""


class SessionForm(Form, kw_only=True):
    """One BGP session of the node."""

    peer: Annotated[
        _Name, Meta(description="Name of the BGPPeer, or of a session that its provider told of.")
    ]
    document: Annotated[
        _Name, Meta(description="The BGPPeer that the session was discovered for; absent: itself.")
    ] = ""
    provider: Annotated[
        _Word, Meta(description="Who told of the session; absent: the BGPPeer itself.")
    ] = ""
    gateway: Annotated[
        _Word, Meta(description="Next hop of our route to the router, or default; absent: none.")
    ] = ""
    local_address: Annotated[_Address, Meta(description="Our end of the session.")] | None = None
    address: Annotated[_Address, Meta(description="Address of the router.")]
    peer_asn: Annotated[int, _number("The router's autonomous system.", 4294967295)] = field(
        name="peerASN"
    )
    local_asn: Annotated[int, _number("Our autonomous system.", 4294967295)] = field(
        name="localASN"
    )
    state: Annotated[_Word, Meta(description="State of the session (RFC 4271, section 8.2.2).")]
    since: Annotated[_Time, Meta(description="When the state last changed.")] | None = None
    hold_time_seconds: (
        Annotated[int, _number("Hold time that was negotiated, in seconds.", 65535)] | None
    ) = None
    peer_router_id: (
        Annotated[_Address, Meta(description="BGP Identifier of the router.")] | None
    ) = field(default=None, name="peerRouterID")
    lever: Annotated[_Word, Meta(description="The attribute that carries the generation.")]
    advertised: Annotated[int, _number("How many prefixes the router is offered.")]
    max_prefixes: Annotated[int, _number("The most prefixes that the router accepts.")] | None = (
        None
    )
    transitions: Annotated[
        int, _number("How often the session came up or went down since the speaker started.")
    ]
    last_error: Annotated[
        str, _says("Why the session last went down, in a sentence.", most=LONG)
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

    prefix: Annotated[_Prefix, Meta(description="The elastic IP as a /32 or /128.")]
    services: Annotated[
        list[_Service],
        _says("The Services that it belongs to, as namespace/name.", most=MOST_SERVICES),
    ] = field(default_factory=list)
    peers: Annotated[list[_Name], _says("The BGPPeers that hear it.", most=MOST_SESSIONS)]
    rank: Annotated[
        int, _number("Preference within the generation: 0 normal, 250 doubt, 255 drain.", 255)
    ]


class WithheldForm(Form, kw_only=True):
    """One route that this node does not advertise, and why."""

    service: Annotated[_Service, Meta(description="The Service, as namespace/name.")] = ""
    prefix: Annotated[_Prefix, Meta(description="The elastic IP as a /32 or /128.")] = ""
    peer: Annotated[_Name, Meta(description="The BGPPeer; absent where it is true of all.")] = ""
    reason: Annotated[_Word, Meta(description="Why not, in one word.")]
    message: Annotated[str, _says("Why not, in a sentence.", most=LONGEST)]


class EvidenceForm(Form, kw_only=True):
    """One thing on the node that is looked at."""

    name: Annotated[_Word, Meta(description="What it is: carrier, gateway, kubelet or kube-proxy.")]
    health: Annotated[
        _Word, Meta(description="Healthy, Unhealthy or Unknown, which changes nothing.")
    ]
    message: Annotated[str, _says("What was seen, in a sentence.", most=SHORT)] = ""


class FailingForm(Form, kw_only=True):
    """One check that fails for one Service on this node."""

    service: Annotated[_Service, Meta(description="The Service, as namespace/name.")]
    check: Annotated[
        _Service,
        Meta(description="The HealthCheck, as namespace/name; absent: its healthCheckNodePort."),
    ] = ""
    message: Annotated[str, _says("The last answer, in a sentence.", most=SHORT)] = ""
    since: Annotated[_Time, Meta(description="When it began to fail.")] | None = None


class HealthForm(Form, kw_only=True):
    """What the agent knows of its node's health."""

    node: Annotated[list[EvidenceForm], _says("What is looked at on the node.", most=16)] = field(
        default_factory=list
    )
    doubt: Annotated[
        list[Annotated[str, Meta(max_length=SHORT)]],
        _says("Why the node's routes rank behind others; absent: they do not.", most=16),
    ] = field(default_factory=list)
    failing: Annotated[
        list[FailingForm],
        _says(
            "What fails here; no more than fit, `counts.failing` has all.",
            most=MOST_FAILING,
        ),
    ] = field(default_factory=list)


class DrainForm(Form, kw_only=True):
    """How far a drain of the node is."""

    phase: Annotated[_Word, Meta(description="NotDraining, Waiting, Demoted, Drained or Leaving.")]
    cause: Annotated[str, _says("Why, in a sentence.", most=LONGEST)] = ""
    since: Annotated[_Time, Meta(description="When it began.")] | None = None
    alone: Annotated[
        list[_Prefix],
        _says("Prefixes that stay because no other node carries them.", most=MOST_STAYING),
    ] = field(default_factory=list)
    busy: Annotated[
        list[_Prefix],
        _says("Prefixes that stay because connections are open.", most=MOST_STAYING),
    ] = field(default_factory=list)


class HostRouteForm(Form, kw_only=True):
    """One host route of ours to a router."""

    destination: Annotated[_Prefix, Meta(description="The router as a /32 or /128.")]
    via: Annotated[list[_Word], _says("Next hops.", most=MOST_HOPS)] = field(default_factory=list)
    source: Annotated[_Address, Meta(description="Source of what goes there.")] | None = None
    peer: Annotated[_Name, Meta(description="The session that it is for.")] = ""
    state: Annotated[_Word, Meta(description="Present, Missing or LeftAlone.")]
    detail: Annotated[str, _says("Why it is not there, in a sentence.", most=SHORTER)] = ""


class HostAddressForm(Form, kw_only=True):
    """One elastic IP that is to be on the host."""

    address: Annotated[_Address, Meta(description="The elastic IP.")]
    state: Annotated[_Word, Meta(description="Present, Missing or LeftAlone.")]
    detail: Annotated[str, _says("Why it is not there, in a sentence.", most=SHORTER)] = ""


class HostForm(Form, kw_only=True):
    """What the agent added to the node's network."""

    interface: Annotated[_Word, Meta(description="Where elastic IPs are; absent: nowhere.")] = ""
    interface_kind: Annotated[_Word, Meta(description="What it is: dummy, bridge or loopback.")] = (
        ""
    )
    routes: Annotated[list[HostRouteForm], _says("Routes to routers.", most=MOST_BOUND)] = field(
        default_factory=list
    )
    addresses: Annotated[
        list[HostAddressForm],
        _says(
            "Elastic IPs on the host, those not there first; no more than fit, `bound` has all.",
            most=MOST_BOUND,
        ),
    ] = field(default_factory=list)
    bound: Annotated[int, _number("Elastic IPs that are on the host.")] = 0
    restored: Annotated[
        int, _number("How often something was put back that another program took away.")
    ] = 0
    quarrel: Annotated[
        bool, Meta(description="Whether that happens so often that it is put back more slowly.")
    ] = False
    problems: Annotated[
        list[Annotated[str, Meta(max_length=SHORT)]],
        _says("What could not be done, or keeps packets away.", most=MOST_HITCHES),
    ] = field(default_factory=list)


class MemberForm(Form, kw_only=True):
    """One member of the mesh as this node's speaker sees it."""

    name: Annotated[_Name, Meta(description="Name of the Node.")]
    address: Annotated[_Address, Meta(description="Where its heartbeats come from.")]
    state: Annotated[
        _Word,
        Meta(description="Unheard, Alive, Suspect, Restarting, Dead or Quarantined."),
    ]
    hears_us: Annotated[bool, Meta(description="Whether it says that it hears this node.")]
    agent_alive: Annotated[bool, Meta(description="Whether its agent is there.")]
    draining: Annotated[bool, Meta(description="Whether it is being drained.")]


class ReachForm(Form, kw_only=True):
    """Where this node's speaker can be reached by the others."""

    address: Annotated[_Address, Meta(description="Address that it sends and hears from.")]
    port: Annotated[int, _number("UDP port of the heartbeats.", 65535)]


class MeshForm(Form, kw_only=True):
    """The mesh as this node's speaker sees it."""

    armed: Annotated[
        bool, Meta(description="Whether a death would be answered by a takeover right now.")
    ] = False
    reachable: Annotated[int, _number("Members that are alive, this one included.")]
    counted: Annotated[int, _number("Members that count for the quorum, this one included.")]
    members: Annotated[
        list[MemberForm],
        _says(
            "The members, those in trouble first; no more than fit, `counts.members` has all.",
            most=MOST_MEMBERS,
        ),
    ] = field(default_factory=list)


class ProblemForm(Form, kw_only=True):
    """One thing in the configuration that a person should correct."""

    source: Annotated[str, _says("Where it was read.", most=LONGEST)]
    kind: Annotated[_Word, Meta(description="Kind of the object.")] = ""
    name: Annotated[_Name, Meta(description="Name of the object.")] = ""
    path: Annotated[str, _says("The field.", most=LONGEST)] = ""
    refused: Annotated[
        bool, Meta(description="Whether the object was refused; its last good version holds.")
    ]
    message: Annotated[str, _says("What is wrong, and what would be legal.", most=LONGEST)]


class ConfigurationForm(Form, kw_only=True):
    """What this node made of the configuration."""

    source: Annotated[str, _says("Where documents come from.", most=LONGEST)]
    synced: Annotated[bool, Meta(description="Whether all of it has been seen.")]
    documents: Annotated[int, _number("Pools, advertisements and peers in force on the node.")]
    problems: Annotated[
        list[ProblemForm],
        _says(
            "What a person should correct; no more than fit, `counts.problems` has all.",
            most=MOST_PROBLEMS,
        ),
    ] = field(default_factory=list)


class CountsForm(Form, kw_only=True):
    """Whole numbers, whatever the lists had room for; absent where nobody knows them now."""

    sessions: Annotated[int, _number("Sessions that should be.")] | None = None
    established: Annotated[int, _number("Sessions that are.")] | None = None
    routes: Annotated[int, _number("Prefixes advertised.")] | None = None
    withheld: Annotated[int, _number("Routes not advertised for a reason.")]
    limited: Annotated[int, _number("Of those withheld, for which a peer has no room.")] = 0
    members: Annotated[int, _number("Members of the mesh, this one not included.")] | None = None
    failing: Annotated[int, _number("Checks of Services that fail here.")] = 0
    problems: Annotated[int, _number("Things in the configuration that a person should correct.")]


class StatusForm(Form, kw_only=True):
    """`status` of a BGPNodeStatus."""

    node: Annotated[_Name, Meta(description="Name of the Node; that of the object.")]
    version: Annotated[_Word, Meta(description="Version of the agent.")]
    speaker_version: Annotated[_Word, Meta(description="Version of the speaker.")] = ""
    draining: Annotated[bool, Meta(description="Whether the node is being drained.")] = False
    takeover_generation: (
        Annotated[int, _number("The cluster's generation as this node's routes carry it.")] | None
    ) = None
    conditions: Conditions
    sessions: Annotated[list[SessionForm], _says("The BGP sessions.", most=MOST_SESSIONS)] = field(
        default_factory=list
    )
    routes: Annotated[
        list[RouteForm],
        _says("What is advertised; no more than fit, `counts.routes` has all.", most=MOST_ROUTES),
    ] = field(default_factory=list)
    withheld: Annotated[
        list[WithheldForm],
        _says(
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
    configuration: Annotated[
        ConfigurationForm, Meta(description="What this node made of the configuration.")
    ]
    counts: Annotated[
        CountsForm, Meta(description="Whole numbers, whatever the lists had room for.")
    ]
