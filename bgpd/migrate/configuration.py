"""MetalLB's configuration: what of each object bgpd does not do, or does differently.

Only what the copy alone cannot tell stands here. That a value is legal says whoever reads the
copy; see `bgpd.migrate.check`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from bgpd.migrate.finding import Finding, Verdict, about
from bgpd.migrate.found import (
    FRR_K8S,
    MANIFEST_NAMESPACE,
    Document,
    Found,
    key_of,
    labels_of,
    listed,
    name_of,
    namespace_of,
    spec_of,
)
from bgpd.migrate.workload import generated

COPIED: Final = ("IPAddressPool", "BGPAdvertisement", "Community", "BFDProfile", "BGPPeer")
"""The kinds that have a twin of ours, in the order in which they are written."""

_PERSON, _DIFFERS = Verdict.PERSON, Verdict.DIFFERS

_STOPPERS: Final[Mapping[str, str]] = {
    "vrf": "a session in a VRF is not supported; bgpd opens none",
    "interface": "a session over an interface without addresses is not supported; bgpd opens none",
    "dynamicASN": "an ASN that is not named is not supported; bgpd opens no session",
}
"""Fields of a BGPPeer without which it would be another session."""
_INSTEAD: Final[Mapping[str, str]] = {
    "vrf": "give the router an address in the default VRF, or leave its nodes to MetalLB",
    "interface": "set spec.peerAddress in its place",
    "dynamicASN": "set spec.peerASN in its place",
}
NO_PEER_FIELDS: Final = frozenset({"disableMP"})
"""Fields of a BGPPeer that mean nothing, there or here."""


def configuration(found: Found) -> Iterator[Finding]:
    """Yield what a person should know about MetalLB's own objects."""
    for peer in found.metallb("BGPPeer"):
        yield from _peer(peer, found)
    yield from _same_addresses(found.metallb("BGPPeer"))
    for profile in found.metallb("BFDProfile"):
        yield from _profile(profile)
    for one in found.metallb("L2Advertisement"):
        yield about(
            one,
            _PERSON,
            "",
            f"bgpd does not answer ARP or NDP, so nobody attracts {_of_pools(one, found)} by it",
            "advertise these pools over BGP as well, or leave them to MetalLB",
        )
    yield from _foreign(found)
    yield from _twins(found)


def _peer(peer: Document, found: Found) -> Iterator[Finding]:
    spec = spec_of(peer)
    for field, what in _STOPPERS.items():
        if spec.get(field):
            yield about(peer, _PERSON, f"spec.{field}", what, _INSTEAD[field])
    mine = spec.get("localASN") or spec.get("myASN")
    if mine is not None and mine == spec.get("peerASN"):
        yield about(
            peer,
            _DIFFERS,
            "",
            "routes of an iBGP session carry LOCAL_PREF 100 until the end, as FRR's do; MetalLB's"
            " native speaker says 0, so there the nodes that were moved attract all traffic",
            "set spec.localPref in the BGPAdvertisements of both for the time of the walk",
        )
    if secret := _secret_of(peer):
        yield from _password(peer, secret, found)


def _password(peer: Document, name: str, found: Found) -> Iterator[Finding]:
    if not found.live:
        return
    where = password_namespace(peer)
    for secret in found.of("Secret", ""):
        if (namespace_of(secret), name_of(secret)) == (where, name):
            data = secret.get("data")
            if isinstance(data, Mapping) and data.get("password"):
                return
    yield about(
        peer,
        _PERSON,
        "spec.passwordSecret",
        f"there is no Secret {where}/{name} with the key password",
        "make it, or correct the name",
    )


def password_namespace(peer: Document) -> str:
    """Return the namespace of the Secret that *peer* takes its password from."""
    reference = spec_of(peer).get("passwordSecret")
    named = reference.get("namespace") if isinstance(reference, Mapping) else None
    return str(named or namespace_of(peer) or MANIFEST_NAMESPACE)


def _secret_of(peer: Document) -> str:
    reference = spec_of(peer).get("passwordSecret")
    return str(reference.get("name") or "") if isinstance(reference, Mapping) else ""


def secret_of(peer: Document) -> tuple[str, str] | None:
    """Return namespace and name of the Secret that *peer* takes its password from, if any."""
    name = _secret_of(peer)
    return (password_namespace(peer), name) if name else None


def _same_addresses(peers: tuple[Document, ...]) -> Iterator[Finding]:
    """Yield peers that every node would have twice: a session is known by its address here."""
    everywhere = [one for one in peers if not spec_of(one).get("nodeSelectors")]
    counted = Counter(str(spec_of(one).get("peerAddress") or "") for one in everywhere)
    for peer in everywhere:
        address = str(spec_of(peer).get("peerAddress") or "")
        if address and counted[address] > 1:
            yield about(
                peer,
                _PERSON,
                "spec.peerAddress",
                f"{counted[address]} peers with the address {address} and without nodeSelectors:"
                " bgpd has one session with an address",
                "keep one of them",
            )


def _profile(profile: Document) -> Iterator[Finding]:
    if spec_of(profile).get("echoMode"):
        yield about(
            profile,
            _PERSON,
            "spec.echoMode",
            "BFD's echo function is not supported: sessions go on with control packets alone",
            "use receiveInterval and transmitInterval of the time that you want",
        )


def _of_pools(advertisement: Document, found: Found) -> str:
    """Return which addresses an advertisement is about, for a sentence."""
    spec = spec_of(advertisement)
    names = [str(one) for one in listed(spec.get("ipAddressPools"))]
    if spec.get("ipAddressPoolSelectors"):
        return "the addresses of the pools that it selects"
    if names:
        return f"the addresses of {', '.join(names)}"
    pools = ", ".join(name_of(one) for one in found.metallb("IPAddressPool"))
    return f"the addresses of {pools or 'any pool'}"


def _foreign(found: Found) -> Iterator[Finding]:
    for one in found.of("FRRConfiguration", FRR_K8S):
        if not generated(one):
            yield about(
                one,
                _PERSON,
                "",
                "is not read: bgpd has no FRR, and what it says of other sessions, received routes"
                " or raw configuration is lost with MetalLB's FRR",
                "run an FRR of your own for it on another address, or do without",
            )
    for one in found.of("ConfigMap", ""):
        if name_of(one) == "bgpextras" and "metallb" in namespace_of(one) + str(labels_of(one)):
            yield about(
                one,
                _PERSON,
                "data.extras",
                "raw FRR configuration is not read",
                "see in docs/reference/custom-resources.md whether a field says the same",
            )
    for one in found.metallb("AddressPool"):
        yield about(
            one,
            _PERSON,
            "",
            "AddressPool went with MetalLB 0.13; it is not read",
            "turn it into an IPAddressPool and a BGPAdvertisement",
        )


def _twins(found: Found) -> Iterator[Finding]:
    """Yield objects of one kind and name in two namespaces: ours are known by name alone."""
    for kind in COPIED:
        counted = Counter(map(name_of, found.metallb(kind)))
        places = Counter(map(key_of, found.metallb(kind)))
        for one in found.metallb(kind):
            if counted[name_of(one)] == 1:
                continue
            if places[key_of(one)] > 1:
                what, todo = "stands twice in what was read", "remove one of them"
            else:
                what = "has a twin in another namespace; MetalLB reads its own namespace alone"
                todo = "remove the one that MetalLB does not read"
            yield about(one, _PERSON, "metadata.name", what, todo)
