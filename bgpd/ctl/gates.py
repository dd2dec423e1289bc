"""The gates between a Service and a router, in their order: who decides, and what would change it.

One table for `bgpctl explain` and for the reference of reasons, so that the word in a log, a
metric or an Event leads to one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bgpd.model.reason import Reason


class Decider(StrEnum):
    """Who says no."""

    AGENT = "agent"
    SPEAKER = "speaker"
    BOTH = "agent and speaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question that has to be answered with yes before a router hears of an elastic IP."""

    name: str
    question: str
    reasons: tuple[Reason, ...] = ()
    """The words for no; none where no route is kept back, but nobody hears of it all the same."""


AGENT_GATES: Final = (
    Gate(
        name="type",
        question="is it a Service of type LoadBalancer?",
        reasons=(Reason.NOT_LOAD_BALANCER,),
    ),
    Gate(
        name="class",
        question="does its loadBalancerClass mean us?",
        reasons=(Reason.OTHER_LOAD_BALANCER_CLASS,),
    ),
    Gate(
        name="address",
        question="has the controller given it an address?",
        reasons=(Reason.NO_ADDRESS, Reason.INVALID_ADDRESS),
    ),
    Gate(
        name="pool",
        question="is the address in an IPAddressPool?",
        reasons=(Reason.ADDRESS_NOT_IN_POOL,),
    ),
    Gate(
        name="advertisement",
        question="does a BGPAdvertisement select pool, node and Service?",
        reasons=(
            Reason.NODE_NOT_SELECTED,
            Reason.NO_MATCHING_ADVERTISEMENT,
            Reason.CONFLICTING_ADVERTISEMENTS,
        ),
    ),
    Gate(
        name="node",
        question="may this node attract traffic?",
        reasons=(Reason.NODE_NETWORK_UNAVAILABLE, Reason.NODE_EXCLUDED),
    ),
    Gate(
        name="endpoints",
        question="is there an endpoint that this node can deliver to?",
        reasons=(Reason.NO_LOCAL_ENDPOINTS, Reason.NO_ENDPOINTS),
    ),
    Gate(
        name="health",
        question="do its checks pass here?",
        reasons=(
            Reason.HEALTH_CHECK_NODE_PORT,
            Reason.HEALTH_CHECK_FAILED,
            Reason.STARTING_UP,
        ),
    ),
    Gate(
        name="calm",
        question="does it stay for a while when it comes?",
        reasons=(Reason.FLAPPING,),
    ),
    Gate(
        name="peers",
        question="does the advertisement reach a BGPPeer of this node?",
        reasons=(Reason.NO_PEER,),
    ),
)
"""What the agent asks, once for each address; the first no ends it."""

PEER_GATES: Final = (
    Gate(
        name="offer",
        question="is it meant for this peer?",
        reasons=(Reason.UNKNOWN_PEER,),
    ),
    Gate(
        name="start",
        question="does the speaker know what was said and the generation?",
        reasons=(Reason.NOT_STARTED,),
    ),
    Gate(
        name="family",
        question="does the session carry its address family?",
        reasons=(Reason.FAMILY_NOT_NEGOTIATED,),
    ),
    Gate(
        name="fence",
        question="is it inside the pools, and no wider than allowed?",
        reasons=(Reason.OUTSIDE_POOLS, Reason.PREFIX_TOO_SHORT),
    ),
    Gate(
        name="room",
        question="is it within the peer's prefix limit?",
        reasons=(Reason.PREFIX_LIMIT,),
    ),
    Gate(
        name="drain",
        question="was it left to other nodes by a drain?",
        reasons=(Reason.DRAINED,),
    ),
    Gate(
        name="turn",
        question="is this node the one to carry it, where the lever has no ranks?",
        reasons=(Reason.STANDBY,),
    ),
    Gate(name="session", question="is the session established, and did ExaBGP take it?"),
)
"""What the speaker asks, for each peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One reason for people."""

    decider: Decider
    meaning: str
    change: str
    """What would change it."""


