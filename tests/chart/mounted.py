"""A service account as a pod has it mounted, with a token of one node."""

from pathlib import Path

from bgpd.kube.access import InCluster
from tests.chart.installed import ACCOUNT, NAMESPACE
from tests.cluster.cluster import Cluster


def mounted(cluster: Cluster, directory: Path, node: str, account: str = ACCOUNT) -> InCluster:
    """Return the access of an agent on *node*, whose files are in *directory*."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "token").write_text(cluster.token(NAMESPACE, account, node=node))
    (directory / "ca.crt").write_text(cluster.authority.read_text())
    (directory / "namespace").write_text(NAMESPACE)
    return InCluster(environment(cluster), directory)


def environment(cluster: Cluster) -> dict[str, str]:
    """Return the variables by which a pod knows the API server."""
    return {"KUBERNETES_SERVICE_HOST": cluster.bind, "KUBERNETES_SERVICE_PORT": str(cluster.port)}
