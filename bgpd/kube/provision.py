"""From the fields of a BGPPeer that name a provider to the choice that they make together.

A provider fills in what the document leaves out, so what is required without one is optional with
it. An option that would do nothing for the provider that is named is refused: it was meant for
something.
"""

from collections.abc import Iterator
from typing import Final

from bgpd.kube import objects
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import parse_path, parse_provider_url, parse_site
from bgpd.model.provider import ProviderChoice, ProviderKind

ASKED: Final = (
    ProviderKind.PACKET,
    ProviderKind.VULTR,
    ProviderKind.CHERRY,
    ProviderKind.PHOENIXNAP,
)
"""Providers that are asked by HTTP, and so have a URL."""
LOCATED: Final = (ProviderKind.PHOENIXNAP, ProviderKind.LINODE)
"""Providers whose answer depends on the data center."""

NOT_ASKED: Final = f"is for the providers {', '.join(ASKED)}, which are asked by HTTP; remove it"
NOT_LOCATED: Final = f"is for the providers {' and '.join(LOCATED)}; remove it"
NO_SITE: Final = "is required with provider linode: the number or the name of the data center"
NO_URL: Final = "is required with provider cherry: the server's place in the API"
PROVIDER: Final = "spec.provider"
NO_PROVIDER: Final = "needs spec.provider"
BESIDE: Final = "cannot stand beside spec.provider; remove one"

SESSION_FIELDS: Final = {
    "address": "peer_address",
    "peer_asn": "peer_asn",
    "max_prefixes": "max_prefixes",
}
"""Fields of a BGPPeer that are stated where the field of the wire form has a value."""


def choice(spec: objects.BGPPeerSpec, faults: Faults) -> ProviderChoice | None:
    """Return the provider that *spec* names, or None."""
    url = faults.parsed("spec.providerURL", spec.provider_url, parse_provider_url)
    token = faults.parsed("spec.providerTokenFile", spec.provider_token_file, parse_path)
    site = faults.parsed("spec.providerSite", spec.provider_site, parse_site)
    # Of a provider that is misspelled nobody knows what stands beside it rightly.
    for path, what in () if faults.told(PROVIDER) else _contradictions(spec):
        faults.rule(path, what)
    if spec.provider is None:
        return None
    return ProviderChoice(
        kind=spec.provider, url=url or "", token_file=token or "", site=site or ""
    )


def alone(spec: objects.BGPPeerSpec, faults: Faults) -> bool:
    """Return whether *spec* has to say everything itself, because it means no provider."""
    return spec.provider is None and not faults.told(PROVIDER)


def stated(spec: objects.BGPPeerSpec) -> frozenset[str]:
    """Return what *spec* says itself, by the names of `BGPPeer`'s fields, beside a provider."""
    if spec.provider is None:
        return frozenset()
    says = {
        **{name: bool(getattr(spec, wire)) for name, wire in SESSION_FIELDS.items()},
        "local_asn": bool(spec.local_asn or spec.my_asn),
        "hold_time": bool(spec.hold_time or spec.keepalive_time)
        or spec.hold_time_seconds is not None,
        "families": bool(spec.families or spec.dual_stack_address_family),
        "lever": bool(spec.takeover and spec.takeover.lever),
    }
    return frozenset(name for name, said in says.items() if said)


def _contradictions(spec: objects.BGPPeerSpec) -> Iterator[tuple[str, str]]:
    """Yield the fields that cannot stand where they do, and why."""
    options = {
        "spec.providerURL": (spec.provider_url, ASKED, NOT_ASKED),
        "spec.providerTokenFile": (spec.provider_token_file, ASKED, NOT_ASKED),
        "spec.providerSite": (spec.provider_site, LOCATED, NOT_LOCATED),
    }
    for path, (value, kinds, what) in options.items():
        if value and spec.provider is None:
            yield path, NO_PROVIDER
        elif value and spec.provider not in kinds:
            yield path, what
    if spec.provider is None:
        return
    if spec.provider is ProviderKind.LINODE and not spec.provider_site:
        yield "spec.providerSite", NO_SITE
    if spec.provider is ProviderKind.CHERRY and not spec.provider_url:
        yield "spec.providerURL", NO_URL
    others = {
        "spec.interface": spec.interface,
        "spec.dynamicASN": spec.dynamic_asn,
        "spec.vrf": spec.vrf,
    }
    for path, text in others.items():
        if text:
            yield path, BESIDE
