"""MetalLB's objects as ours: names, labels and specs are kept, so that references hold.

What is copied stands beside MetalLB's own object and wins over it, so that removing MetalLB's
definitions later takes nothing away. A copy made again is the same copy.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from bgpd.migrate.configuration import COPIED, NO_PEER_FIELDS, secret_of
from bgpd.migrate.found import (
    Document,
    Found,
    labels_of,
    listed,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
)
from bgpd.model.migration import FROM_METALLB, MIGRATING

OUR_VERSION: Final = "bgpd.io/v1alpha1"
MANAGER: Final = "bgpctl-migrate"
"""The field manager of server-side apply: a copy made again changes only what it wrote."""

_OPTIONAL: Final = frozenset({"BFDProfile"})
"""Kinds that older definitions of ours lack; what refers to them is then copied without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What is to be written."""

    documents: tuple[dict[str, Any], ...] = ()
    secrets: tuple[dict[str, Any], ...] = ()
    """Copies of the Secrets that peers take their passwords from."""
    left: tuple[Document, ...] = ()
    """MetalLB's objects without a copy: our definitions are older than their kind."""


def copies(found: Found, namespace: str, *, hold: bool) -> Copies:
    """Return the copies for *namespace*; *hold* says that the walk is not over."""
    documents: list[dict[str, Any]] = []
    left: list[Document] = []
    lacking = _OPTIONAL - found.served if found.live else frozenset()
    for kind in COPIED:
        for one in found.metallb(kind):
            if kind in lacking:
                left.append(one)
            else:
                documents.append(_copy(one, namespace, hold=hold, lacking=lacking))
    return Copies(
        documents=tuple(documents),
        secrets=tuple(_secrets(found, namespace)),
        left=tuple(left),
    )


def same(copy: Document, there: Document) -> bool:
    """Return whether our object *there* says all that *copy* says."""
    return (
        _within(spec_of(copy), spec_of(there))
        and _within(labels_of(copy), labels_of(there))
        and _within(copy.get("data") or {}, there.get("data") or {})
    )


def somebodys(copy: Document, there: Document) -> bool:
    """Return whether *there* is no copy of ours and says something else: it is not overwritten."""
    entries = metadata_of(there).get("managedFields")
    managers = {one.get("manager") for one in listed(entries) if isinstance(one, Mapping)}
    return MANAGER not in managers and not same(copy, there)


def _within(wanted: Any, there: Any) -> bool:
    """Return whether *there* has everything that is *wanted*; a server adds its defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            key in there and _within(value, there[key]) for key, value in wanted.items()
        )
    return bool(wanted == there)


def _copy(
    document: Document, namespace: str, *, hold: bool, lacking: AbstractSet[str]
) -> dict[str, Any]:
    kind = str(document["kind"])
    metadata: dict[str, Any] = {"name": name_of(document), "namespace": namespace}
    if labels := dict(labels_of(document)):
        metadata["labels"] = labels
    if hold and kind == "IPAddressPool":
        metadata["annotations"] = {MIGRATING: FROM_METALLB}
    spec = dict(spec_of(document))
    if kind == "BGPPeer":
        spec = _peer(spec, NO_PEER_FIELDS | ({"bfdProfile"} if "BFDProfile" in lacking else set()))
    made: dict[str, Any] = {"apiVersion": OUR_VERSION, "kind": kind, "metadata": metadata}
    return {**made, "spec": spec}


def _peer(spec: dict[str, Any], dropped: AbstractSet[str]) -> dict[str, Any]:
    """Return the spec of a peer without what means nothing here, and what a server adds as empty.

    Its Secret is the one of that name beside the copy.
    """
    made = {
        key: value
        for key, value in spec.items()
        if key not in dropped and value is not None and value not in ("", {}, [])
    }
    reference = made.get("passwordSecret")
    if isinstance(reference, Mapping) and reference.get("name"):
        made["passwordSecret"] = {"name": reference["name"]}
    return made


def _secrets(found: Found, namespace: str) -> Iterator[dict[str, Any]]:
    wanted = {secret_of(one) for one in found.metallb("BGPPeer")}
    for secret in sorted(found.of("Secret", ""), key=name_of):
        if (namespace_of(secret), name_of(secret)) in wanted and namespace_of(secret) != namespace:
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name_of(secret), "namespace": namespace},
                "type": secret.get("type") or "Opaque",
                "data": secret.get("data") or {},
            }
