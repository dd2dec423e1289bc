"""A real Kubernetes API server for tests: etcd, kube-apiserver, kube-controller-manager."""

from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

__all__ = ["Api", "ApiError", "Cluster", "ClusterError"]
