"""The wire form of what an agent added to its node's network, as a BGPNodeStatus shows it."""

from typing import Annotated, Final

from msgspec import Meta, field

from bgpd.kube.statusform import (
    SHORT,
    SHORTER,
    AddressText,
    Form,
    Name,
    PrefixText,
    Word,
    number,
    says,
)

MOST_BOUND: Final = 32
"""Of elastic IPs on the host, and of routes to routers; `host.bound` has the whole number."""
MOST_HOPS: Final = 2
MOST_HITCHES: Final = 8
"""Things that are wrong with the node's network."""


class HostRouteForm(Form, kw_only=True):
    """One host route of ours to a router."""

    destination: Annotated[PrefixText, Meta(description="The router as a /32 or /128.")]
    via: Annotated[list[Word], says("Next hops.", most=MOST_HOPS)] = field(default_factory=list)
    source: Annotated[AddressText, Meta(description="Source of what goes there.")] | None = None
    peer: Annotated[Name, Meta(description="The session that it is for.")] = ""
    state: Annotated[Word, Meta(description="Present, Missing or LeftAlone.")]
    detail: Annotated[str, says("Why it is not there, in a sentence.", most=SHORTER)] = ""


class HostAddressForm(Form, kw_only=True):
    """One elastic IP that is to be on the host."""

    address: Annotated[AddressText, Meta(description="The elastic IP.")]
    state: Annotated[Word, Meta(description="Present, Missing or LeftAlone.")]
    detail: Annotated[str, says("Why it is not there, in a sentence.", most=SHORTER)] = ""


class HostForm(Form, kw_only=True):
    """What the agent added to the node's network."""

    interface: Annotated[Word, Meta(description="Where elastic IPs are; absent: nowhere.")] = ""
    interface_kind: Annotated[Word, Meta(description="What it is: dummy, bridge or loopback.")] = ""
    routes: Annotated[list[HostRouteForm], says("Routes to routers.", most=MOST_BOUND)] = field(
        default_factory=list
    )
    addresses: Annotated[
        list[HostAddressForm],
        says(
            "Elastic IPs on the host, those not there first; no more than fit, `bound` has all.",
            most=MOST_BOUND,
        ),
    ] = field(default_factory=list)
    bound: Annotated[int, number("Elastic IPs that are on the host.")] = 0
    restored: Annotated[
        int, number("How often something was put back that another program took away.")
    ] = 0
    quarrel: Annotated[
        bool, Meta(description="Whether that happens so often that it is put back more slowly.")
    ] = False
    problems: Annotated[
        list[Annotated[str, Meta(max_length=SHORT)]],
        says("What could not be done, or keeps packets away.", most=MOST_HITCHES),
    ] = field(default_factory=list)
