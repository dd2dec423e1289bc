"""MetalLB's speaker in native mode, to be measured beside: built from Go's module proxy, once.

It reads the same API server and peers with the same router from the same node, one after the
other. Its CRDs need one change on Kubernetes 1.36: their AS numbers are of format int32 with a
maximum beyond it, which that server refuses; they become int64, as in MetalLB 0.16.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from tests.cluster.api import Document
from tests.cluster.cluster import Cluster
from tests.lab.plan import (
    EX_CONFIG,
    NODE_ASN,
    ROUTER_ASN,
    LabError,
    Plan,
    management_address,
    router_address,
)
from tests.lab.topology import inside

VERSION: Final = "0.15.2"
_MODULE: Final = "go.universe.tf/metallb"
NAMESPACE: Final = "metallb-system"
_NARROW: Final = re.compile(r"format: int32(\n *maximum: 4294967295)")
_DEFINITIONS: Final = "crds.yaml"
_LARGEST_VERSION: Final = "v1beta2"

Say = Callable[[str], None]


def place() -> Path:
    """Return the directory that holds the program and its CRDs, built or to be built."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bgpd" / "metallb" / f"v{VERSION}"


def missing(*parts: str) -> list[str]:
    """Return the files that the cache lacks for the programs of *parts*: speaker, controller."""
    wanted = [*(f"metallb-{part}" for part in parts), _DEFINITIONS]
    return [name for name in wanted if not (place() / name).exists()]


def build(say: Say, *parts: str) -> None:
    """Put the programs of *parts* (the speaker) and the CRDs into the cache, unless they are."""
    parts = parts or ("speaker",)
    directory = place()
    lacking = missing(*parts)
    if not lacking:
        return
    if shutil.which("go") is None:
        raise LabError(
            f"{directory} does not hold {' and '.join(lacking)}, and there is no Go to build them "
            "with: install Go 1.26, or copy them from a machine that has it",
            EX_CONFIG,
        )
    say(f"building MetalLB {VERSION} into {directory}: minutes, but only once")
    source = Path(json.loads(_go("mod", "download", "-json", f"{_MODULE}@v{VERSION}"))["Dir"])
    directory.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if f"metallb-{part}" in lacking:
            fresh = directory / f".metallb-{part}"
            _go("build", "-C", str(source), "-trimpath", "-o", str(fresh), f"./{part}")
            fresh.replace(directory / f"metallb-{part}")
    texts = [path.read_text() for path in sorted((source / "config/crd/bases").glob("*.yaml"))]
    wide = _NARROW.sub(r"format: int64\1", "\n---\n".join(texts))
    (directory / _DEFINITIONS).write_text(wide)
    say("built")


def install(cluster: Cluster, plan: Plan, name: str) -> None:
    """Write its definitions and what makes it peer from node *name* as our own peer says."""
    define(cluster)
    cluster.apply(_objects(plan, name), NAMESPACE)


def define(cluster: Cluster) -> None:
    """Write its namespace and its definitions."""
    cluster.apply([document("v1", "Namespace", NAMESPACE)])
    texts = (place() / _DEFINITIONS).read_text()
    cluster.apply([each for each in yaml.safe_load_all(texts) if each])


def start(cluster: Cluster, name: str, log: Path) -> subprocess.Popen[bytes]:
    """Start the speaker in the network of node *name*."""
    environment = {
        "METALLB_NODE_NAME": name,
        "METALLB_POD_NAME": f"speaker-{name}",
        "METALLB_HOST": management_address(name),
    }
    return _start(cluster, "speaker", name, environment, log)


def start_controller(cluster: Cluster, namespace: str, log: Path) -> subprocess.Popen[bytes]:
    """Start the controller in the network *namespace*, without its webhooks: nobody reaches them.

    Without a name for memberlist's Secret it makes none; only layer 2 needs one.
    """
    words = ("--webhook-mode=disabled", "--disable-cert-rotation")
    return _start(cluster, "controller", namespace, {"METALLB_ML_SECRET_NAME": ""}, log, *words)


def _start(
    cluster: Cluster,
    part: str,
    namespace: str,
    environment: dict[str, str],
    log: Path,
    *words: str,
) -> subprocess.Popen[bytes]:
    common = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "METALLB_BGP_TYPE": "native",
        "METALLB_NAMESPACE": NAMESPACE,
    }
    command = [str(place() / f"metallb-{part}"), "--log-level=info", "--port=7472", *words]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*inside(namespace), *command],
            env={**os.environ, **common, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the speaker."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def _objects(plan: Plan, name: str) -> list[Document]:
    beta = "metallb.io/v1beta1"
    peer = {
        "myASN": NODE_ASN,
        "peerASN": ROUTER_ASN,
        "peerAddress": router_address(name, 4),
        "holdTime": f"{plan.hold}s",
    }
    pod = {
        "nodeName": name,
        "containers": [{"name": "speaker", "image": "speaker"}],
        "tolerations": [{"operator": "Exists"}],
    }
    labels = {"app": "metallb", "component": "speaker"}
    return [
        document("v1", "Pod", f"speaker-{name}", pod, labels),
        document(beta, "IPAddressPool", "lab", {"addresses": [plan.pool(4)]}),
        document(beta, "BGPAdvertisement", "lab", {"ipAddressPools": ["lab"]}),
        document(f"metallb.io/{_LARGEST_VERSION}", "BGPPeer", "router", peer),
    ]


def document(
    version: str,
    kind: str,
    name: str,
    spec: Document | None = None,
    labels: dict[str, str] | None = None,
) -> Document:
    """Return one document."""
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    found: Document = {"apiVersion": version, "kind": kind, "metadata": metadata}
    return {**found, "spec": spec} if spec else found


def _go(*words: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(
        ["go", *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"go {words[0]}: {done.stderr.strip()[-500:] or done.returncode}")
    return done.stdout
