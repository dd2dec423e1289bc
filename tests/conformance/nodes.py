"""Area `node`: what a Node says of itself, and which of its changes matter."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.case import Map
from tests.conformance.cluster import REASONS, NodeRoom, pools_for
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, in_order, listed

_EXCLUDE: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
_OTHER: Final = "node-z"


class NodeAreaRoom(NodeRoom):
    """One node that would announce one Service, but for what its Node says."""

    def begin(self) -> None:
        """Put in force one pool, one peer, one advertisement; the Node is as `given` says."""
        given = self.given
        self.me = given.take("me", self.me)
        self._labels = given.take("node_labels") or {}
        self._conditions = given.take("node_conditions") or {}
        self._event = given.take("event")
        self._taints = given.take("node_taints", given.take("taints"))
        self._unschedulable = given.take("unschedulable", False)
        self._policy = given.take("etp", given.take("externalTrafficPolicy"))
        self._endpoints = given.take("endpoints")
        advertisement: dict[str, Any] = {}
        nodes = given.take("advertisement_nodes")
        if nodes is not None:
            advertisement["nodes"] = nodes
        chosen = given.take("serviceSelectors")
        if chosen is not None:
            advertisement["serviceSelectors"] = chosen
        options = {"ignore_exclude_label": True} if given.take("ignoreExcludeLB") else {}
        self.agent = Agent(self.me, **options)
        labels = given.take("service_labels") or {}
        announced = given.take("announced") or {}
        self.agent.put(
            self._node(),
            documents.node(_OTHER, number=2),
            *self.pools(Fields(pools_for(self._flat(announced)), "pools")),
            *self.peers(Fields(given.take("peers") or {"peer1": {}}, "given.peers")),
            *self.advertisements(Fields({"ad": advertisement}, "advertisements")),
        )
        self.must_hold()
        wanted = announced or {"svc": "198.51.100.1"}
        for name, one in wanted.items():
            fields = {"ingress": listed(one), "labels": labels, "etp": self._policy}
            service = self.service(name, Fields(fields, name))
            self.agent.put(service, self.slice_of(service, self._endpoints))
        self.must_announce(announced)
        self._service = self.key(next(iter(wanted)))
        self._before = {name: self.agent.session(name) for name in self.agent.sessions}

    def _flat(self, announced: Map) -> list[Any]:
        return [one for addresses in announced.values() for one in listed(addresses)]

    def _node(self) -> Document:
        found = documents.node(self.me, self._labels, self._conditions)
        found["spec"] = {"unschedulable": self._unschedulable, "taints": self._taints or []}
        return found

    # What happens

    def op_should_announce(self, step: Fields) -> None:
        """Look at what is announced."""

    op_sync = op_should_announce

    def op_filter_event(self, _step: Fields) -> None:
        """Let the Node change as the event says."""
        self._happen()

    def op_set_node(self, _step: Fields) -> None:
        """Let the Node change as the event says."""
        self._happen()

    def _happen(self) -> None:
        event = str(self._event)
        name = _OTHER if re.search(r"\b(another|other)\b", event) else self.me
        for pattern, change in _EVENTS:
            found = re.search(pattern, event)
            if found:
                change(self, name, found)
                return
        raise InexpressibleError(f"event {event!r} is none that is known here")

    def came_or_went(self, name: str, found: re.Match[str]) -> None:
        """Create and delete a Node; each must count for the answer to be yes."""
        del name
        changes = []
        if re.search(_CAME, found.string):
            changes.append(self.agent.put(documents.node("node-y", number=3)).configuration)
        else:
            self.agent.put(documents.node("node-y", number=3))
        if re.search(_WENT, found.string):
            changes.append(self.agent.drop("Node", "node-y").configuration)
        self._processed = all(changes)

    def change(self, name: str, edit: Callable[[Document], None]) -> None:
        """Edit the Node *name*."""
        old = self.agent.document("Node", name)
        new: Document = {
            **old,
            "metadata": {**old["metadata"], "labels": dict(old["metadata"]["labels"])},
            "status": {
                "conditions": list(old["status"]["conditions"]),
                "addresses": list(old["status"]["addresses"]),
            },
        }
        edit(new)
        self._processed = self.agent.put(new).configuration

    # What is seen

    def see_announce(self, _expected: bool) -> object:
        """Return whether the node announces the Service."""
        return any(self.agent.routes.values())

    def see_reason(self, expected: str) -> object:
        """Return why not, in upstream's words."""
        if expected not in REASONS:
            raise InexpressibleError(f"reason {expected!r} has no counterpart")
        back = {ours: theirs for theirs, ours in REASONS.items()}
        found = self.agent.reasons(self._service)
        return back.get(found[0], found[0]) if found else "none: it is announced"

    def see_processed(self, _expected: bool) -> object:
        """Return whether anything is decided again."""
        return self._processed

    def see_sync(self, _expected: str) -> object:
        """Return `reprocess_all` where every Service is decided again, else `success`."""
        return "reprocess_all" if self._processed else "success"

    def see_routes_after(self, expected: Any) -> object:
        """Return what every peer is offered now."""
        found = sorted({str(one) for routes in self.agent.routes.values() for one in routes})
        return in_order(found, expected)

    def see_sessions_unchanged(self, _expected: bool) -> object:
        """Return whether each session is configured as before."""
        return self._before == {name: self.agent.session(name) for name in self.agent.sessions}


