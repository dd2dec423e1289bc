"""Why a route is not advertised: one word for the log, the metric, the status and the docs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix


class Reason(StrEnum):
    """The first true reason wins; the order below is the order of evaluation."""

    # Decided by policy, in the agent.
    NOT_LOAD_BALANCER = "NotLoadBalancer"
    OTHER_LOAD_BALANCER_CLASS = "OtherLoadBalancerClass"
    NO_ADDRESS = "NoAddress"
    INVALID_ADDRESS = "InvalidAddress"
    ADDRESS_NOT_IN_POOL = "AddressNotInPool"
    NODE_NOT_SELECTED = "NodeNotSelected"
    NO_MATCHING_ADVERTISEMENT = "NoMatchingAdvertisement"
    CONFLICTING_ADVERTISEMENTS = "ConflictingAdvertisements"
    NODE_NETWORK_UNAVAILABLE = "NodeNetworkUnavailable"
    NODE_EXCLUDED = "NodeExcluded"
    NO_LOCAL_ENDPOINTS = "NoLocalEndpoints"
    NO_ENDPOINTS = "NoEndpoints"
    HEALTH_CHECK_NODE_PORT = "HealthCheckNodePort"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    STARTING_UP = "StartingUp"
    FLAPPING = "Flapping"
    NO_PEER = "NoPeer"
    FAMILY_NOT_NEGOTIATED = "FamilyNotNegotiated"
    # Decided at the last gate, in the speaker.
    UNKNOWN_PEER = "UnknownPeer"
    NOT_STARTED = "NotStarted"
    OUTSIDE_POOLS = "OutsidePools"
    PREFIX_TOO_SHORT = "PrefixTooShort"
    PREFIX_LIMIT = "PrefixLimit"
    DRAINED = "Drained"
    STANDBY = "Standby"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A route that is not advertised, and why. *peer* is None when it is true of all peers."""

    service: str
    """`namespace/name`, or the empty string where the speaker cannot know it."""
    prefix: Prefix | None
    reason: Reason
    message: str
    peer: PeerName | None = None


BY_HEALTH: Final = frozenset(
    {
        Reason.HEALTH_CHECK_NODE_PORT,
        Reason.HEALTH_CHECK_FAILED,
        Reason.STARTING_UP,
        Reason.FLAPPING,
    }
)
"""What withholds a Service that could be advertised otherwise: other nodes do not see it."""

MISTAKES: Final = frozenset(
    {
        Reason.INVALID_ADDRESS,
        Reason.ADDRESS_NOT_IN_POOL,
        Reason.NO_MATCHING_ADVERTISEMENT,
        Reason.CONFLICTING_ADVERTISEMENTS,
        Reason.FAMILY_NOT_NEGOTIATED,
        Reason.OUTSIDE_POOLS,
        Reason.PREFIX_TOO_SHORT,
        Reason.PREFIX_LIMIT,
        Reason.UNKNOWN_PEER,
    }
)
"""What a person has to mend, be it in a document or at a router; the rest are facts that pass."""
