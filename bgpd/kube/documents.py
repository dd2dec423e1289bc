"""From the text of one file to objects and problems. Nothing here can fail: bad text is a problem.

A document that cannot be read or is not valid yields problems instead of an object; the documents
beside it are not touched by that. What stays in force in its place is the store's business.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeAlias

from bgpd.kube import (
    checking,
    conduct,
    configure,
    convert,
    healthform,
    metallb,
    metallbform,
    nativeform,
    objects,
    peering,
    request,
    requestform,
)
from bgpd.kube.faults import Faults
from bgpd.kube.fields import legal
from bgpd.kube.fit import ANY_NAME, fit
from bgpd.kube.kinds import KINDS, METALLB_GROUP, AnyDocument, Kinds
from bgpd.kube.problem import Problem, Standing, sentence, shadowed_by
from bgpd.kube.text import documents_in
from bgpd.kube.vocabulary import AGENT, Vocabulary
from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    L2Advertisement,
    NodePolicy,
    Secret,
)
from bgpd.model.health import HealthCheck

Object: TypeAlias = (
    Service
    | EndpointSlice
    | Node
    | IPAddressPool
    | BGPAdvertisement
    | BGPPeer
    | NodePolicy
    | NodeReport
    | ServiceRequest
    | Namespace
    | Community
    | BFDProfile
    | L2Advertisement
    | Secret
    | HealthCheck
)


class Key(NamedTuple):
    """What an object is known by; *namespace* is empty for kinds whose names are unique alone."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the key for a sentence: `Service default/web`."""
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What one file says."""

    objects: Mapping[Key, Object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    damaged: frozenset[Key] = frozenset()
    """Objects that the file names but that were refused: their last good version stays."""
    lesser: frozenset[Key] = frozenset()
    """Objects of MetalLB's group: those of ours with the same names hold in their place."""
    incomplete: bool = False
    """Whether something in the file could not even be named: then nothing of it is gone."""
    foreign: tuple[str, ...] = ()
    """Documents of kinds that are not our business: `ConfigMap a`."""


def read(source: str, text: bytes, vocabulary: Vocabulary = AGENT) -> Documents:
    """Return what *text* of the file *source* says to a reader of *vocabulary*."""
    reading = _Reading(vocabulary)
    found = False
    for raw in documents_in(text, json=source.endswith(".json")):
        place = " ".join(part for part in (source, raw.place) if part)
        if raw.error:
            reading.unnamed(place, raw.error)
        elif raw.content is not None:
            for where, content in _expand(place, raw.content):
                reading.document(where, content, raw.faults)
        else:
            continue
        found = True
    if not found:
        reading.unnamed(source, "is empty; remove the file to remove its objects")
    return reading.documents()


def _expand(place: str, content: object) -> Iterator[tuple[str, object]]:
    """Yield *content*, or the items of a List."""
    match content:
        case {"kind": str(kind), "items": [*items]} if kind.endswith("List"):
            for number, item in enumerate(items, 1):
                yield f"{place} item {number}", _with_kind(item, kind, content)
        case {"kind": "List", "items": None}:
            return
        case _:
            yield place, content


def _with_kind(item: object, kind: str, outer: object) -> object:
    """Return an item of a `ServiceList`, whose items do not repeat kind and apiVersion."""
    match item, outer:
        case {"kind": _}, _:
            return item
        case {**fields}, {"apiVersion": version} if kind != "List":
            return {**fields, "apiVersion": version, "kind": kind.removesuffix("List")}
        case _:
            return item


