"""Where the programs of a cluster are: with the caller's test assets, or in the cache.

`KUBEBUILDER_ASSETS` is the variable by which other projects' tests find the same programs; what
it does not hold (it seldom has the controller manager) comes from the cache. The cache's key is
the versions in `modules/*/go.mod`, so that a change there builds anew and nothing else does.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.cluster.error import EX_CONFIG, ClusterError

MODULES: Final = Path(__file__).parent / "modules"
SERVER: Final = ("etcd", "kube-apiserver")
"""What an API server takes."""
PROGRAMS: Final = (*SERVER, "kube-controller-manager")
NODES: Final = (
    *PROGRAMS,
    *("kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
    *("containerd", "containerd-shim-runc-v2", "ctr", "pause"),
)
"""What a cluster with nodes takes."""
ASSETS: Final = "KUBEBUILDER_ASSETS"

_APART = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "pause": "containerd",
}
"""Programs of a release of their own: a new one of these is no reason to build Kubernetes anew."""
_REQUIRED = {
    "containerd": "github.com/containerd/containerd/v2",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubernetes": "k8s.io/kubernetes",
}


def version(module: str) -> str:
    """Return the version of what *module* is named after, as its go.mod asks for it."""
    text = (MODULES / module / "go.mod").read_text()
    asked = rf"^\s*(?:require )?{re.escape(_REQUIRED[module])} (v\S+)"
    found = re.search(asked, text, re.MULTILINE)
    if found is None:
        raise ClusterError(f"modules/{module}/go.mod does not require {_REQUIRED[module]}")
    return found[1]


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory that holds the programs of our versions, built or to be built."""
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    key = f"kubernetes-{version('kubernetes')}-etcd-{version('etcd')}"
    return Path(base) / "bgpd" / "cluster" / key


def place(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of the cache that the program *name* is in, or comes into."""
    if name not in _APART:
        return cache(environment)
    return cache(environment).parent / f"{_APART[name]}-{version(_APART[name])}"


def found(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Return the programs that this machine has, each with its path."""
    assets = environment.get(ASSETS)
    programs: dict[str, Path] = {}
    for name in NODES:
        for directory in (*([Path(assets)] if assets else []), place(name, environment)):
            if os.access(directory / name, os.X_OK):
                programs[name] = directory / name
                break
    return programs


def missing(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return those of *names* that this machine has not."""
    there = found(environment)
    return tuple(name for name in names if name not in there)


def required(names: Iterable[str]) -> dict[str, Path]:
    """Return the paths of *names*, or raise with the one sentence that helps."""
    if lacking := missing(names):
        raise ClusterError(
            f"{', '.join(lacking)}: neither in ${ASSETS} nor in {cache()}; "
            "scripts/cluster build makes them, with Go",
            EX_CONFIG,
        )
    return found()
