"""Area `endpoints`: which endpoints take traffic, and whether a Service has one."""

from typing import Any, Final

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.room import Fields, InexpressibleError, listed

_PARTS: Final[dict[str, dict[str, Any]]] = {
    "pools": {"p": {"addresses": ["198.51.100.0/24"]}},
    "advertisements": {"ad": {}},
}


class EndpointsRoom(NodeRoom):
    """One Service of policy Cluster, and its endpoints."""

    def begin(self) -> None:
        """Announce the Service, unless its endpoints are against it."""
        given = self.given
        conditions = given.take("conditions")
        endpoints = listed(given.take("endpoints"))
        if conditions is not None:
            endpoints.append({"ready": None, "conditions": conditions})
        service = given.map("service")
        published = service.take("publishNotReadyAddresses", False)
        service.end()
        for pod in given.take("pods") or ():
            fields = Fields(pod, "given.pods")
            # Kubernetes, not we: the endpoint of a Pod is ready if the Service says that all are.
            passing = fields.need("passing_readiness")
            endpoints.append({"ready": published or passing})
            fields.end()
        self.agent = Agent(self.me)
        document = self.service("svc", Fields({"ingress": ["198.51.100.1"]}, "service"))
        self.agent.put(
            documents.node(self.me),
            *self.peers(Fields({"peer1": {}}, "peers")),
            *self.pools(Fields(_PARTS["pools"], "pools")),
            *self.advertisements(Fields(_PARTS["advertisements"], "advertisements")),
        )
        self.must_hold()
        self.agent.put(document, self.slice_of(document, endpoints))
        for number, one in enumerate(given.take("slices") or (), 2):
            found = one.get("endpoints") if isinstance(one, dict) else one
            more = self.slice_of(document, listed(found))
            more["metadata"]["name"] = f"svc-{number}"
            self.agent.put(more)

    def op_can_serve(self, step: Fields) -> None:
        """Look at the only endpoint."""

    def op_any_healthy(self, step: Fields) -> None:
        """Look at all endpoints together."""

    def see_serve(self, _expected: bool) -> object:
        """Return whether the endpoint takes traffic."""
        (one,) = self.agent.store.objects.slices(self.key("svc"))
        if len(one.serving) + one.not_serving != 1:
            raise InexpressibleError("there is more than one endpoint")
        return self._announced() and bool(one.serving)

    def see_healthy(self, _expected: bool) -> object:
        """Return whether the Service is announced, and withheld only for want of endpoints."""
        return self._announced()

    def _announced(self) -> bool:
        announced = any(self.agent.routes.values())
        if not announced and self.agent.reasons(self.key("svc")) != ["NoEndpoints"]:
            raise InexpressibleError(f"it is withheld: {self.agent.planner.withheld}")
        return announced
