"""Every reason of an Event that agents and controllers write into Kubernetes, and what it says.

Beside these, a route that is withheld is an Event with its `Reason` (`bgpd.kube.withholding`). A
test compares this table with the source.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesEvent:
    """One reason of an Event, as people read it."""

    reason: str
    about: str
    """The kind of the object."""
    meaning: str
    warning: bool
    """Whether its type is Warning; else it is Normal."""


def _kubernetes(reason: str, about: str, meaning: str, *, warning: bool) -> KubernetesEvent:
    return KubernetesEvent(
        reason=reason,
        about=about,
        meaning=meaning,
        warning=warning,
    )


KUBERNETES_EVENTS: Final = (
    _kubernetes("SessionDown", "Node", "A BGP session of the node went down.", warning=True),
    _kubernetes("SessionUp", "Node", "A BGP session of the node is established.", warning=False),
    _kubernetes("BFDDown", "Node", "BFD with a router went down.", warning=True),
    _kubernetes("BFDUp", "Node", "BFD with a router is up.", warning=False),
    _kubernetes(
        "TakenOver", "Node", "The node fell silent; another raised the generation.", warning=True
    ),
    _kubernetes(
        "Quarantined", "Node", "The node was taken over from too often; it ranks behind.",
        warning=True,
    ),
    _kubernetes("NodeInDoubt", "Node", "The routes of the node rank 250.", warning=True),
    _kubernetes("NodeWell", "Node", "The routes of the node rank as before.", warning=False),
    _kubernetes("DrainBegan", "Node", "The node is being drained.", warning=False),
    _kubernetes("Drained", "Node", "The routes of the node are withdrawn.", warning=False),
    _kubernetes(
        "DrainWaits", "Node", "A drain leaves routes that nobody else carries.", warning=True
    ),
    _kubernetes("DrainEnded", "Node", "The node is not drained any more.", warning=False),
    _kubernetes(
        "HealthCheckFailing", "Service or Node", "A check of a Service fails on a node.",
        warning=True,
    ),
    _kubernetes(
        "HealthCheckPassing", "Service or Node", "A check of a Service passes again on a node.",
        warning=False,
    ),
    _kubernetes(
        "Advertised", "Service or Node", "A node begins to advertise the Service.", warning=False
    ),
    _kubernetes(
        "ConfigurationRefused", "the object", "The object does not hold; the last good one does.",
        warning=True,
    ),
    _kubernetes(
        "NotSupported", "the object", "The object asks for something that bgpd does not do.",
        warning=True,
    ),
    _kubernetes(
        "ConfigurationVanished", "Node", "A whole kind went at once; it is kept until a person"
        " agrees.", warning=True,
    ),
    _kubernetes(
        "IPAllocated", "Service", "The controller gave the Service an address.", warning=False
    ),
    _kubernetes(
        "ClearAssignment", "Service", "The controller took the address back.", warning=False
    ),
    _kubernetes(
        "AllocationFailed", "Service", "There is no address: every pool that was tried.",
        warning=True,
    ),
    _kubernetes(
        "AdditionalAssignFailed", "Service", "The second family of PreferDualStack has to wait.",
        warning=False,
    ),
    _kubernetes(
        "LoadBalancerFailed", "Service", "What it asks for is no address, or is asked for twice.",
        warning=True,
    ),
    _kubernetes(
        "not enough clusterips", "Service", "The Service has fewer cluster IPs than families.",
        warning=True,
    ),
    _kubernetes(
        "noclusterIPsIPFamily", "Service", "The ClusterIPs of the Service make no sense.",
        warning=True,
    ),
    _kubernetes(
        "nolbIPsIPFamily", "Service", "The addresses in the status make no sense.",
        warning=True,
    ),
    _kubernetes(
        "deprecatedAnnotation", "Service", "An annotation of the Service has a newer name.",
        warning=True,
    ),
    _kubernetes(
        "AddressOutsidePools", "Service", "The Service keeps an address that is in no pool.",
        warning=True,
    ),
)  # fmt: skip
"""Reasons of Events, beside every `Reason` for which a route may be withheld."""
