"""What a decision rests on, and what became of it: what `bgpctl explain` and `diff` ask for."""

from dataclasses import dataclass, field

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.route import Advertisement, Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGrounds:
    """One entry of a Service's `status.loadBalancer.ingress`."""

    text: str
    """As written."""
    prefix: Prefix | None = None
    """None: it is no address."""
    pool: str = ""
    """The IPAddressPool that owns it; empty: none does."""
    matching: tuple[str, ...] = ()
    """The BGPAdvertisements of that pool that select this node and the Service."""
    unmatched: tuple[str, ...] = ()
    """Those that select this node, but not the Service."""
    elsewhere: tuple[str, ...] = ()
    """Those that select only other nodes."""
    peers: tuple[PeerName, ...] = ()
    """Whom those that match offer it to."""
    sharing: tuple[str, ...] = ()
    """Other Services that want the same route, as `namespace/name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Everything that an agent's decision on one Service rests on."""

    service: str
    """`namespace/name`."""
    load_balancer: bool
    """Whether `spec.type` is LoadBalancer."""
    class_wanted: str = ""
    """`spec.loadBalancerClass`; empty: none."""
    class_served: str = ""
    local: bool = False
    """Whether `spec.externalTrafficPolicy` is Local."""
    addresses: tuple[AddressGrounds, ...] = ()
    endpoints: dict[str, int] = field(default_factory=dict)
    """Endpoints that take traffic, by node; the empty name: on no node that is known."""
    not_serving: int = 0
    """Endpoints that take none."""
    blocked: str = ""
    """Why this node attracts no traffic at all; empty: it may."""
    checks: tuple[str, ...] = ()
    """The HealthChecks that choose it, as `namespace/name`."""
    port_asked: int = 0
    """Its healthCheckNodePort, where its answers count; 0: they do not, or there is none."""
    advertisements: tuple[Advertisement, ...] = ()
    """What was decided to advertise."""
    withheld: tuple[Withheld, ...] = ()
    """What was decided not to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRoute:
    """One prefix at one peer: what the agent wants, what ExaBGP was told, or why nothing."""

    peer: PeerName
    prefix: Prefix
    wanted: Advertisement | None = None
    """What the agent asked for; None: nobody wants it any more."""
    told: Attributes | None = None
    """What ExaBGP was told to send; None: nothing."""
    refused: bool = False
    """Whether ExaBGP would not take it."""
    withheld: Withheld | None = None
    """Why the last gate keeps it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRoutes:
    """What a speaker wants and has told, towards the peers and prefixes that were asked for."""

    node: str
    routes: tuple[PeerRoute, ...] = ()
    """By peer and prefix."""
    established: tuple[PeerName, ...] = ()
    """Whose session is up: nobody else has heard anything."""
    settled: bool = True
    """Whether ExaBGP has confirmed everything that it was told."""
    more: bool = False
    """Whether there are more routes than one answer holds; ask for those after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRoutes:
    """What an agent wants offered, towards the peer that was asked for."""

    node: str
    advertisements: tuple[Advertisement, ...] = ()
    """In no order: to sort ten thousand takes longer than to find them."""