class _Reading:
    """The documents of one file while it is read."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._kinds: Kinds = vocabulary.kinds
        self._node = vocabulary.node
        self._objects: dict[Key, Object] = {}
        self._places: dict[Key, str] = {}
        self._problems: list[Problem] = []
        self._damaged: set[Key] = set()
        self._lesser: set[Key] = set()
        self._incomplete = False
        self._foreign: list[str] = []

    def documents(self) -> Documents:
        """Return everything that was read."""
        return Documents(
            objects=self._objects,
            problems=tuple(self._problems),
            damaged=frozenset(self._damaged - self._objects.keys()),
            lesser=frozenset(self._lesser & self._objects.keys()),
            incomplete=self._incomplete,
            foreign=tuple(self._foreign),
        )

    def unnamed(self, place: str, what: str, kind: str = "") -> None:
        """Report something that cannot be assigned to any object."""
        self._incomplete = True
        self.problem(place, what, kind=kind)

    def problem(self, place: str, what: str, *, kind: str = "", name: str = "") -> None:
        """Report something about a whole document."""
        message = sentence(source=place, kind=kind, name=name, path="", what=what)
        self._problems.append(Problem(source=place, kind=kind, name=name, message=message))

    def document(self, place: str, content: object, faults: tuple[str, ...]) -> None:
        """Read one document."""
        if not isinstance(content, dict):
            self.unnamed(place, "is not a document: it has no apiVersion and kind")
            return
        version, kind = content.get("apiVersion"), content.get("kind")
        if not isinstance(version, str) or not isinstance(kind, str):
            missing = "kind" if isinstance(version, str) else "apiVersion"
            self.unnamed(place, f"{missing}: is required")
            return
        form = self._kinds.get((version, kind))
        if form is None:
            self._unknown(place, version, kind, content)
            return
        if form is metallbform.Secret and content.get("type") != metallb.BASIC_AUTH:
            # Somebody else's; a peer that refers to it says that there is none.
            self._pass_over(kind, content)
            return
        key = _key(kind, content)
        if key is None:
            range_ = legal(kind, "metadata.name")
            self.unnamed(place, f"metadata.name: is required; must be {range_}", kind=kind)
            self._nameless(place, kind, content, form)
            return
        self._known(place, key, content, form, faults)

    def _nameless(
        self, place: str, kind: str, content: Mapping[str, Any], form: type[AnyDocument]
    ) -> None:
        """Report what else is wrong with a document that has no name."""
        metadata = content.get("metadata")
        named = {**(metadata if isinstance(metadata, dict) else {}), "name": ANY_NAME}
        faults = Faults(source=place, kind=kind, name="")
        _decode({**content, "metadata": named}, form, faults, self._node)
        self._problems += faults.problems

    def _unknown(self, place: str, version: str, kind: str, content: Mapping[str, Any]) -> None:
        """Report a kind that ought to be ours; other people's kinds are not our business."""
        key = _key(kind, content)
        name = key.name if key else ""
        if (version, kind) in KINDS or kind in _REPORTS:
            self._pass_over(kind, content)
            return
        versions = ", ".join(sorted({one for one, other in self._kinds if other == kind}))
        if versions:
            if key is not None:
                self._damaged.add(key)
            what = f"apiVersion: {version!r} is not allowed; must be one of {versions}"
            self.problem(place, what, kind=kind, name=name)
            return
        group = version.rpartition("/")[0]
        kinds = sorted({other for _, other in self._kinds})
        meant = get_close_matches(kind, kinds, n=1, cutoff=_CLOSE) if group in _GROUPS else []
        if not meant and group not in _OUR_GROUPS:
            self._pass_over(kind, content)
            return
        what = f"kind: {kind!r} of {version} is not supported; known are {', '.join(kinds)}"
        if kind not in _KNOWN_KINDS:
            # Perhaps a misspelled kind: the object that it was before must not go for that.
            self._incomplete = True
        self.problem(place, what, kind=kind, name=name)

    def _first(self, place: str, key: Key, *, lesser: bool) -> bool:
        """Return whether a document is the one of its name that counts; say so where it is not."""
        twin = self._places.get(key)
        if twin is None:
            if lesser:
                self._lesser.add(key)
            return True
        was_lesser = key in self._lesser
        if lesser == was_lesser:
            what = f"is already in {twin}; the first one holds, remove one"
            self.problem(place, what, kind=key.kind, name=key.name)
            return False
        hidden, other = (place, twin) if lesser else (twin, place)
        self._lesser.discard(key)
        if was_lesser:
            # Even where ours is refused: then its last good version holds, not MetalLB's.
            self._objects.pop(key, None)
        message = sentence(
            source=hidden, kind=key.kind, name=key.name, path="", what=shadowed_by(other)
        )
        self._problems.append(
            Problem(
                source=hidden,
                kind=key.kind,
                name=key.name,
                message=message,
                standing=Standing.SHADOWED,
            )
        )
        return was_lesser

    def _pass_over(self, kind: str, content: Mapping[str, Any]) -> None:
        key = _key(kind, content)
        self._foreign.append(f"{kind} {key.name if key else ''}".rstrip())

    def _known(
        self,
        place: str,
        key: Key,
        content: Mapping[str, Any],
        form: type[AnyDocument],
        texts: tuple[str, ...],
    ) -> None:
        lenient = str(content.get("apiVersion")).startswith(METALLB_GROUP)
        if not self._first(place, key, lesser=lenient):
            return
        self._places[key] = place
        faults = Faults(source=place, kind=key.kind, name=key.name, lenient=lenient)
        for text in texts:
            faults.rule("", text)
        found = _decode(content, form, faults, self._node)
        self._problems += faults.problems
        if found is None or faults.refused:
            self._damaged.add(key)
        else:
            self._objects[key] = found


