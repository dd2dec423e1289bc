"""Read the fleet from the API, once: what may not be read is a sentence, not the end."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from bgpd.ctl.cluster import Cluster, Document, NoRightError, access_of
from bgpd.ctl.fleet import Fleet, fleet_of
from bgpd.kube.access import Access
from bgpd.model.errors import BgpdError, ConfigError

STATUSES: Final = ("/apis/bgpd.io/v1alpha1/bgpnodestatuses",)
"""Enough for what agents wrote."""
NODES: Final = ("/api/v1/nodes", "/apis/bgpd.io/v1alpha1/bgpnodestatuses")
"""Enough for what each node does."""
SERVICES: Final = ("/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices")
POOLS: Final = ("/apis/bgpd.io/v1alpha1/ipaddresspools",)
CONFIGURATION: Final = (
    *POOLS,
    "/apis/bgpd.io/v1alpha1/bgpadvertisements",
    "/apis/bgpd.io/v1alpha1/bgppeers",
    "/apis/bgpd.io/v1alpha1/bfdprofiles",
    "/apis/bgpd.io/v1alpha1/communities",
    "/apis/bgpd.io/v1alpha1/speakerpolicies",
    "/apis/bgpd.io/v1alpha1/healthchecks",
)
METALLB: Final = (
    *(
        f"/apis/metallb.io/v1beta1/{plural}"
        for plural in ("ipaddresspools", "bgpadvertisements", "communities", "bfdprofiles")
    ),
    "/apis/metallb.io/v1beta2/bgppeers",
)
NAMESPACES: Final = ("/api/v1/namespaces",)
EVENTS: Final = ("/apis/events.k8s.io/v1/events",)


def look(
    kubeconfig: Path | None = None,
    paths: Iterable[str] = NODES,
    *,
    context: str = "",
    within: float | None = None,
) -> Fleet:
    """Return what is at *paths* of the cluster that a person means, each *within* so many seconds.

    Raise `ConfigError` where nothing names a cluster, `TransientError` where it does not answer.
    """
    access = access_of(kubeconfig, context)
    unread: list[str] = []
    with Cluster(access, within=within) as cluster:
        documents = list(_every(cluster, paths, unread, _home(access)))
    return fleet_of(documents, where=access.where, unread=unread)


def read_all(
    kubeconfig: Path | None, paths: Iterable[str], *, context: str = ""
) -> tuple[list[Document], list[str]]:
    """Return the documents at *paths*, and what could not be read; errors are those of `look`."""
    unread: list[str] = []
    access = access_of(kubeconfig, context)
    with Cluster(access) as cluster:
        return list(_every(cluster, paths, unread, _home(access))), unread


def try_look(paths: Iterable[str] = NODES, *, within: float | None = None) -> Fleet | str:
    """Return the fleet, or why it cannot be had: for whoever knows something without it."""
    try:
        return look(None, paths, within=within)
    except BgpdError as error:
        return str(error)


def _home(access: Access) -> str:
    """Return the namespace of the pod that we are in; a person's account has none of this kind."""
    return "" if access.person else access.namespace


def _every(
    cluster: Cluster, paths: Iterable[str], unread: list[str], home: str
) -> Iterator[Document]:
    for path in paths:
        try:
            yield from _allowed(cluster, path, home)
        except ConfigError as error:
            # One kind that we may not list is no reason to tell nothing of the others.
            unread.append(str(error))


def _allowed(cluster: Cluster, path: str, home: str) -> list[Document]:
    """Return what is at *path*; for a pod of ours, of its namespace, where it may read no more.

    Agents and controllers read configuration there and nowhere else, so nothing is left out.
    """
    try:
        return cluster.every(path)
    except NoRightError:
        if not home or path not in CONFIGURATION:
            raise
        version, _, plural = path.rpartition("/")
        return cluster.every(f"{version}/namespaces/{home}/{plural}")
