"""What the areas about a node share: a case's peers, pools, advertisements, nodes and Services."""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_network
from typing import Any, Final

from bgpd.model.prefix import Prefix
from bgpd.model.route import Attributes
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.case import Case
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, Room, in_order, listed

REASONS: Final[Mapping[str, str]] = {
    "notOwner": "NodeNotSelected",
    "noMatchingAdvertisement": "NoMatchingAdvertisement",
    "conflictingAdvertisements": "ConflictingAdvertisements",
    "nodeNetworkUnavailable": "NodeNetworkUnavailable",
    "nodeLabeledExcludeBalancers": "NodeExcluded",
    "noLocalEndpoints": "NoLocalEndpoints",
    "noEndpoints": "NoEndpoints",
    "notLoadBalancer": "NotLoadBalancer",
    "noIPAllocated": "NoAddress",
    "invalidIP": "InvalidAddress",
    "ipNotAllowed": "AddressNotInPool",
}
"""Upstream's words for why a node does not advertise, and ours (`bgpd.model.reason`)."""
SESSION: Final = {
    "myASN": 64512,
    "peerASN": 64512,
    "takeover": {"lever": "none"},
    "dualStackAddressFamily": True,
}
"""A session whose routes are of both families and carry what an advertisement says, local
preference included."""


class NodeRoom(Room):
    """A case about what a node offers its peers."""

    me = "node-a"
    agent: Agent

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._homes: dict[str, str] = {}
        """The namespace of each Service."""

    def key(self, service: str) -> str:
        """Return `namespace/name` of a Service."""
        usual = self.defaults("service").get("namespace", "default")
        return f"{self._homes.get(service, usual)}/{service}"

    def defaults(self, kind: str) -> dict[str, Any]:
        """Return what the file's `meta.defaults` say of *kind*."""
        return dict(self.case.defaults.get(kind) or {})

    def peers(self, given: Fields, nodes: Collection[str] = ()) -> list[Document]:
        """Return the peers of a map by name."""
        found = []
        for number, (name, value) in enumerate(given.items(), 1):
            fields = {**self.peer_defaults(), **(value or {})}
            if not fields.keys() & {"myASN", "peerASN", "dynamicASN", "localASN", "asn"}:
                fields = SESSION | fields
            one = Fields(fields, f"{given.place}.{name}")
            found.append(documents.peer(name, one, nodes=nodes, filled=True, number=number))
        return found

    def peer_defaults(self) -> dict[str, Any]:
        """Return what every peer of the file has, but for what every peer has anyway."""
        found = self.defaults("peer")
        if found.get("nodeSelectors") == ["everything"]:
            del found["nodeSelectors"]
        if found.get("port") == 179:
            del found["port"]
        return found

    def pools(self, given: Fields) -> list[Document]:
        """Return the pools of a map by name."""
        defaults = self.defaults("pool")
        return [
            documents.pool(name, Fields(value or {}, f"{given.place}.{name}"), defaults)
            for name, value in given.items()
        ]

    def advertisements(self, given: Fields, nodes: Collection[str] = ()) -> list[Document]:
        """Return the advertisements of a map by name."""
        defaults = self.defaults("advertisement")
        return [
            documents.advertisement(
                name, Fields(value or {}, f"{given.place}.{name}"), defaults, nodes
            )
            for name, value in given.items()
        ]

    def service(self, name: str, given: Fields) -> Document:
        """Return a Service as a node sees it."""
        defaults = self.defaults("service")
        namespace = given.take("namespace", defaults.get("namespace", "default"))
        self._homes[name] = namespace
        policy = given.take("externalTrafficPolicy", defaults.get("externalTrafficPolicy"))
        spec = {
            "type": given.take("type", defaults.get("type", "LoadBalancer")),
            "externalTrafficPolicy": given.take("etp", policy),
            "loadBalancerClass": given.take("loadBalancerClass"),
        }
        ingress = [*listed(given.take("ingress")), *listed(given.take("ip"))]
        labels = {str(key): str(one) for key, one in (given.take("labels") or {}).items()}
        given.end()
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {key: one for key, one in spec.items() if one is not None},
            "status": {
                "loadBalancer": {
                    "ingress": [one if isinstance(one, dict) else {"ip": one} for one in ingress]
                }
            },
        }

    def slice_of(self, service: Document, endpoints: Any = None) -> Document:
        """Return the Service's EndpointSlice; by default one endpoint is ready on this node."""
        given = [{}] if endpoints is None else endpoints
        found = [
            documents.endpoint(one, f"endpoints[{place}]", self.defaults("endpoint"), self.me)
            for place, one in enumerate(given)
        ]
        metadata = service["metadata"]
        return documents.endpoint_slice(metadata["name"], metadata["namespace"], found)

    def must_hold(self) -> None:
        """Raise unless everything that is configured holds: else nothing proves anything."""
        if self.agent.refusals:
            raise InexpressibleError(f"what is given is refused: {'; '.join(self.agent.refusals)}")

    def must_announce(self, announced: Mapping[str, Any]) -> None:
        """Raise unless each Service of *announced* is."""
        there = {name for names in self.agent.planner.services.values() for name in names}
        for name in announced:
            if self.key(name) not in there:
                why = "; ".join(one.message for one in self.agent.planner.withheld)
                raise InexpressibleError(f"{name} shall be announced already and is not: {why}")

    # What is seen

    def routes_like(self, peer: str, expected: Any) -> list[Any]:
        """Return what *peer* is offered: each route in as many words as *expected* has of it."""
        shapes = {_prefix(one): one for one in listed(expected)}
        routes = self.agent.routes.get(peer)
        if routes is None:
            raise InexpressibleError(f"there is no session with {peer}")
        return [route_like(prefix, routes[prefix], shapes.get(prefix)) for prefix in sorted(routes)]

    def see_routes(self, expected: Mapping[str, Any]) -> object:
        """Return the routes of each peer; a peer that is not named may hear nothing new."""
        unnamed = [one for one in self.agent.sessions if one not in expected]
        got = {peer: in_order(self.routes_like(peer, one), one) for peer, one in expected.items()}
        return got | {peer: self.routes_like(peer, []) for peer in unnamed}

    def see_sessions(self, expected: list[str]) -> object:
        """Return the names of the peers that have a session, in the case's order."""
        return in_order(self.agent.sessions, expected)


