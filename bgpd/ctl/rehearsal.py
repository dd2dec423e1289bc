"""What documents would change before anybody applies them: every node's agent, decided on paper.

The same planner that an agent runs decides on what there is, and then on the same with the new
documents in place. What depends on a node's own eyes is left out and said: probes that fail, a
boot, sessions that a provider tells of.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bgpd.agent.planner import Planner
from bgpd.kube.documents import read
from bgpd.kube.store import Changes, Store
from bgpd.kube.vocabulary import AGENT
from bgpd.model.member import NodeName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.route import Advertisement
from bgpd.policy.merge import RouteKey

Document = Mapping[str, Any]
_FILE: Final = "documents.json"
_PLACEHOLDER: Final = "c2VjcmV0"
"""Any password will do: nobody is spoken to."""


class Change(StrEnum):
    """What becomes of a route."""

    BEGINS = "begins"
    ENDS = "ends"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One route that would be other than it is."""

    node: str
    peer: str
    prefix: Prefix
    change: Change
    detail: str = ""
    """What changes, or why it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would become of all nodes."""

    nodes: tuple[str, ...]
    turns: tuple[Turn, ...]
    refused: tuple[str, ...] = ()
    """Documents that would not be accepted, a sentence each."""
    notes: tuple[str, ...] = ()
    """Conditions that would begin, a sentence each."""


def rehearse(
    present: Iterable[Document], new: Iterable[Document], *, nodes: Iterable[str] = ()
) -> Rehearsal:
    """Return what *new* documents would change beside those *present*, on *nodes* or on all."""
    before = list(present)
    after = overlaid(before, new)
    store = Store()
    changes = _apply(store, before)
    names = tuple(nodes) or tuple(sorted(one.name for one in store.objects.nodes))
    planners = {name: Planner(node=NodeName(name), cluster_uid="") for name in names}
    for planner in planners.values():
        planner.configure(changes, store.objects, _AnyPassword())
    known = {name: _seen(planner) for name, planner in planners.items()}
    problems = {one.message for one in store.problems}
    changes = _apply(store, after)
    turns: list[Turn] = []
    notes: dict[str, None] = {}
    refused = {one.message: None for one in store.problems if one.message not in problems}
    for name, planner in planners.items():
        routes, _, told = known[name]
        planner.configure(changes, store.objects, _AnyPassword())
        later, withheld, said = _seen(planner)
        turns += _turns(name, routes, later, withheld)
        for sentence, bad in said.items():
            if sentence not in told:
                (refused if bad else notes)[sentence] = None
    return Rehearsal(nodes=names, turns=tuple(turns), refused=tuple(refused), notes=tuple(notes))


def overlaid(present: Iterable[Document], new: Iterable[Document]) -> list[Document]:
    """Return *present* with *new* in the place of what has the same kind and name."""
    found = {_key(one): one for one in present}
    found.update({_key(one): one for one in new})
    return list(found.values())


_State = tuple[Mapping[RouteKey, Advertisement], tuple[Withheld, ...], Mapping[str, bool]]
"""Routes, what is withheld, and sentences with whether they refuse something."""


def _seen(planner: Planner) -> _State:
    said = {one.message: one.type.endswith("Refused") for one in planner.conditions if one.status}
    return dict(planner.advertisements), planner.withheld, said


def _turns(
    node: str,
    before: Mapping[RouteKey, Advertisement],
    after: Mapping[RouteKey, Advertisement],
    withheld: Iterable[Withheld],
) -> Iterator[Turn]:
    why = {one.prefix: f"{one.reason.value}: {one.message}" for one in withheld if one.prefix}
    for key in sorted(before.keys() | after.keys()):
        peer, prefix = key
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        change, detail = Change.CHANGES, ""
        if new is None:
            change, detail = Change.ENDS, why.get(prefix, "")
        elif old is None:
            change = Change.BEGINS
        else:
            detail = _unlike(old, new)
        yield Turn(node=node, peer=peer, prefix=prefix, change=change, detail=detail)


_FIELDS: Final = {
    "rank": "rank",
    "med": "MED",
    "local_pref": "local preference",
    "communities": "communities",
    "large_communities": "large communities",
    "as_path_prepend": "prepended ASNs",
    "priority": "priority",
    "link_bandwidth": "link bandwidth",
    "ahead": "nodes that come first",
    "carriers": "nodes that carry it",
}


def _unlike(old: Advertisement, new: Advertisement) -> str:
    parts = []
    for field, word in _FIELDS.items():
        mine, other = getattr(old, field), getattr(new, field)
        if mine != other:
            parts.append(f"{word} {_text(mine)} -> {_text(other)}")
    return ", ".join(parts)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _apply(store: Store, documents: list[Document]) -> Changes:
    items = [*documents, *_secrets(documents)]
    content = {"apiVersion": "v1", "kind": "List", "items": items}
    return store.apply(_FILE, read(_FILE, json.dumps(content).encode(), AGENT))


def _secrets(documents: Iterable[Document]) -> Iterator[Document]:
    """Yield a Secret for each that a peer names: they are not read, and must not be missing."""
    seen = set()
    for one in documents:
        name = ((one.get("spec") or {}).get("passwordSecret") or {}).get("name")
        if name and name not in seen:
            seen.add(name)
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/basic-auth",
                "metadata": {
                    "name": name,
                    "namespace": (one.get("metadata") or {}).get("namespace") or "default",
                },
                "data": {"password": _PLACEHOLDER},
            }


def _key(document: Document) -> tuple[str, str, str]:
    """Return what a document is known by; configuration lives in one namespace, which may lack."""
    metadata = document.get("metadata") or {}
    kind, group = str(document.get("kind")), str(document.get("apiVersion")).partition("/")[0]
    single = group in _ONE_NAMESPACE and kind != "HealthCheck"
    namespace = "" if single else str(metadata.get("namespace") or "default")
    return f"{group}/{kind}", namespace, str(metadata.get("name"))


_ONE_NAMESPACE: Final = frozenset({"bgpd.io", "metallb.io"})


class _AnyPassword(Mapping[str, str]):
    """Every password file holds something: it is on the nodes, and not here."""

    def __getitem__(self, path: str) -> str:
        return "secret"

    def __iter__(self) -> Iterator[str]:
        return iter(("any",))

    def __len__(self) -> int:
        return 1  # none would be no passwords at all
