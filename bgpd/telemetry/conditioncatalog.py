"""Every condition that a person may meet: what it says, whose it is, and what ends it.

A condition is shown by `bgpctl status`, logged by its type when it begins and when it is over, in
the metric `bgpd_condition{type,reason}`, and in the status of the BGPNodeStatus. A test compares
this table with the source.
"""

from dataclasses import dataclass
from typing import Final

API: Final = ("ApiUnreachable", "ApiUntrusted", "ApiUnauthorized", "ApiForbidden", "ApiRefused")
KIND: Final = "<Kind>"
"""Stands for the kind of the document that a condition is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCondition:
    """One type of condition, as people read it."""

    type: str
    of: tuple[str, ...]
    """Who has it: `agent`, `speaker`, `controller`, or an object of the API."""
    reasons: tuple[str, ...]
    meaning: str
    remedy: str
    """What a person can do; empty where there is nothing to do."""


def _condition(type_: str, of: str, reasons: str, meaning: str, remedy: str = "") -> KnownCondition:
    return KnownCondition(
        type=type_,
        of=tuple(of.split()),
        reasons=tuple(reasons.split()),
        meaning=meaning,
        remedy=remedy,
    )


CONDITIONS: Final = (
    # Documents.
    _condition(
        "DocumentRefused", "agent controller", f"{KIND} Unreadable",
        "A document does not hold; its last good version does.",
        "Correct it; `bgpctl validate` says line and column.",
    ),
    _condition(
        "FieldIgnored", "agent controller", f"{KIND} Unreadable",
        "A document holds, but one of its fields has no effect.",
        "Take the field out, or read why in the message.",
    ),
    _condition(
        "NotSupported", "agent controller", f"{KIND} Unreadable",
        "A document holds, but asks for something that bgpd does not do.",
        "Take it out; the message says what happens instead.",
    ),
    _condition(
        "ObjectShadowed", "agent controller", f"{KIND}",
        "Another object of the same kind and name, from another source, holds in its place.",
        "Remove one of the two.",
    ),
    _condition(
        "ConfigurationRefused", "agent controller",
        "IPAddressPoolRefused BGPPeerRefused BGPAdvertisementRefused CommunityRefused NodeRefused",
        "An object is valid alone, but does not hold beside the others, or on this node.",
        "Correct the object that the message names.",
    ),
    _condition(
        "LastGoodInForce", "agent", "WouldBeRefused DocumentGone",
        "Something holds because it held before: today it would be refused, or its document is"
        " gone.",
        "Correct or remove what the message names.",
    ),
    _condition(
        "LastAcceptedInForce", "agent", "NewestRefused",
        "The newest version of an object cannot be used; the one accepted last is in force.",
        "Correct the object, or remove it.",
    ),
    _condition(
        "LastKnownState", "agent", "SourceUnread",
        "The source has not been read since the start; what was accepted before is in force.",
        "See SourceDegraded for why.",
    ),
    _condition(
        "ReferenceMissing", "agent", "NoSuchObject",
        "A document names another one that is not there.",
        "Make what it names, or take the name out.",
    ),
    _condition(
        "ConflictingAdvertisements", "agent", "SharedAddress",
        "Services that share an elastic IP are advertised differently.",
        "Let the same BGPAdvertisements choose them.",
    ),
    _condition(
        "SpeakerPolicyAmbiguous", "agent", "SeveralMatch",
        "Several SpeakerPolicies select this node; the first by name holds.",
        "Change their nodeSelectors.",
    ),
    _condition(
        "ConfigurationVanished", "agent controller", f"{KIND}Gone",
        "All pools, all peers or a whole kind went at once; that is kept until a person agrees.",
        "Put it back, or `bgpctl accept` (controller: restart it).",
    ),
    _condition(
        "SecretMissing", "agent", "BGPPeer",
        "The password of a peer is not there, or not there any more.",
        "Make the Secret; a session that had the password keeps it.",
    ),
    _condition(
        "PrefixNotAccepted", "agent", "ProviderFilters",
        "The routers of a provider do not accept the addresses of a pool.",
        "Use addresses that the provider gave you.",
    ),
    _condition(
        "ProfileUnfit", "agent", "EchoModeWithIPv6",
        "A BFDProfile cannot do what a peer needs.",
        "Give the peer another profile.",
    ),
    _condition(
        "FamilyLeftOut", "agent", "NoNextHop",
        "A peer is not offered routes of a family, because the node has no next hop for them.",
        "Give the node an InternalIP of the family, or set the next hop of the BGPPeer.",
    ),
    _condition(
        "HealthCheckUnused", "agent", "NoService NoPort",
        "A HealthCheck checks nothing: it selects no Service, or names a port that none has.",
        "Correct its selectors, its port or the labels of the Service.",
    ),
    # The source of documents, and what is written into it.
    _condition(
        "SourceDegraded", "agent controller",
        f"{' '.join(API)} ApiTellsThePast KindNotInstalled DirectoryUnreadable DirectoryEmpty"
        " DirectoryUnwatched FileBusy",
        "Documents are not followed; what was in force stays.",
        "Look at the API server, the ServiceAccount's role, the CRDs or the directory.",
    ),
    _condition(
        "StatusNotWritten", "agent controller",
        f"{' '.join(API)} KindNotInstalled NoNode WriteFailed Defect",
        "The status of an object is not written; routes do not depend on it.",
        "Look at the role of the ServiceAccount and the CRDs; report a Defect.",
    ),
    _condition(
        "EventsNotWritten", "agent controller", "ApiForbidden ApiRefused",
        "The API server refuses our Events.",
        "Bind the role of the chart to the ServiceAccount.",
    ),
    # The node's health.
    _condition(
        "NodeInDoubt", "agent", "LocalHealth",
        "Something is wrong with this node, so its routes rank behind those of others.",
        "The message says what; `bgpctl doctor` looks at all of it.",
    ),
    _condition(
        "EveryNodeInDoubt", "agent", "NobodyIsBetter",
        "Every node that could carry the traffic is in doubt: ranks are equal again.",
        "Look for what they have in common.",
    ),
    _condition(
        "ConnectionsNotCounted", "agent", "CannotLook",
        "Open connections cannot all be counted: a drain waits for those that are, and where none"
        " can be counted every route keeps the whole time of the drain.",
        "Give the agent NET_ADMIN, and load nf_conntrack where that is meant.",
    ),
    # The host.
    _condition(
        "HostUnknown", "agent", "CannotLook",
        "The network of the host cannot be looked at; nothing is added to it.",
        "Give the agent NET_ADMIN.",
    ),
    _condition(
        "HostRouteFailed", "agent", "NotAdded NotRenewed NotRemoved",
        "A host route to a peer cannot be added or removed.",
        "The message has the kernel's word.",
    ),
    _condition(
        "HostRouteLeftAlone", "agent", "OthersRoute",
        "Somebody else has a route to the peer; it is not touched.",
        "Remove it if it is not meant.",
    ),
    _condition(
        "ElasticIPNotBound", "agent", "NotBound NotRemoved",
        "Elastic IPs cannot be put on, or taken off, the interface that is to have them.",
        "The message has the kernel's word.",
    ),
    _condition(
        "HostQuarrel", "agent", "PutBackAgainAndAgain",
        "Another program takes away again and again what is put on this host.",
        "Find that program: most often it is one that manages the network.",
    ),
    _condition(
        "HostSettings", "agent", "PacketsAtRisk",
        "A setting of the host would drop packets to an elastic IP.",
        "Change the setting that the message names.",
    ),
    _condition(
        "EgressMoved", "agent", "Moved",
        "Replies leave by another router, because the usual one is gone.",
    ),
    _condition(
        "EgressProblem", "agent", "LeftAlone",
        "The routes by which replies leave cannot be moved when a router dies.",
        "The message says why.",
    ),
    # Providers.
    _condition(
        "ProviderUnreachable", "agent", "NoURL NoToken NoAnswer",
        "A provider does not say which routers there are; what it said last holds.",
        "Reach its URL from this node, or give the token.",
    ),
    _condition(
        "ProviderDocumentRefused", "agent", "NotADocument NotUnderstood",
        "A provider's answer is not understood; what it said last holds.",
        "Compare the URL; report an answer that is right.",
    ),
    _condition(
        "ProviderStale", "agent", "NoNewerWord",
        "A provider has said nothing for long; what it said last holds.",
        "See ProviderUnreachable.",
    ),
    _condition(
        "ProviderEmpty", "agent", "NoSession",
        "A provider offers this node no session.",
        "Enable BGP for the server at the provider.",
    ),
    _condition(
        "ProviderPeerVanishing", "agent", "NotListed",
        "A provider does not list a router any more; a second look decides.",
    ),
    _condition(
        "ProviderPeerLeftOut", "agent", "Incomplete",
        "A session that a provider offers cannot be.",
        "The message says what is lacking.",
    ),
    # Sessions and routes.
    _condition(
        "PeersRefused", "speaker", "CannotConfigure",
        "ExaBGP cannot be configured for a peer; the others are.",
        "Correct the BGPPeer.",
    ),
    _condition(
        "PeersNotConfigured", "speaker", "ReloadFailed",
        "ExaBGP did not take its configuration; the one before stays in force.",
        "Read the message, and report it.",
    ),
    _condition(
        "RoutesRefused", "speaker", "ExabgpRefused",
        "ExaBGP refused routes.",
        "Read the message, and report it.",
    ),
    _condition(
        "PrefixLimit", "speaker", "TooManyPrefixes",
        "A peer takes fewer prefixes than there are for it; those of least priority are withheld.",
        "Raise `spec.priority` of what matters, or have the limit raised, then `maxPrefixes`.",
    ),
    _condition(
        "BFDNotListening", "speaker", "NotBound",
        "BFD cannot open its socket.",
        "End whoever has UDP port 3784 or 4784.",
    ),
    _condition(
        "DampingBudgetSpent", "speaker", "TooManyChanges",
        "A router that dampens flaps is told of no more changes of the generation for a while.",
        "Wait, or turn damping off there.",
    ),
    _condition(
        "LeverDoesNotMove", "speaker", "Probed",
        "`bgpctl probe` found that the configured lever does not move a router's traffic.",
        "Set `spec.takeover.lever` to the one that the message names.",
    ),
    # The mesh and the takeover.
    _condition(
        "TakeoverOverruled", "agent", "ComparedBefore",
        "Routers decide by another attribute before they look at the lever.",
        "Take that attribute out of the BGPAdvertisement, or use another lever.",
    ),
    _condition(
        "TakeoverHeld", "agent", "Migrating",
        "A migration from MetalLB is going on, so nothing is taken over.",
        "`bgpctl migrate finish`.",
    ),
    _condition(
        "TakeoverSettingsDiffer", "speaker", "Mismatch Same",
        "Members use another lever, base or stride, so routers compare unlike values.",
        "Give all nodes the same settings.",
    ),
    _condition(
        "TakeoverNotComparable", "speaker", "NoSharedRouter SharedRouter",
        "A prefix is carried by nodes that share no router: a raise moves nothing between them.",
        "Use lever asPath, or localPref over iBGP.",
    ),
    _condition(
        "NotHeard", "speaker", "OneWay Heard",
        "We hear members that do not hear us.",
        "Look for a firewall or a one-way link on the mesh port.",
    ),
    _condition(
        "GenerationJump", "speaker", "TooFarAhead Plausible",
        "Heartbeats carry a generation that is too far ahead, and is not followed.",
        "`bgpctl generation reset` settles which is right.",
    ),
    _condition(
        "MeshPath", "speaker", "OtherPath",
        "Heartbeats leave the host another way than the traffic of a peer.",
        "Give the node the address and the routes that the message names.",
    ),
    _condition(
        "MeshNotListening", "speaker", "NotBound",
        "The mesh cannot open its socket.",
        "End whoever has the port, or give the Node an InternalIP of this host.",
    ),
    _condition(
        "MeshKeysUnreadable", "speaker", "KeyFileRefused",
        "The key file of the mesh cannot be used; the keys before stay in force.",
        "Write the file that `bgpd mesh-key` prints.",
    ),
    _condition(
        "MemberWithoutAddress", "agent", "NoInternalIP",
        "A Node has no InternalIP, so it is no member of the mesh.",
        "Set its address.",
    ),
    # Processes.
    _condition(
        "StateNotWritten", "agent speaker", "WriteFailed",
        "The state directory cannot be written: a restart would know less.",
        "Look at the disk and the rights of the directory.",
    ),
    _condition(
        "MetricsNotServed", "agent speaker controller",
        "PortTaken AddressMissing NotListening SecretRefused",
        "Metrics and health are not served; it is tried again.",
        "Give another `--metrics-address`, or mend the file of the secret.",
    ),
    _condition(
        "MetricsSecretOutdated", "agent speaker controller", "SecretRefused",
        "A certificate or token of the metrics cannot be read anew; the one before is used.",
        "Mend the file.",
    ),
    # The controller.
    _condition(
        "StandingBy", "controller", "DirectoryLocked",
        "Another controller writes in the directory.",
    ),
    _condition(
        "LeaseNotHeld", "controller", "ApiUnreachable ApiUntrusted ApiForbidden ApiRefused",
        "The Lease cannot be read or written, so nobody knows who leads.",
        "Look at the API server and the role of the ServiceAccount.",
    ),
    _condition(
        "AddressesLacking", "controller", "NoAddress",
        "Services wait for addresses.",
        "Make a pool larger; `kubectl describe service` says which were tried.",
    ),
    _condition(
        "AddressOutsidePools", "controller Service", "NoOtherAddress",
        "A Service keeps an address that is in no pool, because there is no other.",
        "Put the address into a pool, or make room in one.",
    ),
    # What is written into the API beside these.
    _condition(
        "Ready", "BGPNodeStatus IPAddressPool BGPAdvertisement BGPPeer BFDProfile Community"
        " HealthCheck SpeakerPolicy",
        "Advertising NotSynced SpeakerUnreachable ExabgpNotRunning Draining NoPeer NoSession"
        " Accepted DocumentRefused FieldIgnored NotSupported ObjectShadowed",
        "Whether the node can carry traffic, or the object is in force.",
        "The message says why not.",
    ),
    _condition(
        "TakeoverArmed", "BGPNodeStatus", "Quorum NoQuorum NoMesh",
        "Whether the death of a node would be answered by a takeover now.",
        "Look for members that are not heard: `bgpctl status`.",
    ),
    _condition(
        "Cleaned", "BGPNodeStatus", "Withdrawing Cleaning CannotLook Done",
        "How far a node is that was asked to end bgpd for good, as before `helm uninstall`.",
    ),
    _condition(
        "ConfigurationValid", "BGPNodeStatus", "Accepted Refused NotSynced",
        "Whether all of the configuration holds on this node.",
        "Correct what the message names.",
    ),
)  # fmt: skip

SOME_OBJECTS: Final = ("SeeMessage",)
"""Reasons on our objects that say no more than the field or that there are several."""
