"""Area `status`: what a node's status says of Services, sessions and mistakes, and when."""

from collections.abc import Mapping
from typing import Any, Final

from bgpd.kube.nodestatus import document
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.room import Fields, InexpressibleError, in_order

_NUMBERS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_INCLUDE: Final = "session state and since-when"
_BOTH: Final = ["p1", "p2"]


class StatusRoom(NodeRoom):
    """A node with peers and Services, and its BGPNodeStatus."""

    def begin(self) -> None:
        """Announce what is announced already."""
        given = self.given
        self._invalid: list[str] = []
        self._errors: list[int] = []
        peers = given.take("peers", _BOTH)
        if isinstance(peers, str):
            self._invalid = [f"bad{number}" for number in range(1, _count(peers) + 1)]
            peers = []
        services = dict(given.take("services") or {})
        only = given.map("service")
        if "service" in given:
            services[only.take("name", "svc")] = only.take("announced", True)
        only.end()
        ads = given.take("ads") or {"a": {}}
        named = list(peers) if isinstance(peers, list) else []
        self.agent = Agent(self.me)
        self.agent.put(
            documents.node(self.me),
            *self.pools(Fields({"p": {"addresses": ["198.51.100.0/24"]}}, "pools")),
            *self.peers(Fields({n: {} for n in named} if named else dict(peers or {}), "peers")),
            *self.advertisements(Fields(ads, "given.ads")),
        )
        self.must_hold()
        self._names = list(services)
        for name, state in services.items():
            if state in (True, "announced"):
                self._announce(name)
            elif state not in (False, None, "absent"):
                raise InexpressibleError(f"given.services.{name}: {state!r}")
        self._before = self._document()

    def _announce(self, name: str) -> None:
        number = self._names.index(name) + 1
        service = self.service(name, Fields({"ingress": [f"198.51.100.{number}"]}, name))
        self.agent.put(service, self.slice_of(service))
        self.must_announce({name: None})

    def _document(self) -> dict[str, Any]:
        status = self.agent.status
        found: dict[str, Any] = document(status, now=1e9, problems=self.agent.store.problems)[
            "status"
        ]
        return found

    # What happens

    def op_read_status(self, step: Fields) -> None:
        """Look at the status."""

    def op_add(self, step: Fields) -> None:
        """Create a Service."""
        name = step.need("svc")
        if name not in self._names:
            self._names.append(name)
        self._announce(name)

    def op_update(self, step: Fields) -> None:
        """Write a Service again, as it is."""
        name = step.need("svc")
        self.agent.put(self.agent.document("Service", self.key(name)))

    def op_remove_peer(self, step: Fields) -> None:
        """Delete a peer."""
        self.agent.drop("BGPPeer", step.need("peer"))

    def op_add_peer(self, step: Fields) -> None:
        """Create a peer."""
        self.agent.put(*self.peers(Fields({step.need("peer"): {}}, "action")))

    def op_delete(self, step: Fields) -> None:
        """Delete a Service."""
        self.agent.drop("Service", self.key(step.need("svc")))

    def op_delete_them_one_by_one(self, _step: Fields) -> None:
        """Create all the invalid peers, and delete one after the other."""
        for name in self._invalid:
            self.agent.put(documents.peer(name, Fields({"holdTime": "1s"}, name), filled=True))
        self._note()
        for name in self._invalid:
            self.agent.drop("BGPPeer", name)
            self._note()

    def _note(self) -> None:
        problems = self._document()["configuration"].get("problems", [])
        self._errors.append(len({one["name"] for one in problems if one["refused"]}))

    # What is seen

    def _rows(self, status: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return the peers of each Service of a status."""
        found: dict[str, set[str]] = {}
        for row in status.get("routes", []):
            for service in row["services"]:
                found.setdefault(service.partition("/")[2], set()).update(row["peers"])
        return {name: sorted(peers) for name, peers in found.items()}

    def see_peers_of_service(self, expected: list[str]) -> object:
        """Return the peers that hear of the only Service."""
        (found,) = self._rows(self._document()).values()
        return in_order(found, expected)

    def see_peers_of(self, expected: Mapping[str, Any]) -> object:
        """Return the peers that hear of each Service."""
        found = self._rows(self._document())
        return {name: in_order(found.get(name, []), one) for name, one in expected.items()}

    def see_include(self, expected: str) -> object:
        """Return *expected* where each peer of the Service has a session's state and time."""
        if expected != _INCLUDE:
            raise InexpressibleError(f"want.include {expected!r} has no fixed reading")
        status = self._document()
        named = {peer for peers in self._rows(status).values() for peer in peers}
        sessions = {one["peer"]: one for one in status.get("sessions", [])}
        bare = [one for one in sorted(named) if not _timed(sessions.get(one, {}))]
        return expected if named and not bare else f"without: {', '.join(bare) or 'all'}"

    def see_notified(self, expected: list[str]) -> object:
        """Return the Services of which the status says something else than before."""
        return in_order(self._changed(), expected)

    def see_not_notified(self, expected: list[str]) -> object:
        """Return those of *expected* of which the status says the same as before."""
        changed = self._changed()
        return in_order([one for one in self._names if one not in changed], expected)

    def _changed(self) -> list[str]:
        before, after = self._rows(self._before), self._rows(self._document())
        names = sorted(before.keys() | after.keys())
        return [one for one in names if before.get(one) != after.get(one)]

    def see_all_errors_at_once(self, _expected: bool) -> object:
        """Return whether the status named every mistake that there was, at every moment."""
        count = len(self._invalid)
        return bool(count) and self._errors == list(range(count, -1, -1))

    def see_first_error_reported_each_time(self, _expected: bool) -> object:
        """Return whether the status named one mistake at a time, however many there were."""
        return self._errors == [1] * len(self._invalid) + [0]

    def see_final(self, _expected: str) -> object:
        """Return `Valid` or `Invalid`."""
        for one in self._document()["conditions"]:
            if one["type"] == "ConfigurationValid":
                return "Valid" if one["status"] == "True" else "Invalid"
        return "Unknown"


def _timed(session: Mapping[str, Any]) -> bool:
    return bool(session.get("state")) and bool(session.get("since"))


def _count(words: str) -> int:
    first, _, rest = words.partition(" ")
    if first not in _NUMBERS or "invalid" not in rest:
        raise InexpressibleError(f"given.peers: {words!r} is no number of invalid ones")
    return _NUMBERS[first]
