"""Area `speaker`: Services and endpoints in, routes to each peer out."""

from collections.abc import Mapping
from typing import Any, Final

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.case import Map
from tests.conformance.cluster import REASONS, NodeRoom
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, listed

_SERVICE: Final = "svc"
"""The name of a Service that a case does not name."""
EVENTS: Final[Mapping[str, str]] = {"nodeAssigned": "Advertised"}
"""Upstream's reasons of Events, and ours."""


class SpeakerRoom(NodeRoom):
    """A node, its peers, and Services that come and go."""

    def begin(self) -> None:
        """Put in force what is configured, and announce what is announced already."""
        given = self.given
        fixture = given.map("fixture")
        self.me = given.take("me", fixture.take("me", self.me))
        config = given.take("config", fixture.take("config"))
        if config not in (None, "none"):
            raise InexpressibleError(f"given.config {config!r} is not `none`")
        parts = {
            key: given.map(key) if key in given else fixture.map(key)
            for key in ("peers", "pools", "advertisements")
        }
        for key in parts:
            fixture.take(key)
            if config == "none":
                given.take(key)
                parts[key] = Fields({}, key)
        fixture.end()
        self._endpoints = given.take("endpoints")
        self._repeated = given.take("sync_repeated", 1)
        self._node_labels = given.take("node_labels") or {}
        self._conditions = given.take("node_conditions") or {}
        options = {"ignore_exclude_label": True} if given.take("ignoreExcludeLB") else {}
        names = {self.me, *given.take("nodes", [])}
        names |= {one["node"] for one in self._endpoints or () if "node" in one}
        self._last = _SERVICE
        self._waiting = self._services()
        self.agent = Agent(self.me, **options)
        self._nodes = sorted(names)
        self.agent.put(
            *(self._node(one) for one in self._nodes),
            *self.pools(parts["pools"]),
            *self.peers(parts["peers"], names),
            *self.advertisements(parts["advertisements"], names),
        )
        self.must_hold()
        self._announce(given.take("announced") or {})
        self._before = {name: set(routes) for name, routes in self.agent.routes.items()}
        self.agent.exabgp.updates.clear()
        self.agent.events.clear()

    def _node(self, name: str) -> Document:
        number = self._nodes.index(name) + 1
        if name != self.me:
            return documents.node(name, number=number)
        return documents.node(name, self._node_labels, self._conditions, number=number)

    def _announce(self, announced: Map) -> None:
        for name, addresses in announced.items():
            service = self.service(
                name, Fields({"ingress": listed(addresses)}, f"announced.{name}")
            )
            self.agent.put(service, self.slice_of(service))
            self._last = name
        self.must_announce(announced)

    def _services(self) -> list[tuple[str, Fields]]:
        """Return the Services that the first `sync` brings."""
        found = [
            (name, Fields(value or {}, f"given.services.{name}"))
            for name, value in self.given.map("services").items()
        ]
        if "service" in self.given:
            one = self.given.map("service")
            found.append((one.take("name", _SERVICE), one))
        return found

    # What happens

    def op_set_config(self, step: Fields) -> None:
        """Replace every object of the kinds that the step names; without any, look at `given`."""
        for key, kind, read in (
            ("pools", "IPAddressPool", self.pools),
            ("peers", "BGPPeer", self.peers),
            ("advertisements", "BGPAdvertisement", self.advertisements),
        ):
            if key not in step:
                continue
            found = read(step.map(key))
            kept = {one["metadata"]["name"] for one in found}
            for name in [one.name for one in self.agent.store.objects if one.kind == kind]:
                if name not in kept:
                    self.agent.drop(kind, name)
            self.agent.put(*found)

    def op_sync(self, _step: Fields) -> None:
        """Bring the Services of `given`, and look again as often as the case says."""
        for name, fields in self._waiting:
            endpoints = fields.take("endpoints", self._endpoints)
            service = self.service(name, fields)
            self.agent.put(service, self.slice_of(service, endpoints))
            self._last = name
        self._waiting = []
        for _ in range(self._repeated - 1):
            self.agent.pass_again()

    def op_update(self, step: Fields) -> None:
        """Change fields of a Service."""
        self._last = name = step.need("svc")
        old = self.agent.document("Service", self.key(name))
        changes = step.rest()
        kept = {
            "namespace": old["metadata"]["namespace"],
            "labels": old["metadata"]["labels"],
            "ingress": old["status"]["loadBalancer"]["ingress"],
            **old["spec"],
        }
        if "etp" in changes:
            kept.pop("externalTrafficPolicy", None)
        endpoints = changes.pop("endpoints", None)
        service = self.service(name, Fields(kept | changes, "action"))
        self.agent.put(service)
        if endpoints is not None:
            self.agent.put(self.slice_of(service, endpoints))

    def op_endpoints(self, step: Fields) -> None:
        """Replace the endpoints of a Service."""
        self._last = name = step.take("svc", self._last)
        service = self.agent.document("Service", self.key(name))
        self.agent.put(self.slice_of(service, step.need("endpoints")))

    op_set_endpoints = op_update_endpoints = op_endpoints

    def op_delete(self, step: Fields) -> None:
        """Delete a Service."""
        self._last = step.need("svc")
        self.agent.drop("Service", self.key(self._last))

    def op_remove_peer(self, step: Fields) -> None:
        """Delete a peer."""
        self.agent.drop("BGPPeer", step.need("peer"))

    op_delete_peer = op_remove_peer

    def op_add_peer(self, step: Fields) -> None:
        """Add a peer."""
        named = step.take("peer")
        found = step.rest()
        self.agent.put(*self.peers(Fields({named: found} if named else found, "action")))

    # What is seen

    def see_reason(self, expected: str) -> object:
        """Return why the last Service is not advertised, in upstream's words."""
        if expected not in (*REASONS, "serviceDeleted", "loadBalancerIPChanged"):
            raise InexpressibleError(f"reason {expected!r} has no counterpart")
        found = self.agent.reasons(self.key(self._last))
        back = {ours: theirs for theirs, ours in REASONS.items()}
        if not found and self.agent.store.objects.service(self.key(self._last)) is None:
            return "serviceDeleted"
        now = {name: set(routes) for name, routes in self.agent.routes.items()}
        if not found and any(self._before.get(one, set()) - now[one] for one in now):
            return "loadBalancerIPChanged" if any(now.values()) else "none"
        return back.get(found[0], found[0]) if found else "none: it is advertised"

    def see_updates_on_wire(self, _expected: int) -> object:
        """Return how many UPDATE messages the steps were worth, over all peers."""
        return sum(
            len(change.advertise) + bool(change.withdraw)
            for update in self.agent.exabgp.updates
            for change in update.peers
        )

    def see_events(self, expected: Map) -> object:
        """Return how many Events of each reason there were."""
        for one in expected:
            if one not in EVENTS:
                raise InexpressibleError(f"Event {one!r} has no counterpart")
        reasons = [one.reason for one in self.agent.events]
        return {one: reasons.count(EVENTS[one]) for one in expected}

    def see_rule(self, expected: str) -> object:
        """Return *expected* where a condition names the clash on a shared address."""
        if not {"clash", "report"} <= set(expected.replace(",", " ").split()):
            raise InexpressibleError(f"want.rule {expected!r} has no fixed reading")
        planner = self.agent.planner
        told = {one.type for one in planner.conditions}
        told |= {one.reason.value for one in planner.withheld}
        clash = "ConflictingAdvertisements" in told
        return expected if clash else "no condition speaks of a clash"

    def see_localPref_of_route(self, _expected: Any) -> object:  # noqa: N802 - the schema's word
        """Return the local preferences on the wire, as one number where they agree."""
        found = sorted({a.local_pref or 0 for r in self.agent.routes.values() for a in r.values()})
        return found[0] if len(found) == 1 else found