def pools_for(addresses: Iterable[Any]) -> dict[str, Any]:
    """Return a pool that holds *addresses*, and some more."""
    blocks = [
        str(ip_network((str(one), 120 if ":" in str(one) else 24), strict=False))
        for one in addresses
    ]
    return {"p": {"addresses": list(dict.fromkeys(blocks)) or ["198.51.100.0/24"]}}


def route_like(prefix: Prefix, attributes: Attributes, shape: Any) -> Any:
    """Return a route as a case writes it: its prefix, or a map with the keys of *shape*."""
    if not isinstance(shape, Mapping):
        return str(prefix)
    found = {key: attribute(key, prefix, attributes) for key in shape}
    return {
        key: in_order(one, shape[key]) if isinstance(one, list) else one
        for key, one in found.items()
    }


def attribute(key: str, prefix: Prefix, attributes: Attributes) -> Any:
    """Return what a route says of *key*."""
    match key:
        case "prefix":
            return str(prefix)
        case "localPref":
            return attributes.local_pref or 0
        case "med":
            return attributes.med
        case "asPathPrepend":
            return attributes.as_path_prepend
        case "communities":
            large = (f"large:{one}" for one in attributes.large_communities)
            return [*attributes.communities, *large]
        case _:
            raise InexpressibleError(f"a route has no {key}")


def _prefix(one: Any) -> Any:
    return one.get("prefix") if isinstance(one, Mapping) else one
