"""What a node's programs are told: their configuration files and command lines, as text.

Traps that shaped them: without CAP_SYS_RESOURCE nobody may lower an OOM score or raise a limit;
in a network namespace the size of the connection table is read-only.
"""

import json
import resource
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.net import PODS, Node

PAUSE: Final = "localhost/pause:1"
PLUGINS: Final = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins are."""
_KUBERNETES: Final = "/etc/kubernetes"


def kernel() -> dict[str, str]:
    """Return the flags of /proc/sys that a node has for itself; its boot is another each time."""
    return {
        "kernel/random/boot_id": str(uuid.uuid4()),
        "vm/overcommit_memory": "1",
        "vm/panic_on_oom": "0",
        "kernel/panic": "10",
        "kernel/panic_on_oops": "1",
        "kernel/keys/root_maxkeys": "1000000",
        "kernel/keys/root_maxbytes": "25000000",
    }


def files(
    node: Node, cluster: str, runc: str, hosts: Mapping[str, str], secrets: Mapping[str, str]
) -> dict[str, str]:
    """Return path -> text of all that *node* finds in its /etc.

    *secrets* are its kubeconfigs and the authority, by name; *hosts* are the others by name.
    """
    names = ["127.0.0.1 localhost", "::1 localhost"]
    names += [f"{address} {name}" for name, address in hosts.items()]
    return {
        "/etc/hostname": f"{node.name}\n",
        "/etc/machine-id": f"{uuid.uuid5(uuid.NAMESPACE_DNS, f'{cluster}/{node.name}').hex}\n",
        "/etc/resolv.conf": "",
        "/etc/hosts": "".join(f"{line}\n" for line in names),
        "/etc/cni/net.d/10-pods.conflist": json.dumps(_pod_network(node)),
        "/etc/containerd.toml": _CONTAINERD.format(pause=PAUSE, plugins=PLUGINS, runc=runc),
        "/etc/kubelet.yaml": yaml.safe_dump(_kubelet(node, cluster)),
        "/etc/kube-proxy.yaml": yaml.safe_dump(_proxy()),
        **{f"{_KUBERNETES}/{name}": text for name, text in secrets.items()},
    }


def components(node: Node, programs: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return the command line of each program that runs as long as *node* does."""
    return {
        "containerd": [str(programs["containerd"]), "--config=/etc/containerd.toml"],
        "kubelet": [
            str(programs["kubelet"]),
            "--config=/etc/kubelet.yaml",
            f"--kubeconfig={_KUBERNETES}/kubelet.kubeconfig",
            f"--node-ip={','.join(node.addresses)}",
            "--cert-dir=/var/lib/kubelet/pki",
        ],
        "kube-proxy": [str(programs["kube-proxy"]), "--config=/etc/kube-proxy.yaml"],
    }


def _pod_network(node: Node) -> dict[str, Any]:
    local = {
        "type": "host-local",
        "dataDir": "/run/pod-addresses",
        "ranges": [[{"subnet": pods}] for pods in node.pods],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    }
    plugins = [{"type": "ptp", "mtu": 1500, "ipam": local}]
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}


_CONTAINERD: Final = """\
version = 3
disabled_plugins = ["io.containerd.nri.v1.nri"]
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  cni = {{bin_dirs = ['{plugins}'], conf_dir = '/etc/cni/net.d'}}
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    options = {{SystemdCgroup = false, BinaryName = '{runc}'}}
"""


def _kubelet(node: Node, cluster: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.addresses[0],
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{_KUBERNETES}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster}/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "maxOpenFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "oomScoreAdj": 0,
        # The disk is the developer's: nothing is evicted from it and no image removed.
        "evictionHard": dict.fromkeys(
            ("imagefs.available", "nodefs.available", "nodefs.inodesFree"), "0%"
        ),
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "resolvConf": "/etc/resolv.conf",
        # A pod sees another Secret or ConfigMap within this and a half; a minute by default.
        "syncFrequency": "5s",
    }


def _proxy() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{_KUBERNETES}/proxy.kubeconfig"},
        "mode": "nftables",
        "clusterCIDR": ",".join(PODS),
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "healthzBindAddress": "0.0.0.0:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
    }
