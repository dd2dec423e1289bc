"""The sets of values with which the processes run: in one of them each value is not as it comes.

What cannot be said together stands in different sets; one run serves many values.
"""

import copy
from typing import Any, Final

Document = dict[str, Any]

AFFINITY: Final[Document] = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "rack", "operator": "Exists"}]}]
        }
    }
}
CERTIFICATE, BEARER, MOUNTED, WATCHED, OWN_KEY = "serving", "bearer", "tor-b", "tor-c", "mine"
"""Secrets that are there before anything is installed."""
TOKEN: Final = "whoever-bears-this-may-read"  # noqa: S105 - it opens nothing
OWN_TEXT: Final = "a key that a person has made"
DIGEST: Final = "sha256:" + "a" * 64
ASKED: Final[Document] = {
    "requests": {"cpu": "33m", "memory": "77Mi"},
    "limits": {"memory": "777Mi"},
}

THREE: Final[Document] = {
    "pool": ["203.0.113.0/26"],
    "myASN": 64512,
    "peers": ["64601@10.9.0.1"],
    "controller": {"networkPolicy": {"enabled": False}},
}
EVERYTHING: Final[Document] = {
    "pool": ["198.51.100.0/28"],
    "myASN": 64513,
    "peers": [
        "64601@10.9.0.1",
        {
            "name": "mounted",
            "peerASN": 64602,
            "peerAddress": "10.9.0.3",
            "passwordFile": f"/etc/bgpd/passwords/{MOUNTED}/password",
        },
        {
            "name": "watched",
            "peerASN": 64603,
            "peerAddress": "10.9.0.4",
            "passwordSecret": {"name": WATCHED},
        },
    ],
    "provider": "vultr",
    "advertisement": {"communities": ["64513:100"]},
    "speakerPolicy": {"mesh": {"intervalMilliseconds": 100}},
    "documents": [
        {
            "kind": "IPAddressPool",
            "metadata": {"name": "hosts"},
            "spec": {"addresses": ["192.0.2.128/28"], "bindOnHost": True, "autoAssign": False},
        },
        {
            "kind": "BGPAdvertisement",
            "metadata": {"name": "hosts"},
            "spec": {"ipAddressPools": ["hosts"]},
        },
    ],
    "image": {
        "repository": "mirror.example:5000/bgpd",
        "tag": "v9",
        "digest": DIGEST,
        "pullPolicy": "Always",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "commonLabels": {"team": "network"},
    "clusterUID": "effects",
    "loadBalancerClass": "bgpd.io/bgpd",
    "log": {"level": "error"},
    "passwordSecrets": {"mounted": [MOUNTED], "watched": [WATCHED]},
    "speaker": {
        "capabilities": ["SYS_NICE", "NET_RAW"],
        "metricsPort": 17180,
        "resources": ASKED,
    },
    "agent": {
        "capabilities": ["NET_RAW"],
        "ignoreExcludeLabel": True,
        "metricsPort": 17181,
        "metricsElasticIPs": 0,
        "resources": ASKED,
    },
    "nodes": {
        "annotations": {"example.com/note": "nodes"},
        "labels": {"example.com/tier": "nodes"},
        "nodeSelector": {"bgp": "yes"},
        "affinity": AFFINITY,
        "tolerations": [{"key": "bgpd.io/drain", "operator": "Exists"}],
        "priorityClassName": "important",
        "maxUnavailable": "10%",
        "terminationGracePeriodSeconds": 200,
        "stateDirectory": "/srv/state",
        "runDirectory": "/srv/run",
        "wrapperDirectory": "/opt/wrapper",
    },
    "controller": {
        "replicas": 3,
        "annotations": {"example.com/note": "controller"},
        "labels": {"example.com/tier": "controller"},
        "nodeSelector": {"role": "control"},
        "affinity": AFFINITY,
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "priorityClassName": "less-important",
        "metricsPort": 17182,
        "podDisruptionBudget": False,
        "networkPolicy": {"apiServerPorts": [6443]},
        "resources": ASKED,
    },
    "crds": {"keep": False},
    "uninstall": {"timeoutSeconds": 10},
    "monitoring": {
        "tlsSecret": CERTIFICATE,
        "tokenSecret": BEARER,
        "podMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {
            "enabled": True,
            "labels": {"grafana": "yes"},
            "annotations": {"folder": "Network"},
        },
    },
}
ROTATED: Final[Document] = {**copy.deepcopy(EVERYTHING), "mesh": {"rotation": "second"}}
OWN: Final[Document] = {
    "log": {"format": "text"},
    "mesh": {"existingSecret": OWN_KEY},
    "agent": {"manageHost": "Always"},
    "controller": {"enabled": False},
    "crds": {"enabled": False},
    "rbac": {"create": False},
    "admission": {"enabled": False},
    "uninstall": {"clean": False},
}
STAGES: Final[dict[str, Document]] = {
    "nothing said": {},
    "three values": THREE,
    "everything": EVERYTHING,
    "a new key": ROTATED,
    "much left out": OWN,
}
"""What is installed, in this order: the second and the fourth are upgrades of pods that run."""
