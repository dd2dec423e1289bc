"""Area `lbclass`: whose Services are ours, as the controller and the agent see it."""

from bgpd.controller.books import Books
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.asking import AskingRoom, request_of
from tests.conformance.cluster import NodeRoom
from tests.conformance.room import Fields, InexpressibleError

_ADDRESS = "198.51.100.1"
_POOL = {"p": {"addresses": ["198.51.100.0/24"]}}


class LoadBalancerClassRoom(AskingRoom, NodeRoom):
    """One Service, and a controller and an agent that may serve a class."""

    service = AskingRoom.service

    def begin(self) -> None:
        """Start both."""
        given = self.given
        flag = given.take("flag") or ""
        wanted = given.take("service_class")
        self._deleted = given.take("service_deleted", False)
        if self._deleted:
            wanted = flag or None
        fields = {"loadBalancerClass": wanted, "has": [_ADDRESS]}
        self._document = self.service("svc", Fields(fields, "given"))
        self.agent = Agent(self.me, load_balancer_class=flag or None)
        self.books = Books(load_balancer_class=flag)
        self.books.configure(self.read_pools(_POOL, "pools"), [])
        self.agent.put(
            documents.node(self.me),
            *self.pools(Fields(_POOL, "pools")),
            *self.peers(Fields({"peer1": {}}, "peers")),
            *self.advertisements(Fields({"ad": {}}, "advertisements")),
        )
        self.must_hold()

    def op_filter(self, _step: Fields) -> None:
        """Show the Service to both, and take it away where the case says so."""
        request = request_of(self._document)
        self.books.seen(request, 0.0)
        while self.books.decide(0.0) is not None:
            pass
        self.agent.put(self._document, NodeRoom.slice_of(self, self._document))
        by_controller = bool(self.books.allocator.addresses_of(request.key))
        by_agent = any(self.agent.routes.values())
        if by_controller != by_agent:
            raise InexpressibleError(f"controller {by_controller} and agent {by_agent} disagree")
        self._handled = by_agent
        if self._deleted:
            self._delete(request.key)

    def _delete(self, key: str) -> None:
        """Delete it; that is handled where nothing of it is left."""
        if not self._handled:
            raise InexpressibleError("a Service that was never handled cannot be missed")
        self.books.gone(key, 0.0)
        self.agent.drop("Service", key)
        left = self.books.allocator.addresses_of(key) or any(self.agent.routes.values())
        self._handled = not left

    def see_handled(self, _expected: bool) -> object:
        """Return whether both act on the Service."""
        return self._handled
