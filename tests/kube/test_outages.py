"""The real API server killed, compacted and restarted takes nothing away."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgpd.kube.access import InCluster
from bgpd.kube.documents import Key
from bgpd.kube.source import KubernetesSource
from tests.cluster.cluster import Cluster
from tests.kube import build
from tests.kube.follow import NAMESPACE, Following

A, B = (Key("Service", "default", name) for name in "ab")
SLICE = Key("EndpointSlice", "default", "a-1")
ACCOUNT: tuple[dict[str, Any], ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": NAMESPACE},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [
            {
                "apiGroups": ["", "discovery.k8s.io", "bgpd.io", "metallb.io"],
                "resources": ["services", "nodes", "endpointslices", "*"],
                "verbs": ["list", "watch"],
            }
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "reader",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}],
    },
)


def service(name: str, **spec: Any) -> dict[str, Any]:
    """Return a Service that the real server takes."""
    return build.service(name, ports=[{"port": 80}], **spec)


def account(cluster: Cluster, directory: Path, *, seconds: int = 3600) -> Path:
    """Mount the reader's account as a kubelet would."""
    directory.mkdir(exist_ok=True)
    (directory / "namespace").write_text(NAMESPACE)
    (directory / "ca.crt").write_bytes(cluster.authority.read_bytes())
    (directory / "token").write_text(cluster.token(NAMESPACE, "reader", seconds))
    return directory


def source(cluster: Cluster, root: Path) -> KubernetesSource:
    """Return a source as a pod has it; without our CRDs, so with a condition for each."""
    environment = {
        "KUBERNETES_SERVICE_HOST": cluster.bind,
        "KUBERNETES_SERVICE_PORT": str(cluster.port),
    }
    return KubernetesSource(InCluster(environment, root))


async def in_thread(act: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Do what blocks beside the loop."""
    await asyncio.to_thread(act, *arguments, **options)


def test_a_server_that_was_killed_and_forgot_history_takes_nothing_away(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    """Every watch gets a 410, reads the state again, and tells the difference: one Service."""
    slice_ = build.endpoint_slice("a-1", "a") | {"addressType": "IPv4"}
    own_cluster.apply([*ACCOUNT, service("a"), slice_])
    root = account(own_cluster, tmp_path / "account")

    async def main() -> None:
        one = Following(source(own_cluster, root))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.source.run(one.told.append))
            await one.synced()
            assert set(one.source.objects) == {A, SLICE}
            assert one.reasons == ["KindNotInstalled"]
            await in_thread(own_cluster.kill_api)
            await one.until(lambda: "ApiUnreachable" in one.reasons)
            await in_thread(own_cluster.restart_api)
            await in_thread(own_cluster.apply, [service("b")])
            await one.keys(A, B, SLICE)
            assert one.changes.added == {B}
            assert not one.changes.removed
            before = one.resyncs("EndpointSlice")
            await in_thread(own_cluster.kill_api)
            await in_thread(own_cluster.compact)
            await in_thread(own_cluster.restart_api)
            await one.until(lambda: one.resyncs("EndpointSlice") > before)
            await one.until(lambda: one.reasons == ["KindNotInstalled"])
            assert one.changes.keys == {B}
            await in_thread(own_cluster.api.delete, service("b"))
            await one.keys(A, SLICE)
            task.cancel()

    asyncio.run(main())


def test_an_expired_token_is_a_condition_until_the_next_one_is_mounted(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    """The real server's 401, and what a role does not allow."""
    own_cluster.apply([*ACCOUNT, service("a")])
    root = account(own_cluster, tmp_path / "account", seconds=-3600)

    async def main() -> None:
        one = Following(source(own_cluster, root))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.source.run(one.told.append))
            await one.until(lambda: one.reasons == ["ApiUnauthorized"])
            assert not one.source.synced
            await in_thread(account, own_cluster, root)
            await one.synced()
            assert set(one.source.objects) == {A}
            task.cancel()

    asyncio.run(main())
