"""What goes over the wire for a decision: the patch of a Service's status, of a pool's, an Event.

The status of a Service is written by a strategic merge patch, which leaves alone what others wrote,
with the version of the document that was decided on: if it has changed, nothing is written.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from bgpd.allocator import Counters
from bgpd.controller.converge import VIP, Decision
from bgpd.controller.lease import SERVER
from bgpd.controller.written import End
from bgpd.kube.call import MERGE, Call
from bgpd.kube.crd import MOST_COUNTED
from bgpd.kube.happening import Happening, Regarding
from bgpd.kube.objects import OUR_GROUP
from bgpd.kube.reply import Reply, Unanswered
from bgpd.kube.request import OUTSIDE_POOLS
from bgpd.model.allocation import ServiceRequest

FIELD_MANAGER: Final = "bgpd-controller"
CONTROLLER: Final = "bgpd.io/controller"
STRATEGIC: Final = "application/strategic-merge-patch+json"
_NOTED: Final = "ip-allocated-from-pool"
NOTE: Final = f"bgpd.io/{_NOTED}"
"""The annotation that names the pool of a Service's addresses."""
OLD_NOTES: Final = (f"metallb.io/{_NOTED}", f"metallb.universe.tf/{_NOTED}")
_QUERY: Final = urlencode({"fieldManager": FIELD_MANAGER, "timeout": f"{SERVER:.0f}s"})


def service_call(decision: Decision, wall: float) -> Call:
    """Return the request that makes the document say what *decision* wants."""
    request = decision.request
    status: dict[str, Any] = {"loadBalancer": {"ingress": ingress_of(decision)}}
    conditions = _conditions(decision, wall)
    if conditions:
        status["conditions"] = conditions
    metadata: dict[str, Any] = {"resourceVersion": request.resource_version}
    notes = notes_of(decision)
    if notes:
        metadata["annotations"] = notes
    return Call(
        method="PATCH",
        target=f"{_path(request)}/status?{_QUERY}",
        document={"metadata": metadata, "status": status},
        content_type=STRATEGIC,
    )


def ingress_of(decision: Decision) -> list[dict[str, str]]:
    """Return `status.loadBalancer.ingress`."""
    modes = any(decision.request.ingress_modes)
    return [
        {"ip": address, "ipMode": VIP} if modes else {"ip": address}
        for address in decision.addresses or ()
    ]


def notes_of(decision: Decision) -> dict[str, str | None]:
    """Return the annotations to change; None takes one away."""
    if decision.pool == decision.request.pool_noted:
        return {}
    if decision.pool:
        return {NOTE: decision.pool}
    # A note of MetalLB's would say what is not so any more.
    return dict.fromkeys((NOTE, *OLD_NOTES))


def condition_of(decision: Decision, wall: float) -> dict[str, str] | None:
    """Return the condition to set; None where there is none to set."""
    if not decision.kept:
        return None
    moment = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": OUTSIDE_POOLS,
        "status": "True",
        "reason": "NoOtherAddress",
        "message": decision.why_kept,
        "lastTransitionTime": moment,
    }


def _conditions(decision: Decision, wall: float) -> list[dict[str, str]]:
    wanted = condition_of(decision, wall)
    if wanted is not None:
        return [] if decision.request.kept else [wanted]
    return [{"$patch": "delete", "type": OUTSIDE_POOLS}] if decision.request.kept else []


def _path(request: ServiceRequest) -> str:
    return f"/api/v1/namespaces/{quote(request.namespace)}/services/{quote(request.name)}"


def end_of(outcome: Reply | Unanswered) -> End:
    """Return what became of a write."""
    if isinstance(outcome, Unanswered):
        return End.UNANSWERED
    if outcome.good:
        return End.WRITTEN
    if outcome.code >= 500:
        # The server may have lost sight of what it had begun.
        return End.UNANSWERED
    return _ENDS.get(outcome.code, End.REFUSED)


_ENDS: Final = {404: End.GONE, 409: End.CONFLICT, 401: End.FAILED, 429: End.FAILED}


def pool_call(name: str, namespace: str, counters: Counters) -> Call:
    """Return the request that writes the numbers of a pool."""
    collection = f"/apis/{OUR_GROUP}/namespaces/{quote(namespace)}/ipaddresspools"
    return Call(
        method="PATCH",
        target=f"{collection}/{quote(name)}/status?{_QUERY}",
        document={"status": pool_status(counters)},
        content_type=MERGE,
    )


def pool_status(counters: Counters) -> Mapping[str, int]:
    """Return the numbers of a pool as its status has them."""
    numbers = {
        "assignedIPv4": counters.assigned_ipv4,
        "assignedIPv6": counters.assigned_ipv6,
        "availableIPv4": counters.available_ipv4,
        "availableIPv6": counters.available_ipv6,
    }
    return {name: min(number, MOST_COUNTED) for name, number in numbers.items()}


def happenings(decision: Decision) -> tuple[Happening, ...]:
    """Return the news of *decision* as Events on its Service."""
    request = decision.request
    regarding = Regarding(
        kind="Service", name=request.name, namespace=request.namespace, uid=request.uid
    )
    return tuple(
        Happening(
            reason=one.reason.value,
            action="Allocate",
            regarding=regarding,
            note=one.note,
            about=one.note,
            warning=one.warning,
        )
        for one in decision.news
    )
