"""Put into a real API server what the chart ships for the agents: kinds, rights, admission.

Nodes, their objects and tokens are the test's own; what is installed here is the same for all
tests of a session and may be installed again.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.api import APPLY, Api, ApiError, Document
from tests.cluster.cluster import Cluster

FILES: Final = Path(__file__).parents[2] / "charts" / "bgpd" / "files"
NAMESPACE: Final = "bgpd-system"
ACCOUNT: Final = "bgpd-agent"
STATUSES: Final = "/apis/bgpd.io/v1alpha1/bgpnodestatuses"
EVENTS: Final = "/apis/events.k8s.io/v1/namespaces/default/events"
_PATIENCE = 60.0


def shipped(folder: str) -> list[Document]:
    """Return the documents of every file in *folder* of the chart's files."""
    found: list[Document] = []
    for path in sorted((FILES / folder).glob("*.yaml")):
        found += yaml.safe_load_all(path.read_text())
    return found


def install(cluster: Cluster) -> None:
    """Install everything, and wait until it holds."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.apply([namespace, *shipped("crds"), *shipped("rbac"), *shipped("admission")])
    _until_served(cluster)
    _until_admission_holds(cluster)


def node(cluster: Cluster, name: str) -> str:
    """Make the Node *name*; return its uid."""
    made = cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}])
    uid: str = made[0]["metadata"]["uid"]
    return uid


def agent(cluster: Cluster, on: str | None = None) -> Api:
    """Return a client with a token of the agents' account, bound to the Node *on*."""
    return cluster.client(cluster.token(NAMESPACE, ACCOUNT, node=on))


def status_of(name: str) -> Document:
    """Return the BGPNodeStatus of the Node *name* without its status."""
    head = {"apiVersion": "bgpd.io/v1alpha1", "kind": "BGPNodeStatus"}
    return {**head, "metadata": {"name": name}}


def minimal(name: str, generation: int) -> Document:
    """Return the BGPNodeStatus of the Node *name* with the least status that the schema allows."""
    status = {
        "node": name,
        "version": "0.1.0",
        "takeoverGeneration": generation,
        "conditions": [],
        "configuration": {"source": "kubernetes", "synced": True, "documents": 0},
        "counts": {"withheld": 0, "problems": 0},
    }
    return {**status_of(name), "status": status}


def write(client: Api, document: Document, path: str, **parameters: str) -> Any:
    """Apply *document* at *path* as the agent does."""
    asked = {"fieldManager": ACCOUNT, "force": "true", **parameters}
    return client.request("PATCH", path, document, content_type=APPLY, **asked)


def watch_once(client: Api, path: str) -> None:
    """Watch the collection at *path* as far as the first event: at the latest the end of a list."""
    for event in client.watch(
        path,
        resourceVersionMatch="NotOlderThan",
        sendInitialEvents="true",
        allowWatchBookmarks="true",
    ):
        assert event["type"] in {"ADDED", "BOOKMARK"}
        return
    raise AssertionError(f"a watch of {path} ended without a word")


def _until_served(cluster: Cluster) -> None:
    """Return when every new kind is served from memory: until then a watch has status 429."""
    for one in shipped("crds"):
        spec = one["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        until(partial(_watched, cluster, path), f"{path} is not served")


def _watched(cluster: Cluster, path: str) -> bool:
    try:
        watch_once(cluster.api, path)
    except ApiError:
        return False
    return True


def _until_admission_holds(cluster: Cluster) -> None:
    """Return when the policy is in force, a moment after it was written."""
    client = agent(cluster)
    try:
        until(lambda: _refused(client), "the admission policy does not hold")
    finally:
        client.close()


def _refused(client: Api) -> bool:
    try:
        write(client, status_of("nobody"), f"{STATUSES}/nobody", dryRun="All")
    except ApiError as refused:
        return "names no node" in str(refused)
    return False


def until(holds: Callable[[], bool], failure: str) -> None:
    """Return when *holds* does; fail with the words *failure* where it takes too long."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(failure)
        time.sleep(0.05)
