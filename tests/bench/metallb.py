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
_NAMESPACE: Final = "metallb-system"
_NARROW: Final = re.compile(r"format: int32(\n *maximum: 4294967295)")
_LARGEST_VERSION: Final = "v1beta2"

Say = Callable[[str], None]


def place() -> Path:
    """Return the directory that holds the program and its CRDs, built or to be built."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bgpd" / "metallb" / f"v{VERSION}"


def build(say: Say) -> None:
    """Put the program and its CRDs into the cache, unless they are there."""
    directory = place()
    program, definitions = directory / "metallb-speaker", directory / "crds.yaml"
    if program.exists() and definitions.exists():
        return
    if shutil.which("go") is None:
        raise LabError(
            f"{directory} does not hold metallb-speaker and crds.yaml, and there is no Go to build "
            "them with: install Go 1.26, or copy them from a machine that has it",
            EX_CONFIG,
        )
    say(f"building MetalLB {VERSION} into {directory}: minutes, but only once")
    source = Path(json.loads(_go("mod", "download", "-json", f"{_MODULE}@v{VERSION}"))["Dir"])
    directory.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        fresh = directory / ".metallb-speaker"
        _go("build", "-C", str(source), "-trimpath", "-o", str(fresh), "./speaker")
        fresh.replace(program)
    texts = [path.read_text() for path in sorted((source / "config/crd/bases").glob("*.yaml"))]
    definitions.write_text(_NARROW.sub(r"format: int64\1", "\n---\n".join(texts)))
    say("built")


def install(cluster: Cluster, plan: Plan, name: str) -> None:
    """Write its definitions and what makes it peer from node *name* as our own peer says."""
    cluster.apply([_document("v1", "Namespace", _NAMESPACE)])
    texts = (place() / "crds.yaml").read_text()
    cluster.apply([each for each in yaml.safe_load_all(texts) if each])
    cluster.apply(_objects(plan, name), _NAMESPACE)


def start(cluster: Cluster, name: str, log: Path) -> subprocess.Popen[bytes]:
    """Start the speaker in the network of node *name*."""
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "METALLB_BGP_TYPE": "native",
        "METALLB_NAMESPACE": _NAMESPACE,
        "METALLB_NODE_NAME": name,
        "METALLB_POD_NAME": f"speaker-{name}",
        "METALLB_HOST": management_address(name),
    }
    with log.open("ab") as output:
        return subprocess.Popen(
            [*inside(name), str(place() / "metallb-speaker"), "--log-level=info", "--port=7472"],
            env={**os.environ, **environment},
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
        _document("v1", "Pod", f"speaker-{name}", pod, labels),
        _document(beta, "IPAddressPool", "lab", {"addresses": [plan.pool(4)]}),
        _document(beta, "BGPAdvertisement", "lab", {"ipAddressPools": ["lab"]}),
        _document(f"metallb.io/{_LARGEST_VERSION}", "BGPPeer", "router", peer),
    ]


def _document(
    version: str,
    kind: str,
    name: str,
    spec: Document | None = None,
    labels: dict[str, str] | None = None,
) -> Document:
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
