"""What is in the cluster before anything is installed: nodes, Services, Secrets, foreign kinds."""

from typing import Any, Final

from bgpd.kube.nodestatus import MESH_ANNOTATION
from tests.agent.test_planner import endpoints, node
from tests.chart import effectsvalues as values
from tests.chart.effectslook import OPERATOR
from tests.chart.effectsnet import NODE, OTHER, ROUTERS
from tests.chart.installed import NAMESPACE, status_of
from tests.cluster.cluster import Cluster

Document = dict[str, Any]

ME, THEM = "n1", "n2"
CLASS: Final = "bgpd.io/bgpd"


def before(cluster: Cluster) -> list[Document]:
    """Return what is there: a Service without a class, one of ours, one for a pool of its own."""
    named = {"bgpd.io/address-pool": "hosts"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _foreign("PodMonitor"),
        _foreign("PrometheusRule"),
        *(_secret(name, files) for name, files in _secrets(cluster).items()),
        *(node(name, address) for name, address in ((ME, NODE), (THEM, OTHER))),
        _service("web"),
        _service("classed", loadBalancerClass=CLASS),
        _service("hosted", named, loadBalancerClass=CLASS),
        *(endpoints(name, ME) for name in ("web", "classed", "hosted")),
    ]


def member() -> Document:
    """Return what another node's agent would write: where its speaker listens."""
    found: Document = status_of(THEM)
    found["metadata"]["annotations"] = {MESH_ANNOTATION: f"{OTHER}:7179"}
    return found


def _secrets(cluster: Cluster) -> dict[str, dict[str, str]]:
    pki = cluster.authority.parent
    return {
        values.OWN_KEY: {"key": values.OWN_TEXT},
        values.MOUNTED: {"password": ROUTERS["mounted"][2]},
        values.WATCHED: {"password": ROUTERS["watched"][2]},
        values.BEARER: {"token": values.TOKEN},
        values.CERTIFICATE: {
            f"tls.{end}": (pki / f"apiserver.{end}").read_text() for end in ("crt", "key")
        },
    }


def _secret(name: str, files: dict[str, str]) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    kind = "kubernetes.io/basic-auth" if "password" in files else "Opaque"
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return {**head, "type": kind, "stringData": files}


def _service(name: str, annotations: dict[str, str] | None = None, **more: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **more},
    }


def _foreign(kind: str) -> Document:
    """Return the definition of a kind of the Prometheus operator that takes whatever is said."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{OPERATOR}"},
        "spec": {
            "group": OPERATOR,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }
