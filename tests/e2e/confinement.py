"""What the kernel of a node lets our containers do, held against what the chart rendered."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.cluster.binaries import NODES, required
from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import NodeCluster

_FILTER: Final = "2"
"""SECCOMP_MODE_FILTER (linux/seccomp.h): RuntimeDefault is a filter."""
_CAPABILITIES: Final = {"CHOWN": 0, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_NICE": 23}
"""Their bits (linux/capability.h): those that the chart's values can ask for."""
_KINDS: Final = ("initContainers", "containers")
_LOOK: Final = """
import json, pathlib, sys
def below(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in below(child))]
def rows(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text().splitlines()
def see(pid):
    seen = {row.partition(":")[0]: row.partition(":")[2].split() for row in rows(pid, "status")}
    mounts = [row.split() for row in rows(pid, "mountinfo")]
    seen["root"] = [row[5].split(",")[0] for row in mounts if row[4] == "/"]
    return seen
print(json.dumps({pid: [see(one) for one in below(pid)] for pid in sys.argv[1:]}))
"""
"""Run on the node: each container's first process and all below it."""


def look(cluster: NodeCluster, pods: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return each container of *pods* that runs, with what is other than it was rendered."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        node = pod["spec"]["nodeName"]
        wanted = {one["name"]: one for kind in _KINDS for one in pod["spec"].get(kind, ())}
        running = {
            one["name"]: one["containerID"].removeprefix("containerd://")
            for kind in _KINDS
            for one in pod["status"].get(f"{kind.removesuffix('s')}Statuses", ())
            if "running" in one["state"]
        }
        pids = _pids(cluster, node)
        seen = _seen(cluster, node, [pids[one] for one in running.values()])
        for name, container in running.items():
            where = f"{pod['metadata']['name']}/{name} on {node}"
            found[where] = differences(_rendered(pod, wanted[name]), seen[pids[container]])
    return found


def differences(wanted: Mapping[str, str], processes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each thing that a process has and was not to have. Pure."""
    found = []
    for process in processes:
        has = {
            "Uid": process["Uid"][0],
            "Gid": process["Gid"][0],
            "NoNewPrivs": process["NoNewPrivs"][0],
            "Seccomp": process["Seccomp"][0],
            "CapBnd": process["CapBnd"][0],
            "CapInh": process["CapInh"][0],
            "CapAmb": process["CapAmb"][0],
            "root": process["root"][-1],
        }
        found += [
            f"{process['Name'][0]}: {what} is {has[what]}, rendered is {wanted[what]}"
            for what in wanted
            if has[what] != wanted[what]
        ]
    return found


def _rendered(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, str]:
    """Return what the kernel must say of each process, from the pod as it was rendered."""
    own, all_ = container["securityContext"], pod["spec"]["securityContext"]
    profile = (own.get("seccompProfile") or all_.get("seccompProfile") or {}).get("type")
    capabilities = own["capabilities"]
    if profile != "RuntimeDefault" or capabilities["drop"] != ["ALL"]:
        raise ClusterError(f"{container['name']}: {own}: not what the chart is to render")
    bits = sum(1 << _CAPABILITIES[name] for name in capabilities.get("add", ()))
    return {
        "Uid": str(own["runAsUser"]),
        "Gid": str(own["runAsGroup"]),
        "NoNewPrivs": "0" if own["allowPrivilegeEscalation"] else "1",
        "Seccomp": _FILTER,
        "CapBnd": f"{bits:016x}",
        "CapInh": f"{0:016x}",
        "CapAmb": f"{0:016x}",
        "root": "ro" if own["readOnlyRootFilesystem"] else "rw",
    }


def _pids(cluster: NodeCluster, node: str) -> dict[str, str]:
    """Return the first process of each container of *node*, as the node counts."""
    line = [str(required(NODES)["ctr"]), "--namespace=k8s.io", "tasks", "list"]
    rows = cluster.run([*cluster.inside(node), *line]).splitlines()[1:]
    return {row.split()[0]: row.split()[1] for row in rows}


def _seen(cluster: NodeCluster, node: str, pids: list[str]) -> dict[str, list[dict[str, Any]]]:
    line = [*cluster.inside(node), sys.executable, "-S", "-E", "-c", _LOOK, *pids]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{node}: {done.stderr.strip()}")
    seen: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return seen
