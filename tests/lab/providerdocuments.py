"""What a provider tells a node of the lab: its metadata, in the shape of the real one. Pure."""

from collections.abc import Mapping
from typing import Any

from tests.lab.plan import Plan, number
from tests.lab.provider import LINODE_SITE, ProviderName, Site
from tests.lab.providernet import site_of

Document = dict[str, Any]
Passwords = Mapping[int, str]
"""Router, from 1 -> the password of its session with the node, where it is not the site's."""

PASSWORD_DIRECTORY = "/var/lib/provider"  # noqa: S105 - where it is, not what it is
"""On a node, where the password is the customer's to bring."""

PATHS = {ProviderName.PACKET: "/metadata", ProviderName.VULTR: "/v1.json"}


def metadata(plan: Plan, passwords: Mapping[str, Passwords]) -> dict[str, dict[str, Document]]:
    """Return source address -> path -> document, for every node of *plan*."""
    site = site_of(plan)
    if not site.metadata:
        return {}
    write = packet if site.name is ProviderName.PACKET else vultr
    found: dict[str, dict[str, Document]] = {}
    for name in plan.names:
        document = write(site, name, passwords.get(name, {}))
        own = {PATHS[site.name]: document}
        found |= {site.public(number(name), 4): own, site.node(number(name), 4): own}
    return found


def packet(site: Site, name: str, passwords: Passwords) -> Document:
    """Return the document of one server at Packet: a neighbor for each password."""
    index = number(name)
    peers: dict[str, list[str]] = {}
    for router, address in enumerate(site.routers[4], start=1):
        peers.setdefault(passwords.get(router, site.password), []).append(address)
    neighbors = [
        {
            "address_family": 4,
            "customer_as": site.node_asn,
            "customer_ip": site.node(index, 4),
            "md5_enabled": True,
            "md5_password": password,
            "multihop": True,
            "peer_as": site.router_asn,
            "peer_ips": addresses,
            "routes_in": [{"exact": False, "route": "203.0.113.0/24"}],
            "routes_out": [],
        }
        for password, addresses in peers.items()
    ]
    private = (site.node(index, 4), 31, site.gateway(index, 4))
    elastic = (f"10.99.183.{index}", 32, f"10.99.183.{index}")
    addresses = [
        _address(4, (site.public(index, 4), 31, site.public_gateway(index, 4)), public=True),
        _address(6, (site.public(index, 6), 64, site.public_gateway(index, 6)), public=True),
        _address(4, private, public=False),
        _address(4, elastic, public=False, management=False),
    ]
    return {
        "id": f"00000000-0000-0000-0000-{index:012}",
        "hostname": name,
        "bgp_neighbors": neighbors,
        "network": {"bonding": {"mode": 4}, "addresses": addresses},
    }


def _address(
    family: int, found: tuple[str, int, str], *, public: bool, management: bool = True
) -> Document:
    address, bits, gateway = found
    return {
        "address": address,
        "address_family": family,
        "cidr": bits,
        "enabled": True,
        "gateway": gateway,
        "global_ip": None,
        "manageable": True,
        "management": management,
        "public": public,
    }


def vultr(site: Site, name: str, _passwords: Passwords) -> Document:
    """Return the document of one instance at Vultr, all of it strings."""
    index = number(name)
    return {
        "bgp": {
            f"ipv{version}": {
                "my-address": site.node(index, version),
                "my-asn": str(site.node_asn),
                "peer-address": site.routers[version][0],
                "peer-asn": str(site.router_asn),
            }
            for version in (4, 6)
        },
        "hostname": name,
        "instanceid": f"{index:012}",
        "region": {"regioncode": "EWR"},
    }


def misled(plan: Plan, name: str) -> list[Document]:
    """Return the BGPPeers by which node *name* alone takes its default gateway to the routers."""
    (usual,) = peers(plan)
    one = {"key": "kubernetes.io/hostname", "values": [name]}
    others = [{"matchExpressions": [{**one, "operator": "NotIn"}]}]
    only = [{"matchExpressions": [{**one, "operator": "In"}]}]
    wrong = {**usual["spec"], "gateway": "default", "nodeSelectors": only}
    return [
        {**usual, "spec": {**usual["spec"], "nodeSelectors": others}},
        {**usual, "metadata": {**usual["metadata"], "name": "misled"}, "spec": wrong},
    ]


def peers(plan: Plan) -> list[Document]:
    """Return the one BGPPeer that stands for every session with the provider's routers."""
    if plan.site is None:
        return []
    spec: Document = {"provider": plan.site.name.value}
    if plan.site.name is ProviderName.LINODE:
        spec["providerSite"] = str(LINODE_SITE)
    if plan.site.password and not plan.site.told:
        spec["passwordFile"] = f"{PASSWORD_DIRECTORY}/password"
    takeover = {"mode": plan.takeover, "lever": plan.lever}
    if any(takeover.values()):
        spec["takeover"] = {key: word for key, word in takeover.items() if word is not None}
    return [
        {
            "apiVersion": "bgpd.io/v1alpha1",
            "kind": "BGPPeer",
            "metadata": {"name": plan.site.name.value, "namespace": "bgpd-system"},
            "spec": spec,
        }
    ]
