"""What runs in the cluster and is to be reached: a server that says on which node it is.

It runs in bgpd's own image, the only one that is loaded: that has a Python.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "echo"
PORT: Final = 7
_BEHIND: Final = 7007
_PROGRAM: Final = Path(__file__).parents[1] / "lab" / "echo.py"
_LABELS: Final = {"app": NAME}


def documents(image: str, replicas: int) -> list[Mapping[str, Any]]:
    """Return the program, a Deployment with a pod on each node, and a Service (TCP and UDP)."""
    return [_program(), _deployment(image, replicas), _service()]


def _program() -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME},
        "data": {"echo.py": _PROGRAM.read_text()},
    }


def _deployment(image: str, replicas: int) -> Mapping[str, Any]:
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    container = {
        "name": NAME,
        "image": image,
        "command": ["python3", "/program/echo.py", "$(NODE)", str(_BEHIND)],
        "env": [node],
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
        "readinessProbe": {"tcpSocket": {"port": _BEHIND}, "periodSeconds": 1},
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": _LABELS},
    }
    pod = {
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
        "topologySpreadConstraints": [spread],
        "volumes": [{"name": "program", "configMap": {"name": NAME}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _service() -> Mapping[str, Any]:
    ports = [
        {"name": protocol.lower(), "protocol": protocol, "port": PORT, "targetPort": _BEHIND}
        for protocol in ("TCP", "UDP")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": _LABELS,
            "ports": ports,
        },
    }