MEANINGS: Final[Mapping[Reason, Meaning]] = {
    Reason.NOT_LOAD_BALANCER: Meaning(
        decider=Decider.AGENT,
        meaning="The Service has an address in its status, but `spec.type` is not LoadBalancer.",
        change="Set `spec.type: LoadBalancer`.",
    ),
    Reason.OTHER_LOAD_BALANCER_CLASS: Meaning(
        decider=Decider.AGENT,
        meaning="`spec.loadBalancerClass` names another load balancer than this one.",
        change="Create the Service anew with our class (the field cannot be changed), or start "
        "agent and controller with `--load-balancer-class`.",
    ),
    Reason.NO_ADDRESS: Meaning(
        decider=Decider.AGENT,
        meaning="The controller has given the Service no address yet.",
        change="Add addresses to a pool that the Service may use, or correct what it asks for: "
        "`bgpctl explain SERVICE` tells which pools were tried and why each refused.",
    ),
    Reason.INVALID_ADDRESS: Meaning(
        decider=Decider.AGENT,
        meaning="An entry of `status.loadBalancer.ingress` holds no IP address.",
        change="Find out who else writes the Service's status (`kubectl get --show-managed-fields`)"
        "; bgpd writes addresses only.",
    ),
    Reason.ADDRESS_NOT_IN_POOL: Meaning(
        decider=Decider.AGENT,
        meaning="The Service's address is in no IPAddressPool, so it is not ours to advertise.",
        change="Add the address to a pool's `spec.addresses`, or let the Service have another one.",
    ),
    Reason.NODE_NOT_SELECTED: Meaning(
        decider=Decider.AGENT,
        meaning="No BGPAdvertisement of the pool selects this node.",
        change="Change the node's labels or `spec.nodeSelectors` of the BGPAdvertisement; where no "
        "BGPAdvertisement names the pool at all, create one.",
    ),
    Reason.NO_MATCHING_ADVERTISEMENT: Meaning(
        decider=Decider.AGENT,
        meaning="BGPAdvertisements select pool and node, but none selects the Service.",
        change="Change the Service's labels or `spec.serviceSelectors` of a BGPAdvertisement.",
    ),
    Reason.CONFLICTING_ADVERTISEMENTS: Meaning(
        decider=Decider.AGENT,
        meaning="Two BGPAdvertisements want different preferences for one route at one peer.",
        change="Give them the same value, or let one of them not select Service, node or peer.",
    ),
    Reason.NODE_NETWORK_UNAVAILABLE: Meaning(
        decider=Decider.AGENT,
        meaning="The Node has the condition NetworkUnavailable, so it cannot reach pods.",
        change="Repair the node's network (CNI) or its route; the condition is the cloud "
        "provider's or the CNI's.",
    ),
    Reason.NODE_EXCLUDED: Meaning(
        decider=Decider.AGENT,
        meaning="The Node has the label node.kubernetes.io/exclude-from-external-load-balancers.",
        change="Remove the label, or start the agent with `--ignore-exclude-lb`.",
    ),
    Reason.NO_LOCAL_ENDPOINTS: Meaning(
        decider=Decider.AGENT,
        meaning="`externalTrafficPolicy` is Local and no ready endpoint is on this node.",
        change="Run a ready pod here, or set `externalTrafficPolicy: Cluster`.",
    ),
    Reason.NO_ENDPOINTS: Meaning(
        decider=Decider.AGENT,
        meaning="No endpoint of the Service is ready anywhere.",
        change="Look at its pods and `spec.selector`: `kubectl get endpointslices`.",
    ),
    Reason.HEALTH_CHECK_NODE_PORT: Meaning(
        decider=Decider.AGENT,
        meaning="The Service's healthCheckNodePort says that this node cannot deliver.",
        change="kube-proxy (or what stands for it) answers 200 there when it has a local endpoint.",
    ),
    Reason.HEALTH_CHECK_FAILED: Meaning(
        decider=Decider.AGENT,
        meaning="A HealthCheck of the Service fails on this node.",
        change="The routes come back by themselves after `successThreshold` good answers; "
        "`bgpctl get healthchecks` shows the last answer.",
    ),
    Reason.STARTING_UP: Meaning(
        decider=Decider.AGENT,
        meaning="The node has booted and waits for kube-proxy, or for a check's first answer.",
        change="Nothing but time: `spec.startup` of the SpeakerPolicy bounds the wait.",
    ),
    Reason.FLAPPING: Meaning(
        decider=Decider.AGENT,
        meaning="The Service's route came and went so often that its return waits for a pause.",
        change="Calm endpoint or check: the pause ends by itself.",
    ),
    Reason.NO_PEER: Meaning(
        decider=Decider.AGENT,
        meaning="The BGPAdvertisement names peers, and this node has a session with none of them.",
        change="Name a BGPPeer of this node in `spec.peers`, or let a BGPPeer select the node.",
    ),
    Reason.FAMILY_NOT_NEGOTIATED: Meaning(
        decider=Decider.BOTH,
        meaning="The peer does not carry routes of this address family: `spec.families` has it "
        "not, or the router did not agree to it on this session.",
        change="Add the family to `spec.families` of the BGPPeer, or activate it at the router.",
    ),
    Reason.UNKNOWN_PEER: Meaning(
        decider=Decider.SPEAKER,
        meaning="The agent wants a route for a peer that it did not configure: a fault of ours.",
        change="Report it with `bgpctl debug bundle`; restart the agent, it then says all anew.",
    ),
    Reason.NOT_STARTED: Meaning(
        decider=Decider.SPEAKER,
        meaning="The speaker has just started and waits for the agent, for ExaBGP's state, or to "
        "hear the generation from a member.",
        change="Nothing but time: half a second without members, two for a state from the disk.",
    ),
    Reason.OUTSIDE_POOLS: Meaning(
        decider=Decider.SPEAKER,
        meaning="The prefix is in no configured pool: the last gate lets nothing else out.",
        change="Add the address to an IPAddressPool.",
    ),
    Reason.PREFIX_TOO_SHORT: Meaning(
        decider=Decider.SPEAKER,
        meaning="The prefix is more than one address, and no BGPAdvertisement aggregates so far.",
        change="Set `spec.aggregationLength` (`aggregationLengthV6`) of the BGPAdvertisement.",
    ),
    Reason.PREFIX_LIMIT: Meaning(
        decider=Decider.SPEAKER,
        meaning="The peer takes a limited number of prefixes and the others come first; one more "
        "would end its session.",
        change="Give the Service's BGPAdvertisement a larger `spec.priority`, advertise fewer "
        "addresses there, or have the limit raised and then `spec.maxPrefixes`.",
    ),
    Reason.DRAINED: Meaning(
        decider=Decider.SPEAKER,
        meaning="This node is drained, and the route was left to the nodes that carry it, too.",
        change="`bgpctl undrain`, or end what drains the node (cordon, taint, shutdown).",
    ),
    Reason.STANDBY: Meaning(
        decider=Decider.SPEAKER,
        meaning="The peer's lever has no room for ranks, and a node that comes first carries it.",
        change="It is advertised when that node is gone; `takeover.lever: med` or `localPref` has "
        "ranks and advertises at once, less preferred.",
    ),
}
"""What each reason means."""


def gate_of(reason: Reason) -> Gate:
    """Return the gate that says no with *reason*."""
    return next(one for one in (*AGENT_GATES, *PEER_GATES) if reason in one.reasons)
