"""The documents of a case that is about what holds and what is refused."""

from collections.abc import Mapping

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, listed


class WrittenRoom(NodeRoom):
    """Documents of every kind, and the nodes that read them."""

    def begin(self) -> None:
        """Write the documents; nobody has read them yet."""
        given = self.given
        if given.take("backend", "native") not in ("native", "frr"):
            raise InexpressibleError("given.backend is not ours")
        nodes_given = given.take("nodes") or ["n1"]
        labels = nodes_given if isinstance(nodes_given, Mapping) else {}
        self._nodes = [str(one) for one in nodes_given]
        # What the nodes are is of no interest to most cases, but a peer may say that it is all.
        self._filled = self.case.area == "validation_frr"
        self._documents: list[Document] = [
            *self._pools(),
            *self._bfd(),
            *self._communities(),
            *self._peers(),
            *self._advertisements(),
        ]
        self._old: list[Document] = []
        if "existing_peer" in given:
            self._old = [documents.peer("p", given.map("existing_peer"), filled=True)]
        self.agents = {name: Agent(name) for name in self._nodes}
        self.agent = self.agents[self._nodes[0]]
        nodes = [
            documents.node(name, labels.get(name), number=n)
            for n, name in enumerate(self._nodes, 1)
        ]
        for agent in self.agents.values():
            agent.put(*nodes, *self._old)
            if agent.refusals:
                raise InexpressibleError(f"what is given is refused: {agent.refusals}")
        self._before = {name: self.agent.session(name) for name in self.agent.sessions}

    def _pools(self) -> list[Document]:
        defaults = self.defaults("pool")
        if self.case.area == "community":
            # A community is seen on what is advertised of a pool.
            return self.pools(Fields({"p": {"addresses": ["198.51.100.0/24"]}}, "pools"))
        listed_ = self._list("pools_list")
        found = [documents.pool(None, one, defaults) for one in listed_]
        return self.pools(self.given.map("pools")) + found

    def _bfd(self) -> list[Document]:
        named = self.given.map("bfd")
        found = [
            documents.bfd(name, Fields(one or {}, f"given.bfd.{name}"))
            for name, one in named.items()
        ]
        if self.case.area != "config":
            # Only there a profile that is missing can be what the case is about.
            peers = self.case.given.get("peers") or []
            every = [*(peers.values() if isinstance(peers, Mapping) else peers)]
            every += [self.case.given.get("peer")]
            missing = {str((one or {}).get("bfdProfile", "")) for one in every} - {"", *self._bfds}
            found += [documents.bfd(name, Fields({}, name)) for name in sorted(missing)]
        return found + [documents.bfd(None, one) for one in self._list("bfd_list")]

    @property
    def _bfds(self) -> set[str]:
        return set(self.case.given.get("bfd") or {})

    def _communities(self) -> list[Document]:
        found = []
        for name, values in self.given.map("aliases").items():
            found.append(documents.community(name, values))
        return found

    def _peers(self) -> list[Document]:
        peers = self.given.take("peers") or {}
        if isinstance(peers, list):
            peers = {f"p{number}": one for number, one in enumerate(peers, 1)}
        if "peer" in self.given:
            peers = {**peers, "p": self.given.take("peer")}
        filled = self._filled or self.case.area == "validation_native"
        found = [
            documents.peer(
                name,
                Fields({**self.peer_defaults(), **(one or {})}, f"given.peers.{name}"),
                nodes=self._nodes,
                filled=filled,
                number=number,
            )
            for number, (name, one) in enumerate(peers.items(), 1)
        ]
        listed_ = self._list("peers_list")
        if not peers and not listed_ and "existing_peer" not in self.given:
            found = self._unnamed_peers()
        return found + [documents.peer(None, one, filled=False) for one in listed_]

    def _unnamed_peers(self) -> list[Document]:
        """Return the peers that advertisements name, or one that all of them reach."""
        ads = [*(self.case.given.get("advertisements") or {}).values()]
        ads += listed(self.case.given.get("advertisements_list"))
        names = sorted({name for one in ads for name in listed((one or {}).get("peers"))})
        if not ads:
            return []
        return self.peers(Fields({name: {} for name in names or ["peer1"]}, "peers"))

    def _advertisements(self) -> list[Document]:
        defaults = self.defaults("advertisement")
        listed_ = self._list("advertisements_list")
        found = [documents.advertisement(None, one, defaults, self._nodes) for one in listed_]
        if "value" in self.given:
            value = Fields({"communities": [self.given.take("value")]}, "given.value")
            found.append(documents.advertisement("a", value, defaults))
        return self.advertisements(self.given.map("advertisements"), self._nodes) + found

    def _list(self, key: str) -> list[Fields]:
        given = self.given.take(key) or []
        return [Fields(one or {}, f"given.{key}[{place}]") for place, one in enumerate(given)]
