"""MetalLB's own processes in a cluster: which there are, how they are set, where they run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bgpd.migrate.found import (
    Document,
    Found,
    annotations_of,
    labels_of,
    listed,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)

_FRR_K8S: Final = "frr-k8s"
SPEAKER_LABEL: Final = "bgpd.io/speaker"
"""On a Node: bgpd speaks here, MetalLB does not."""


class Component(StrEnum):
    """The parts of MetalLB."""

    SPEAKER = "speaker"
    FRR = "frr-k8s"
    """In that mode it holds the sessions, and keeps them when the speaker goes."""
    CONTROLLER = "controller"

    @property
    def speaks(self) -> bool:
        """Whether a router may know its node by it."""
        return self is not Component.CONTROLLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """MetalLB's DaemonSet or Deployment."""

    document: Document
    component: Component
    mode: str
    """`native`, `frr` or `frr-k8s`; meaningless for the controller."""
    arguments: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`DaemonSet` or `Deployment`."""
        return str(self.document.get("kind"))

    @property
    def namespace(self) -> str:
        """Where it lives."""
        return namespace_of(self.document)

    @property
    def name(self) -> str:
        """What it is called."""
        return name_of(self.document)

    @property
    def replicas(self) -> int:
        """How many a Deployment wants."""
        wanted = spec_of(self.document).get("replicas")
        return wanted if isinstance(wanted, int) else 1

    @property
    def restarts_all(self) -> bool:
        """Whether a change of its template restarts its pods one after the other."""
        strategy = spec_of(self.document).get("updateStrategy")
        return not isinstance(strategy, Mapping) or strategy.get("type") != "OnDelete"

    @property
    def gives_way(self) -> bool:
        """Whether it leaves every Node that has our label."""
        affinity = _pod_spec(self.document).get("affinity")
        terms = _at(affinity, "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
        found = [one for one in listed(_at(terms, "nodeSelectorTerms")) if isinstance(one, Mapping)]
        return bool(found) and all(_excludes(one) for one in found)

    @property
    def node_selector(self) -> Mapping[str, str]:
        """The labels of the Nodes that its pods run on."""
        found = _pod_spec(self.document).get("nodeSelector")
        return found if isinstance(found, Mapping) else {}

    @property
    def tolerated(self) -> tuple[str, ...]:
        """The taints that its pods tolerate."""
        found = listed(_pod_spec(self.document).get("tolerations"))
        keys = (str(one.get("key") or "") for one in found if isinstance(one, Mapping))
        return tuple(sorted({one for one in keys if one}))

    def value(self, flag: str) -> str | None:
        """Return what the option `--flag` is set to; None where it is absent."""
        for index, word in enumerate(self.arguments):
            name, equals, value = word.lstrip("-").partition("=")
            if word.startswith("-") and name == flag:
                rest = self.arguments[index + 1 : index + 2]
                if equals:
                    return value
                return rest[0] if rest and not rest[0].startswith("-") else "true"
        return None


def workloads(found: Found) -> tuple[Workload, ...]:
    """Return MetalLB's workloads among what was *found*, speakers first."""
    made = [
        Workload(
            document=one,
            component=component,
            mode=_mode(one),
            arguments=tuple(_arguments(one)),
        )
        for kind in ("DaemonSet", "Deployment")
        for one in found.of(kind, "apps")
        if (component := _component(one)) is not None
    ]
    if not any(one.component is Component.SPEAKER and one.mode == _FRR_K8S for one in made):
        # Then somebody else uses frr-k8s, if anybody does.
        made = [one for one in made if one.component is not Component.FRR]
    return tuple(sorted(made, key=lambda one: (one.kind, one.namespace, one.name)))


def speaking(found: Found) -> frozenset[str]:
    """Return the Nodes on which a pod that speaks for MetalLB runs, or still ends."""
    owners = {(one.namespace, one.name) for one in workloads(found) if one.component.speaks}
    nodes = {
        str(spec_of(pod).get("nodeName") or "")
        for pod in found.of("Pod", "")
        if (_labelled(pod) is Component.SPEAKER or not owners.isdisjoint(_owners(pod)))
        and status_of(pod).get("phase") not in {"Succeeded", "Failed"}
    }
    return frozenset(nodes - {""})


def _owners(pod: Document) -> Iterator[tuple[str, str]]:
    for one in listed(metadata_of(pod).get("ownerReferences")):
        if isinstance(one, Mapping) and one.get("kind") == "DaemonSet":
            yield namespace_of(pod), str(one.get("name"))


def generated(document: Document) -> bool:
    """Return whether an FRRConfiguration is one that MetalLB wrote itself: `metallb-NODE`."""
    return name_of(document).startswith("metallb-") and "kubectl.kubernetes.io/" not in " ".join(
        annotations_of(document)
    )


def _labelled(document: Document) -> Component | None:
    labels = labels_of(document)
    if labels.get("app.kubernetes.io/name") == "metallb":
        word = labels.get("app.kubernetes.io/component", "")
    elif labels.get("app") == "metallb":
        word = labels.get("component", "")
    else:
        return None
    return _WORDS.get(word)


_WORDS: Final = {one.value: one for one in (Component.SPEAKER, Component.CONTROLLER)}


def _component(document: Document) -> Component | None:
    """Return which part of MetalLB a workload is, by its labels or else by its image."""
    found = _labelled(document)
    if found is not None:
        return found
    if document.get("kind") == "DaemonSet" and _FRR_K8S in _names(document):
        return Component.FRR
    images = [str(one.get("image") or "") for one in _containers(document)]
    for component in (Component.SPEAKER, Component.CONTROLLER):
        if any(f"metallb/{component.value}" in image for image in images):
            return component
    return None


def _names(document: Document) -> tuple[str, ...]:
    labels = labels_of(document)
    return tuple(labels.get(key, "") for key in ("app.kubernetes.io/name", "app"))


def _mode(document: Document) -> str:
    for container in _containers(document):
        for one in listed(container.get("env")):
            if isinstance(one, Mapping) and one.get("name") == "METALLB_BGP_TYPE":
                return str(one.get("value") or "native")
    return "frr" if any(one.get("name") == "frr" for one in _containers(document)) else "native"


def _arguments(document: Document) -> Iterator[str]:
    for container in _containers(document):
        if container.get("name") in {"frr", "reloader", "frr-metrics", "kube-rbac-proxy"}:
            continue
        for part in ("command", "args"):
            yield from (str(word) for word in listed(container.get(part)))


def _containers(document: Document) -> list[Mapping[str, Any]]:
    found = listed(_pod_spec(document).get("containers"))
    return [one for one in found if isinstance(one, Mapping)]


def _pod_spec(document: Document) -> Mapping[str, Any]:
    found = _at(spec_of(document), "template", "spec")
    return found if isinstance(found, Mapping) else {}


def _at(value: object, *steps: str) -> object:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _excludes(term: Mapping[str, Any]) -> bool:
    return any(
        isinstance(one, Mapping)
        and one.get("key") == SPEAKER_LABEL
        and one.get("operator") == "DoesNotExist"
        for one in listed(term.get("matchExpressions"))
    )
