"""The command lines of etcd, kube-apiserver and kube-controller-manager.

All three run in the cluster's directory, so every path is relative: a unix socket's whole path may
have 108 bytes, and a test's directory can be longer than that.
"""

from pathlib import Path
from typing import Final

SERVICE_ADDRESS: Final = "10.0.0.1"
"""The first address of the Services' range: what the Service `kubernetes` would have."""
ETCD_SOCKET: Final = "etcd:0"
"""A unix socket; etcd insists that what it advertises ends like host and port."""

# What answers to a change of a Pod, a Service, a Namespace or an owner. The controllers of
# workloads, volumes and certificates, and the one that evicts from nodes without a kubelet
# (here nodes are documents, nobody renews their leases), would add noise.
_FEW: Final = (
    "daemonset-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
)


_TO_NODES: Final = (
    "--kubelet-client-certificate=pki/admin.crt",
    "--kubelet-client-key=pki/admin.key",
    "--kubelet-preferred-address-types=InternalIP",
)


def etcd(program: Path) -> list[str]:
    """Return the command of an etcd without fsync: a test's data need not survive a power loss."""
    clients, peers = f"unix://{ETCD_SOCKET}", "unix://peers:0"
    return [
        str(program),
        "--name=test",
        "--data-dir=etcd",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=test={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(
    program: Path, bind: str, port: int, *, controllers: bool, nodes: bool = False
) -> list[str]:
    """Return the command of an API server that authorizes as production does: Node and RBAC.

    Without controllers nobody makes the ServiceAccount `default` that its admission asks of a Pod.
    With nodes it is also the Service `kubernetes` to pods, and a client of kubelets.
    """
    ranges = ["10.0.0.0/16", "fd00:a::/112"]  # the API server's own family comes first
    return [
        str(program),
        f"--etcd-servers=unix://{ETCD_SOCKET}",
        f"--bind-address={bind}",
        f"--advertise-address={bind}",
        f"--secure-port={port}",
        "--cert-dir=pki",
        "--tls-cert-file=pki/apiserver.crt",
        "--tls-private-key-file=pki/apiserver.key",
        "--client-ca-file=pki/ca.crt",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=pki/tokens.pub",
        "--service-account-signing-key-file=pki/tokens.key",
        f"--service-cluster-ip-range={','.join(reversed(ranges) if ':' in bind else ranges)}",
        *(_TO_NODES if nodes else ("--endpoint-reconciler-type=none",)),
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        *(() if controllers else ("--disable-admission-plugins=ServiceAccount",)),
        "--allow-privileged",
        "--profiling=false",
    ]


def controllers(program: Path, *, nodes: bool = False) -> list[str]:
    """Return the command of a controller manager; its own limit on requests would cost seconds.

    With nodes it runs all controllers, without only those that documents need.
    """
    return [
        *_control(program, "controllers"),
        "--use-service-account-credentials",
        "--service-account-private-key-file=pki/tokens.key",
        "--root-ca-file=pki/ca.crt",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        f"--controllers={'*' if nodes else ','.join(_FEW)}",
    ]


def scheduler(program: Path) -> list[str]:
    """Return the command of a scheduler."""
    return _control(program, "scheduler")


def _control(program: Path, name: str) -> list[str]:
    who = f"{name}.kubeconfig"
    return [
        str(program),
        f"--kubeconfig={who}",
        f"--authentication-kubeconfig={who}",
        f"--authorization-kubeconfig={who}",
        "--secure-port=0",
        "--leader-elect=false",
    ]
