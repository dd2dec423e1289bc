"""What was found of a cluster, or in files: documents, as they are, sorted by kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Document: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as JSON has it."""

METALLB: Final = "metallb.io"
OURS: Final = "bgpd.io"
FRR_K8S: Final = "frrk8s.metallb.io"
MANIFEST_NAMESPACE: Final = "metallb-system"
"""Where MetalLB's own manifests and chart put everything."""
PREFIXES: Final = ("bgpd.io/", "metallb.io/", "metallb.universe.tf/")
"""Prefixes of the annotations of Services, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that could be read."""

    documents: tuple[Document, ...] = ()
    live: bool = False
    """Whether a whole cluster was read: only then does absence mean anything."""
    minor: int | None = None
    """Of the server's version: 36 of 1.36."""
    served: frozenset[str] = frozenset()
    """The kinds of ours that the API server knows."""
    unread: str = ""
    """Why MetalLB's peers could not be read, in a sentence."""

    def of(self, kind: str, group: str) -> Iterator[Document]:
        """Yield the documents of *kind*; the core group is the empty text."""
        return (one for one in self.documents if one.get("kind") == kind and group_of(one) == group)

    def metallb(self, kind: str) -> tuple[Document, ...]:
        """Return MetalLB's objects of *kind*, by namespace and name."""
        return tuple(sorted(self.of(kind, METALLB), key=place_of))

    def ours(self, kind: str) -> tuple[Document, ...]:
        """Return our objects of *kind*, by namespace and name."""
        return tuple(sorted(self.of(kind, OURS), key=place_of))

    @property
    def balancers(self) -> tuple[Document, ...]:
        """The Services of type LoadBalancer."""
        found = (
            one for one in self.of("Service", "") if spec_of(one).get("type") == "LoadBalancer"
        )
        return tuple(sorted(found, key=place_of))

    @property
    def nodes(self) -> tuple[Document, ...]:
        """The Nodes."""
        return tuple(sorted(self.of("Node", ""), key=place_of))


def group_of(document: Document) -> str:
    """Return the group of a document; that of the core kinds is the empty text."""
    version = document.get("apiVersion")
    return version.rpartition("/")[0] if isinstance(version, str) else ""


def _part(document: Document, name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def spec_of(document: Document) -> Mapping[str, Any]:
    """Return `spec`, empty where there is none."""
    return _part(document, "spec")


def status_of(document: Document) -> Mapping[str, Any]:
    """Return `status`, empty where there is none."""
    return _part(document, "status")


def metadata_of(document: Document) -> Mapping[str, Any]:
    """Return `metadata`, empty where there is none."""
    return _part(document, "metadata")


def name_of(document: Document) -> str:
    """Return `metadata.name`."""
    return str(metadata_of(document).get("name") or "")


def namespace_of(document: Document) -> str:
    """Return `metadata.namespace`; the empty text where there is none."""
    return str(metadata_of(document).get("namespace") or "")


def place_of(document: Document) -> tuple[str, str]:
    """Return namespace and name, to sort by."""
    return namespace_of(document), name_of(document)


def key_of(document: Document) -> str:
    """Return `namespace/name`, or the name alone."""
    return "/".join(part for part in place_of(document) if part)


def labels_of(document: Document) -> Mapping[str, str]:
    """Return the labels."""
    return _part(metadata_of(document), "labels")


def annotations_of(document: Document) -> Mapping[str, str]:
    """Return the annotations."""
    return _part(metadata_of(document), "annotations")


def listed(value: object) -> list[Any]:
    """Return *value* where it is a list; a document may hold anything."""
    return value if isinstance(value, list) else []


def ingress_of(service: Document) -> tuple[str, ...]:
    """Return the addresses in a Service's status."""
    balancer = _part(status_of(service), "loadBalancer")
    entries = listed(balancer.get("ingress"))
    return tuple(str(one["ip"]) for one in entries if isinstance(one, Mapping) and one.get("ip"))