_OUR_GROUPS: Final = frozenset({"bgpd.io", "metallb.io"})
_GROUPS: Final = _OUR_GROUPS | {"", "discovery.k8s.io"}
_CLOSE: Final = 0.85
"""How alike a kind and its misspelling are: `Service` and `Servicee`, not `ServiceAccount`."""
_KNOWN_KINDS: Final = frozenset({"AddressPool", "BGPNodeStatus"})
"""Kinds of our groups that exist, but that nobody reads here."""
_REPORTS: Final = frozenset({"ConfigurationState", "ServiceBGPStatus", "ServiceL2Status"})
"""What MetalLB writes itself: nobody's wish."""


def _key(kind: str, content: Mapping[str, Any]) -> Key | None:
    match content.get("metadata"):
        case {"name": str(name), **rest} if name:
            namespace = rest.get("namespace")
            if kind not in objects.NAMESPACED:
                return Key(kind, "", name)
            return Key(kind, namespace if isinstance(namespace, str) else "default", name)
        case _:
            return None


_CONVERTERS: Final[Mapping[type, Callable[[Any, Faults], Object]]] = {
    nativeform.Service: convert.service,
    nativeform.Node: convert.node,
    objects.IPAddressPool: configure.pool,
    objects.BGPAdvertisement: configure.advertisement,
    objects.BGPPeer: peering.peer,
    objects.SpeakerPolicy: conduct.speaker_policy,
    objects.BGPNodeStatus: convert.node_report,
    healthform.HealthCheck: checking.health_check,
    requestform.RequestedService: request.service_request,
    requestform.Namespace: request.namespace,
    metallbform.Community: metallb.community,
    metallbform.BFDProfile: metallb.bfd_profile,
    metallbform.L2Advertisement: metallb.l2_advertisement,
    metallbform.Secret: metallb.secret,
}


def judge(wire: AnyDocument, form: type[AnyDocument], faults: Faults, node: str = "") -> Object:
    """Return the object that a decoded *form* stands for; what forbids it is in *faults*.

    *node* is ours: of what runs elsewhere less is kept.
    """
    if isinstance(wire, nativeform.EndpointSlice):
        # Nothing is left to refuse in a slice that decodes.
        return convert.endpoint_slice(wire, node=node)
    return _CONVERTERS[form](wire, faults)


def judge_content(
    content: Mapping[str, Any], form: type[AnyDocument], faults: Faults, node: str = ""
) -> tuple[Key | None, Object | None]:
    """Return what a document that did not decode is known by, and the object if there is one."""
    key = _key(faults.kind, content)
    return key, None if key is None else _decode(content, form, faults, node)


def _decode(
    content: Mapping[str, Any], form: type[AnyDocument], faults: Faults, node: str
) -> Object | None:
    """Return the object, or None with every problem that the wire form can see in *faults*."""
    wire = fit(content, form, faults)
    return None if wire is None else judge(wire, form, faults, node)
