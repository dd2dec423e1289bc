"""The table: each value of the chart, and how its effect is seen. A value more or less fails."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from tests.chart import effects as e
from tests.chart.definitions import CHART
from tests.chart.effects import (
    DAEMON,
    DEPLOYMENT,
    HEAD,
    POD,
    Effect,
    later,
    process,
    server,
    stored,
)
from tests.chart.effectsnet import NODE
from tests.chart.effectsvalues import AFFINITY, ASKED, DIGEST

_VERSION: Final = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
_ROLLING: Final = ("spec", "updateStrategy", "rollingUpdate")
_LINUX: Final = {"kubernetes.io/os": "linux"}
_SPEAKER: Final = (DAEMON, *POD, "initContainers", "speaker")
_AGENT: Final = (DAEMON, *POD, "containers", "agent")
_CONTROLLER: Final = (DEPLOYMENT, *POD, "containers", "controller")
_DASHBOARD: Final = "ConfigMap/bgpd-dashboard-mesh"


def _pulled(look: dict[str, Any]) -> Any:
    return stored(*_AGENT, "imagePullPolicy")(look), stored(*_SPEAKER, "imagePullPolicy")(look)


def _asks_provider(look: dict[str, Any]) -> Any:
    return look["asked"], sorted(look["status"]["providers"].values())


def _interval(look: dict[str, Any]) -> Any:
    return look["status"]["speaker"]["mesh"]["interval_milliseconds"]


WANTED: Final[Mapping[str, Effect]] = {
    "pool": process(e.elastic_ip("web", "203.0.113.0/26"), nothing=False, three=True),
    "myASN": process(e.attribute("as_path"), nothing=[], three=["64512"], everything=["64513"]),
    "peers": process(
        lambda look: look["sessions"],
        nothing=[],
        three=["plain"],
        everything=["mounted", "plain", "watched"],
    ),
    "provider": process(
        _asks_provider, nothing=([], []), three=([], []), everything=(["/v1.json"], ["vultr"])
    ),
    "advertisement": process(e.attribute("community"), three=[], everything=["(64513,100)"]),
    "speakerPolicy": process(_interval, nothing=40, three=40, everything=100),
    "documents": process(e.bound, three=False, everything=True),
}
"""What is advertised, and to whom."""

RUNS: Final[Mapping[str, Effect]] = {
    "image.repository": server(
        e.image("repository"), nothing="localhost/bgpd", everything="mirror.example:5000/bgpd"
    ),
    "image.tag": server(e.image("tag"), nothing=_VERSION, everything="v9"),
    "image.digest": server(e.image("digest"), nothing=None, everything=DIGEST),
    "image.pullPolicy": server(
        _pulled, nothing=("IfNotPresent", "IfNotPresent"), everything=("Always", "Always")
    ),
    "imagePullSecrets": server(
        stored(DAEMON, *POD, "imagePullSecrets"), nothing=None, everything=[{"name": "registry"}]
    ),
    "commonLabels": server(e.labelled_by_a_team, nothing=False, everything=True),
    "clusterUID": process(
        lambda look: look["heartbeat"]["cluster"], nothing="bgpd-system/bgpd", everything="effects"
    ),
    "loadBalancerClass": process(e.offered, three=["web"], everything=["classed", "hosted"]),
    "log.level": process(e.starts_are_logged, nothing=True, everything=False),
    "log.format": process(e.form_of_lines, nothing="json", own="text"),
    "mesh.existingSecret": process(
        lambda look: look["heartbeat"]["key"], nothing="bgpd-mesh/key", own="mine/key"
    ),
    "mesh.rotation": process(
        lambda look: look["heartbeat"]["accepted"],
        everything=["bgpd-mesh/key"],
        rotated=["bgpd-mesh/key", "bgpd-mesh/previous"],
    ),
    "passwordSecrets.mounted": process(
        lambda look: "mounted" in look["sessions"], three=False, everything=True
    ),
    "passwordSecrets.watched": process(
        lambda look: "watched" in look["sessions"], three=False, everything=True
    ),
    "speaker.capabilities": process(
        e.capabilities("speaker", -1), nothing=0, everything=e.SYS_NICE | e.NET_RAW
    ),
    "speaker.metricsPort": process(e.port("speaker"), nothing=7180, everything=17180),
    "speaker.resources.requests": server(
        stored(*_SPEAKER, "resources", "requests"),
        nothing={"cpu": "50m", "memory": "96Mi"},
        everything=ASKED["requests"],
    ),
    "speaker.resources.limits": server(
        stored(*_SPEAKER, "resources", "limits"),
        nothing={"memory": "256Mi"},
        everything=ASKED["limits"],
    ),
    "agent.manageHost": process(
        e.capabilities("agent", e.NET_ADMIN), nothing=0, three=0, own=e.NET_ADMIN
    ),
    "agent.capabilities": process(
        e.capabilities("agent", e.NET_RAW), nothing=0, everything=e.NET_RAW
    ),
    "agent.ignoreExcludeLabel": later(process(e.while_excluded, three=0, everything=2)),
    "agent.metricsPort": process(e.port("agent"), nothing=7181, everything=17181),
    "agent.metricsElasticIPs": process(e.series_of_elastic_ips, three=True, everything=False),
    "agent.resources.requests": server(
        stored(*_AGENT, "resources", "requests"),
        nothing={"cpu": "50m", "memory": "128Mi"},
        everything=ASKED["requests"],
    ),
    "agent.resources.limits": server(
        stored(*_AGENT, "resources", "limits"),
        nothing={"memory": "512Mi"},
        everything=ASKED["limits"],
    ),
}
"""The image and the processes of a node."""

NODES: Final[Mapping[str, Effect]] = {
    "nodes.annotations": server(
        stored(DAEMON, *HEAD, "annotations", "example.com/note"), nothing=None, everything="nodes"
    ),
    "nodes.labels": server(
        stored(DAEMON, *HEAD, "labels", "example.com/tier"), nothing=None, everything="nodes"
    ),
    "nodes.nodeSelector": server(
        stored(DAEMON, *POD, "nodeSelector"), nothing=_LINUX, everything={**_LINUX, "bgp": "yes"}
    ),
    "nodes.affinity": server(stored(DAEMON, *POD, "affinity"), nothing=None, everything=AFFINITY),
    "nodes.tolerations": server(
        stored(DAEMON, *POD, "tolerations"),
        nothing=[{"operator": "Exists"}],
        everything=[{"key": "bgpd.io/drain", "operator": "Exists"}],
    ),
    "nodes.priorityClassName": server(
        stored(DAEMON, *POD, "priorityClassName"),
        nothing="system-node-critical",
        everything="important",
    ),
    "nodes.maxUnavailable": server(
        stored(DAEMON, *_ROLLING, "maxUnavailable"), nothing=1, everything="10%"
    ),
    "nodes.terminationGracePeriodSeconds": process(
        e.time_to_end, nothing=(60, "50"), everything=(200, "190")
    ),
    "nodes.stateDirectory": process(e.files_in("srv/state"), nothing=False, everything=True),
    "nodes.runDirectory": process(e.files_in("srv/run"), nothing=False, everything=True),
    "nodes.wrapperDirectory": process(
        lambda look: "opt/wrapper/bgpctl" in look["files"], nothing=False, everything=True
    ),
}
"""The pods of the DaemonSet, and their directories of the host."""

CONTROLLER: Final[Mapping[str, Effect]] = {
    "controller.enabled": process(e.port("controller", NODE), nothing=7182, own=None),
    "controller.replicas": server(stored(DEPLOYMENT, "spec", "replicas"), nothing=2, everything=3),
    "controller.annotations": server(
        stored(DEPLOYMENT, *HEAD, "annotations", "example.com/note"),
        nothing=None,
        everything="controller",
    ),
    "controller.labels": server(
        stored(DEPLOYMENT, *HEAD, "labels", "example.com/tier"),
        nothing=None,
        everything="controller",
    ),
    "controller.nodeSelector": server(
        stored(DEPLOYMENT, *POD, "nodeSelector"),
        nothing=_LINUX,
        everything={**_LINUX, "role": "control"},
    ),
    "controller.affinity": server(
        stored(DEPLOYMENT, *POD, "affinity"), nothing=None, everything=AFFINITY
    ),
    "controller.tolerations": server(
        stored(DEPLOYMENT, *POD, "tolerations"),
        nothing=None,
        everything=[{"key": "control", "operator": "Exists"}],
    ),
    "controller.priorityClassName": server(
        stored(DEPLOYMENT, *POD, "priorityClassName"),
        nothing="system-cluster-critical",
        everything="less-important",
    ),
    "controller.metricsPort": process(e.port("controller", NODE), nothing=7182, everything=17182),
    "controller.podDisruptionBudget": server(
        e.there("PodDisruptionBudget/bgpd-controller"), nothing=True, everything=False
    ),
    "controller.networkPolicy.enabled": server(
        e.there("NetworkPolicy/bgpd-controller"), nothing=True, three=False
    ),
    "controller.networkPolicy.apiServerPorts": server(
        e.egress_ports, nothing=None, everything=[6443, 53, 53]
    ),
    "controller.resources.requests": server(
        stored(*_CONTROLLER, "resources", "requests"),
        nothing={"cpu": "20m", "memory": "128Mi"},
        everything=ASKED["requests"],
    ),
    "controller.resources.limits": server(
        stored(*_CONTROLLER, "resources", "limits"),
        nothing={"memory": "512Mi"},
        everything=ASKED["limits"],
    ),
}
"""The Deployment and what is around it."""

OTHERS: Final[Mapping[str, Effect]] = {
    "crds.enabled": server(lambda look: bool(look["served"]["kinds"]), nothing=True, own=False),
    "crds.keep": later(
        server(lambda look: bool(look["uninstall"]["kinds"]), three=True, rotated=False)
    ),
    "rbac.create": server(lambda look: look["served"]["token"], nothing="granted", own="NotFound"),
    "admission.enabled": server(e.refused, nothing=True, own=False),
    "uninstall.clean": later(process(e.left_clean, three=True, own=None)),
    "uninstall.timeoutSeconds": later(process(e.patience, three=(180, None), rotated=(70, 10))),
    "monitoring.tlsSecret": process(e.of_metrics("scheme"), nothing="http", everything="https"),
    "monitoring.tokenSecret": process(e.of_metrics("without a token"), nothing=200, everything=401),
    "monitoring.podMonitor.enabled": process(e.port("agent", NODE), nothing=None, everything=17181),
    "monitoring.podMonitor.interval": server(
        e.monitored, nothing=[], everything=["15s", "15s", "15s"]
    ),
    "monitoring.podMonitor.labels": server(
        e.label("PodMonitor/bgpd-agent", "release"), nothing=None, everything="prometheus"
    ),
    "monitoring.prometheusRule.enabled": server(
        e.there("PrometheusRule/bgpd"), nothing=False, everything=True
    ),
    "monitoring.prometheusRule.labels": server(
        e.label("PrometheusRule/bgpd", "release"), nothing=None, everything="prometheus"
    ),
    "monitoring.dashboards.enabled": server(e.there(_DASHBOARD), nothing=False, everything=True),
    "monitoring.dashboards.labels": server(
        e.label(_DASHBOARD, "grafana"), nothing=None, everything="yes"
    ),
    "monitoring.dashboards.annotations": server(
        stored(_DASHBOARD, "metadata", "annotations", "folder"), nothing=None, everything="Network"
    ),
}
"""Kinds, rights, removal and monitoring."""

EFFECTS: Final[Mapping[str, Effect]] = {**WANTED, **RUNS, **NODES, **CONTROLLER, **OTHERS}
