"""Area `advertisement`: which advertisements mean a Service, and which cannot stand together."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any, Final

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom, attribute, pools_for, route_like
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, in_order, listed
from tests.conformance.selector import HOST

_ADDRESS: Final = "198.51.100.1"


def _pools(names: Iterable[Any]) -> dict[str, Any]:
    """Return a pool for each of *names*."""
    plain = [str(one) for one in names if one not in ("all", "everything")]
    return {
        name: {"addresses": [f"198.51.{100 + number}.0/24"]}
        for number, name in enumerate(dict.fromkeys(plain))
    }


class AdvertisementRoom(NodeRoom):
    """Some nodes, one pool, and advertisements that choose among them."""

    def begin(self) -> None:
        """Put the advertisements in force on every node that the case names."""
        given = self.given
        ads = given.take("ads") or ({"ad": given.take("ad") or {}} if "ad" in given else {})
        self._ads = {name: dict(one or {}) for name, one in ads.items()}
        named = given.take("nodes")
        self._labels = given.take("labels") or {}
        self._nodes = self._all_nodes(named, given.take("me"))
        self.me = self._nodes[0]
        peers = sorted({name for one in self._ads.values() for name in listed(one.get("peers"))})
        self._peers = given.take("peers") or {name: {} for name in peers or ["peer1"]}
        if isinstance(self._peers, list):
            self._peers = {name: {} for name in self._peers}
        named_pools = [p for one in self._ads.values() for p in listed(one.get("pools"))]
        pools = given.take("pools") or _pools(named_pools) or self._default_pools()
        self.agents = {name: Agent(name) for name in self._nodes}
        self.agent = self.agents[self.me]
        self._node_labels: dict[str, dict[str, str]] = {name: {} for name in self._nodes}
        self._pools = self.pools(Fields(pools, "given.pools"))
        self._configure()
        self._announce()

    def _default_pools(self) -> dict[str, Any]:
        announced = self.case.given.get("announced") or {}
        return pools_for(one for addresses in announced.values() for one in listed(addresses))

    def _all_nodes(self, named: Any, me: Any) -> list[str]:
        found = [str(one) for one in listed(me)]
        found += [str(one) for one in listed(named)]
        for one in self._ads.values():
            found += [str(n) for n in listed(one.get("nodes")) if n not in ("all", "everything")]
        return list(dict.fromkeys(found)) or ["node-a"]

    def _configure(self) -> None:
        found: list[Document] = [
            documents.node(name, self._node_labels[name], number=number)
            for number, name in enumerate(self._nodes, 1)
        ]
        found += self._pools
        found += self.peers(Fields(self._peers, "given.peers"), self._nodes)
        found += self.advertisements(Fields(self._ads, "given.ads"), self._nodes)
        self._put(*found)

    def _announce(self) -> None:
        given = self.given
        services: dict[str, Any] = {}
        for name, one in (given.take("announced") or {}).items():
            services[name] = {"ingress": listed(one)}
        for number, (name, labels) in enumerate((given.take("services") or {}).items(), 11):
            services[name] = {"ingress": [f"198.51.100.{number}"], "labels": labels}
        if "service" in given:
            services["svc"] = {"ingress": [_ADDRESS], **dict(given.map("service").items())}
        if not services:
            addresses = [ip_network(p["spec"]["addresses"][0])[1] for p in self._pools]
            services["svc"] = {"ingress": list(map(str, addresses)), "labels": self._labels}
        self._services = services
        for name in services:
            self._put_service(name)
        there = [one for agent in self.agents.values() for one in agent.planner.services.values()]
        for name in self.case.given.get("announced") or {}:
            if not any(self.key(name) in names for names in there):
                raise InexpressibleError(f"{name} shall be announced already and is not")

    def _put_service(self, name: str) -> None:
        service = self.service(name, Fields(self._services[name], f"given.{name}"))
        self._put(service, self.slice_of(service))

    def _put(self, *found: Document) -> None:
        for agent in self.agents.values():
            agent.put(*found)

    # What happens

    def op_select(self, _step: Fields) -> None:
        """Look at which advertisements mean the Service."""
        self.must_hold()

    def op_check_conflict(self, _step: Fields) -> None:
        """Look whether two of them contradict each other anywhere."""
        for agent in self.agents.values():
            refused = [one.message for one in agent.store.problems if one.refused]
            if refused:
                raise InexpressibleError(f"what is given is refused: {'; '.join(refused)}")

    def op_sync(self, _step: Fields) -> None:
        """Look at the routes."""
        self.must_hold()

    def op_label_service(self, step: Fields) -> None:
        """Give the Service labels."""
        self._relabel({str(key): str(one) for key, one in step.rest().items() if key != "svc"})

    def op_unlabel(self, _step: Fields) -> None:
        """Take all labels from the Service."""
        self._relabel({})

    def _relabel(self, labels: Mapping[str, str]) -> None:
        (name,) = self._services
        self._services[name] = {**self._services[name], "labels": dict(labels)}
        self._put_service(name)

    def op_edit(self, step: Fields) -> None:
        """Change fields of the advertisement."""
        (name,) = self._ads
        self._before = {peer: set(found) for peer, found in self.agent.routes.items()}
        self._ads[name] |= step.rest()
        self._configure()
        self.must_hold()

    def op_delete_ad(self, step: Fields) -> None:
        """Delete an advertisement."""
        name = step.take("ad", step.take("name"))
        if name not in self._ads:
            raise InexpressibleError(f"there is no advertisement {name!r}")
        del self._ads[name]
        for agent in self.agents.values():
            agent.drop("BGPAdvertisement", name)

    op_delete_advertisement = op_remove_advertisement = op_delete_ad

    def relabel(self, node: str) -> None:
        """Give *node* the labels that the advertisements of other nodes choose by."""
        for one in self._ads.values():
            for chosen in listed(one.get("nodeSelectors")):
                if str(chosen) in self._nodes:
                    self._node_labels[node][HOST] = str(chosen)
                else:
                    key, _, value = str(chosen).partition("=")
                    self._node_labels[node][key] = value
        self._configure()

    def __getattr__(self, name: str) -> Any:
        """Return the op `relabel NODE to match`, whichever node it is about."""
        found = re.fullmatch(r"op_relabel_(.+)_to_match", name)
        if found is None or found[1] not in self.__dict__.get("_nodes", ()):
            raise AttributeError(name)
        return lambda _step: self.relabel(found[1])

    # What is seen

    def see_ads(self, expected: list[str]) -> object:
        """Return the advertisements that mean the Service on this node."""
        context = self.agent.planner.context
        assert context is not None
        (service,) = self._services.values()
        labels = service.get("labels") or {}
        found = {one.name for rules in context.rules.values() for one in rules.matching(labels)}
        return in_order(sorted(found), expected)

    def see_conflict(self, _expected: bool) -> object:
        """Return whether a clash is reported on any node, be it at once or for the Service."""
        return any(
            "local preference" in sentence and "BGPAdvertisement" in sentence
            for agent in self.agents.values()
            for sentence in (*agent.refusals, *(one.message for one in agent.planner.withheld))
        )

    def see_routes(self, expected: Mapping[str, Any]) -> object:
        """Return the routes of each node, whatever the peer."""
        for name in expected:
            if name not in self.agents:
                raise InexpressibleError(f"there is no node {name}")
        return {
            name: sorted({str(one) for found in self.agents[name].routes.values() for one in found})
            for name in expected
        }

    def see_communities(self, expected: Mapping[str, Any]) -> object:
        """Return the communities of each Service's route."""
        found = {}
        for name in expected:
            (prefix,) = self._prefixes(name)
            (attributes,) = {routes[prefix] for routes in self.agent.routes.values()}
            communities = attribute("communities", prefix, attributes)
            found[name] = in_order(communities, expected[name])
        return found

    def _prefixes(self, name: str) -> list[Any]:
        services = self.agent.planner.services
        found = [one for one, names in services.items() if self.key(name) in names]
        if len(found) != 1:
            raise InexpressibleError(f"{name} has {len(found)} routes")
        return found

    def see_announced(self, _expected: bool) -> object:
        """Return whether anything is announced."""
        return any(self.agent.routes.values())

    def see_then(self, expected: Mapping[str, Any]) -> object:
        """Carry out one more step and return what there is afterwards."""
        step = {key: one for key, one in expected.items() if not hasattr(self, f"see_{key}")}
        rest = {key: one for key, one in expected.items() if key not in step}
        op = step.pop("op")
        method = getattr(self, f"op_{op}", None)
        if method is None:
            raise InexpressibleError(f"then: there is no op {op!r}")
        fields = Fields(step, "then")
        method(fields)
        fields.end()
        after = {key: self.look(key, one) for key, one in rest.items()}
        return {key: after.get(key, one) for key, one in expected.items()}

    def see_route(self, expected: Mapping[str, Any]) -> object:
        """Return the only route that there is."""
        found = {(p, a) for routes in self.agent.routes.values() for p, a in routes.items()}
        if len(found) != 1:
            return [str(prefix) for prefix, _ in sorted(found)]
        ((prefix, attributes),) = found
        return route_like(prefix, attributes, expected)

    def see_old_prefix_withdrawn(self, _expected: bool) -> object:
        """Return whether nothing of before the edit is on the wire."""
        return not any(
            self._before.get(peer, set()) & set(routes)
            for peer, routes in self.agent.routes.items()
        )
