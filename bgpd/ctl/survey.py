"""Read what a migration is decided from: a whole cluster, or the manifests of one."""

import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bgpd.ctl.cluster import Cluster, ConversionError
from bgpd.ctl.validate import STDIN, SUFFIXES
from bgpd.kube.text import MAX_BYTES, documents_in
from bgpd.migrate.configuration import secret_of
from bgpd.migrate.found import Found
from bgpd.migrate.installation import namespaces
from bgpd.model.errors import ConfigError

_OURS: Final = "/apis/bgpd.io/v1alpha1"
_THEIRS: Final = "/apis/metallb.io"
COLLECTIONS: Final = {
    **{kind: f"{kind.lower()}s" for kind in ("IPAddressPool", "BGPAdvertisement", "BGPPeer")},
    "Community": "communities",
    "BFDProfile": "bfdprofiles",
}
"""The plural of each kind that is copied."""
_EVERYWHERE: Final = (
    "/api/v1/nodes",
    "/api/v1/services",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    *(f"{_THEIRS}/v1beta1/{COLLECTIONS[kind]}" for kind in COLLECTIONS if kind != "BGPPeer"),
    f"{_THEIRS}/v1beta1/l2advertisements",
    f"{_THEIRS}/v1beta1/addresspools",
    f"{_THEIRS}/v1beta1/configurationstates",
    "/apis/frrk8s.metallb.io/v1beta1/frrconfigurations",
)
_DEFINITION: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io"


def of_cluster(cluster: Cluster) -> Found:
    """Return everything of *cluster* that matters for a migration."""
    served = _served(cluster)
    documents = [one for path in _EVERYWHERE for one in cluster.every(path)]
    try:
        documents += cluster.every(f"{_THEIRS}/v1beta2/bgppeers")
    except ConversionError as error:
        # MetalLB's controller converts them. Where it is stopped for good nobody needs them.
        unread = str(error)
    else:
        unread = ""
    for kind, plural in (*COLLECTIONS.items(), ("BGPNodeStatus", "bgpnodestatuses")):
        if kind in served:
            documents += cluster.every(f"{_OURS}/{plural}")
    definition = cluster.get(_DEFINITION)
    documents += [definition] if definition else []
    first = Found(documents=tuple(documents))
    documents += _within(cluster, namespaces(first))
    documents += _secrets(cluster, first)
    return Found(
        documents=tuple(documents),
        live=True,
        minor=_minor(cluster.get("/version")),
        served=served,
        unread=unread,
    )


def again(cluster: Cluster, found: Found) -> Found:
    """Return *found* with what bgpd's agents say now; nothing else is read again."""
    rest = [one for one in found.documents if one.get("kind") != "BGPNodeStatus"]
    return replace(found, documents=(*rest, *cluster.every(f"{_OURS}/bgpnodestatuses")))


def of_files(paths: Iterable[Path]) -> Found:
    """Return the documents in *paths*: files, directories of them, `-`."""
    documents = [one for path in paths for file in _files(path) for one in _documents(file)]
    if not documents:
        raise ConfigError("there is no document in what was named")
    return Found(documents=tuple(documents))


def path_of(document: dict[str, Any]) -> str:
    """Return where the API has a *document* of ours, or a Secret."""
    metadata = document["metadata"]
    inside = f"namespaces/{metadata['namespace']}"
    if document["kind"] == "Secret":
        return f"/api/v1/{inside}/secrets/{metadata['name']}"
    plural = COLLECTIONS[document["kind"]]
    version = document["apiVersion"]
    return f"/apis/{version}/{inside}/{plural}/{metadata['name']}"


def _served(cluster: Cluster) -> frozenset[str]:
    found = cluster.get(_OURS) or {}
    return frozenset(str(one.get("kind")) for one in found.get("resources") or ())


def _minor(version: dict[str, Any] | None) -> int | None:
    text = str((version or {}).get("minor") or "").rstrip("+")
    return int(text) if text.isdecimal() else None


def _within(cluster: Cluster, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    for namespace in sorted(names):
        yield from cluster.every(f"/api/v1/namespaces/{namespace}/pods")
        extras = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/bgpextras")
        if extras:
            yield extras


def _secrets(cluster: Cluster, found: Found) -> Iterator[dict[str, Any]]:
    wanted = {secret_of(peer) for peer in found.metallb("BGPPeer")} - {None}
    for namespace, name in sorted(one for one in wanted if one is not None):
        if secret := cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}"):
            yield secret


def _files(path: Path) -> list[Path]:
    if path == STDIN or not path.is_dir():
        return [path]
    return [
        one
        for one in sorted(path.iterdir())
        if one.suffix in SUFFIXES and not one.name.startswith(".") and not one.is_dir()
    ]


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    try:
        if file == STDIN:
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        elif stat.S_ISREG(file.stat().st_mode):
            text = file.read_bytes()
        else:
            raise ConfigError(f"{file}: is not a regular file; use - to read standard input")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    source = "standard input" if file == STDIN else str(file)
    for raw in documents_in(text, json=file.suffix == ".json"):
        if raw.error:
            raise ConfigError(f"{source}: {raw.place} {raw.error}".replace("  ", " "))
        yield from _expanded(raw.content)


def _expanded(content: object) -> Iterator[dict[str, Any]]:
    match content:
        case {"kind": str(kind), "items": [*items]} if kind.endswith("List"):
            for item in items:
                yield from _expanded(item)
        case dict():
            yield content
        case _:
            return