def _labels_change(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    del found
    room.change(name, lambda node: node["metadata"]["labels"].update({"changed": "yes"}))


def _exclusion(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    del found

    def toggle(node: Document) -> None:
        labels = node["metadata"]["labels"]
        if labels.pop(_EXCLUDE, None) is None:
            labels[_EXCLUDE] = ""

    room.change(name, toggle)


def _condition(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    kind, *given = found.groups()
    for status in given or ["True", "False"]:
        entry = {"type": kind, "status": status.capitalize()}
        room.change(name, lambda node, entry=entry: _set_condition(node, entry))  # type: ignore[misc]


def _heartbeat(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    del found
    for second in ("00", "30"):
        entry = {
            "type": "Ready",
            "status": "True",
            "lastHeartbeatTime": f"2026-01-01T00:00:{second}Z",
        }
        room.change(name, lambda node, entry=entry: _set_condition(node, entry))  # type: ignore[misc]


def _addresses(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    del found
    more = {"type": "InternalIP", "address": "10.0.0.99"}
    room.change(name, lambda node: node["status"]["addresses"].append(more))


def _nothing(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
    del found
    room.change(name, lambda node: node["metadata"].update({"resourceVersion": "9"}))


def _set_condition(node: Document, entry: Mapping[str, str]) -> None:
    conditions = node["status"]["conditions"]
    conditions[:] = [one for one in conditions if one["type"] != entry["type"]] + [dict(entry)]


def _at(section: str, key: str, value: Any) -> Callable[[NodeAreaRoom, str, re.Match[str]], None]:
    def change(room: NodeAreaRoom, name: str, found: re.Match[str]) -> None:
        del found
        room.change(name, lambda node: node.setdefault(section, {}).update({key: value}))

    return change


_CAME: Final = r"\bnode (?:is )?(?:created|added|joins|joined)\b"
_WENT: Final = r"\b(?:node|or) (?:is )?(?:deleted|removed|leaves|gone)\b"
_STATUS: Final = r"(?i:(true|false|unknown))"
_EVENTS: Final[tuple[tuple[str, Callable[[NodeAreaRoom, str, re.Match[str]], None]], ...]] = (
    (rf"{_CAME}|{_WENT}", NodeAreaRoom.came_or_went),
    (r"exclu\w+ label", _exclusion),
    (r"\blabels?\b", _labels_change),
    (r"\bannotations?\b", _at("metadata", "annotations", {"changed": "yes"})),
    (r"\btaints?\b", _at("spec", "taints", [{"key": "a", "effect": "NoSchedule"}])),
    (r"\b(?:unschedulable|cordon\w*)\b", _at("spec", "unschedulable", True)),
    (r"\b(?:capacity|allocatable)\b", _at("status", "capacity", {"cpu": "9"})),
    (r"\bimages\b", _at("status", "images", [{"names": ["a"]}])),
    (r"(?:heartbeat|transition) time|heartbeat", _heartbeat),
    (rf"(\w+)(?: condition)? (?:from )?{_STATUS} to {_STATUS}", _condition),
    (r"(Ready|NetworkUnavailable|\w+Pressure)\b.*\b(?:chang|flip|toggl|mov)\w*", _condition),
    (r"\baddress(?:es)?\b", _addresses),
    (r"\bspec\b", _at("spec", "podCIDR", "10.244.9.0/24")),
    (r"\b(?:nothing|no change|unchanged|identical|resourceVersion|resync)\b", _nothing),
)
"""What the words of an event mean; the first that fits."""
