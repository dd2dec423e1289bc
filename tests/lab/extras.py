"""The documents that single faults need besides those of every lab."""

from typing import Any

from tests.lab.documents import (
    GROUP,
    NAMESPACE,
    Document,
    endpoints,
    node,
    service,
    services,
)
from tests.lab.nodes import FIRST_NODE_PORT
from tests.lab.plan import ECHO_PORT, Plan

PROBE_MILLISECONDS = 100
PROBE_FAILURES = 2
_TIMEOUT_MILLISECONDS = 30
"""The workload is on this very node: an answer takes less than one."""


def health_checks(_plan: Plan) -> list[Document]:
    """Return the HealthCheck of every Service: its endpoint has to repeat a word.

    To connect would not do: the kernel accepts for a process that hangs.
    """
    spec = {
        "tcpSocket": {"port": ECHO_PORT, "send": "probe", "expect": "probe"},
        "target": "Endpoint",
        "periodMilliseconds": PROBE_MILLISECONDS,
        "timeoutMilliseconds": _TIMEOUT_MILLISECONDS,
        "failureThreshold": PROBE_FAILURES,
        "successThreshold": 1,
    }
    return [_document("HealthCheck", "echo", spec, namespace="default")]


def calm_health_checks(plan: Plan) -> list[Document]:
    """Return the same HealthCheck with time for a machine that has little: nothing hangs here."""
    (check,) = health_checks(plan)
    calm = {"periodMilliseconds": 250, "timeoutMilliseconds": 1000, "failureThreshold": 3}
    return [{**check, "spec": {**check["spec"], **calm}}]


def node_ports(plan: Plan) -> list[Document]:
    """Return the Services, each with the healthCheckNodePort that Kubernetes would give it."""
    found = [service(plan, number) for number in services(plan)]
    for number, each in enumerate(found):
        each["spec"] |= {"healthCheckNodePort": FIRST_NODE_PORT + number}
    return found


USUAL_PRIORITY = 100
TOO_MANY = 5
_TIER = "tier"


def too_many(plan: Plan, priority: int) -> list[Document]:
    """Return five Services more than the plan has, whose routes have this *priority*."""
    most, theirs = plan.services + TOO_MANY, []
    for number in range(1, most + 1):
        one = service(plan, number)
        tier = "more" if number > plan.services else "usual"
        theirs.append({**one, "metadata": {**one["metadata"], "labels": {_TIER: tier}}})
    slices = [
        each
        for number in range(plan.services + 1, most + 1)
        for each in endpoints(plan, number, plan.names)
    ]
    return [
        *theirs,
        *slices,
        _advertisement("lab", "usual", USUAL_PRIORITY),
        _advertisement("more", "more", priority),
    ]


def _advertisement(name: str, tier: str, priority: int) -> Document:
    spec = {
        "ipAddressPools": ["lab"],
        "serviceSelectors": [{"matchLabels": {_TIER: tier}}],
        "priority": priority,
    }
    return _document("BGPAdvertisement", name, spec)


def chosen(plan: Plan, priority: int) -> frozenset[str]:
    """Return the prefixes that the routers should hold then: the larger priority goes first."""
    usual = [plan.prefix(number, 4) for number in services(plan)]
    more = [plan.prefix(plan.services + 1 + number, 4) for number in range(TOO_MANY)]
    first = [*more, *usual] if priority > USUAL_PRIORITY else [*usual, *more]
    return frozenset(first[: len(usual)])


def doubt_seconds(plan: Plan) -> int:
    """Return how long kubelet or kube-proxy may be away: the default, or less when quick."""
    return 3 if plan.quick else 10


def doubting(plan: Plan) -> list[Document]:
    """Return the policy of a lab in which doubt begins after `doubt_seconds`."""
    return [speaker_policy({"health": {"doubtSeconds": doubt_seconds(plan)}})] if plan.quick else []


def draining_on_cordon(_plan: Plan) -> list[Document]:
    """Return the policy by which a cordon is a drain."""
    return [speaker_policy({"drain": "OnCordon"})]


def waiting_for_connections(_plan: Plan) -> list[Document]:
    """Return what a patient drain needs: its policy, and one active node for each elastic IP."""
    spec = {"ipAddressPools": ["lab"], "distribution": "activeStandby"}
    return [
        _document("BGPAdvertisement", "lab", spec),
        speaker_policy({"drain": "WaitForConnections", "drainMilliseconds": 20000}),
    ]


def speaker_policy(spec: dict[str, Any]) -> Document:
    """Return the SpeakerPolicy of every node."""
    return _document("SpeakerPolicy", "lab", spec)


def cordoned(plan: Plan, name: str) -> Document:
    """Return Node *name* as `kubectl cordon` leaves it."""
    return {**node(plan, name), "spec": {"unschedulable": True}}


def tainted(plan: Plan, name: str) -> Document:
    """Return Node *name* as `kubectl taint node NAME bgpd.io/drain:NoSchedule` leaves it."""
    taint = {"key": "bgpd.io/drain", "effect": "NoSchedule"}
    return {**node(plan, name), "spec": {"taints": [taint]}}


def shutting_down(plan: Plan, name: str) -> Document:
    """Return Node *name* as kubelet describes it once systemd told it that the machine ends."""
    found = node(plan, name)
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "node is shutting down",
    }
    return {**found, "status": {**found["status"], "conditions": [ready]}}


def _document(kind: str, name: str, spec: dict[str, Any], namespace: str = NAMESPACE) -> Document:
    return {
        "apiVersion": GROUP,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
