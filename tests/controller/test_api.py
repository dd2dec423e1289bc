"""A controller on a real API server, with the rights that the chart ships."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.bench.controllers import (
    LEASE,
    Controllers,
    Witness,
    addresses_of,
    apply_all,
    controllers,
    events_of,
    pool,
    pool_status,
    service,
    until,
)
from tests.chart.installed import NAMESPACE, install
from tests.cluster.api import Document
from tests.cluster.cluster import Cluster


@pytest.fixture(scope="module")
def running(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controllers]:
    """Return the session's API server with a controller at work."""
    install(cluster)
    cluster.apply([pool("api", "203.0.113.0/28", autoAssign=False)])
    with controllers(cluster, tmp_path_factory.mktemp("controllers")) as found:
        found.start("one")
        until(lambda: found.said("one", "controller leading"), "nobody leads")
        yield found
    forget(cluster)


def forget(cluster: Cluster) -> None:
    """Take away what controllers leave behind."""
    for path in (LEASE, f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools/api"):
        cluster.api.request("DELETE", path)


def asked(name: str, namespace: str, **spec: object) -> Document:
    """Return a Service that asks for an address of the test's pool."""
    one = service(name, namespace, **spec)
    one["metadata"]["annotations"] = {"metallb.io/address-pool": "api"}
    return one


def shows(cluster: Cluster, namespace: str, name: str) -> tuple[str, ...]:
    """Return the addresses that the Service shows."""
    path = f"/api/v1/namespaces/{namespace}/services/{name}"
    return addresses_of(cluster.api.request("GET", path))


def test_a_service_gets_an_address_and_gives_it_back(
    running: Controllers, cluster: Cluster, namespace: str
) -> None:
    """Status, annotation, Event and the numbers of the pool say so."""
    assert running.leader() == "one"
    apply_all(cluster, [asked("web", namespace)])
    until(lambda: bool(shows(cluster, namespace, "web")), "no address")
    found = cluster.api.request("GET", f"/api/v1/namespaces/{namespace}/services/web")
    assert found["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "VIP"
    assert found["metadata"]["annotations"]["bgpd.io/ip-allocated-from-pool"] == "api"
    until(lambda: "IPAllocated" in events_of(cluster, namespace, "web"), "no Event")
    event = events_of(cluster, namespace, "web")["IPAllocated"]
    assert event["regarding"]["uid"] == found["metadata"]["uid"]
    assert event["reportingController"] == "bgpd.io/controller"
    until(lambda: pool_status(cluster, "api").get("assignedIPv4") == 1, "the pool does not count")
    assert pool_status(cluster, "api")["availableIPv4"] == 15
    cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}/services/web")
    until(lambda: pool_status(cluster, "api")["availableIPv4"] == 16, "it is not given back")


def test_a_service_that_is_no_load_balancer_any_more_loses_its_address(
    running: Controllers, cluster: Cluster, namespace: str
) -> None:
    """The type is watched, not only load balancers."""
    assert running.leader() == "one"
    apply_all(cluster, [asked("web", namespace)])
    until(lambda: bool(shows(cluster, namespace, "web")), "no address")
    path = f"/api/v1/namespaces/{namespace}/services/web"
    merge = "application/merge-patch+json"
    cluster.api.request("PATCH", path, {"spec": {"type": "ClusterIP"}}, content_type=merge)
    until(lambda: not shows(cluster, namespace, "web"), "it still shows an address")
    until(lambda: pool_status(cluster, "api").get("assignedIPv4") == 0, "it is not given back")


def test_an_exhausted_pool_is_an_event_that_says_why(
    running: Controllers, cluster: Cluster, namespace: str
) -> None:
    """And the Service that waited has an address once another one goes."""
    assert running.leader() == "one"
    apply_all(cluster, [asked(f"s{number}", namespace) for number in range(17)])

    def lacking() -> list[str]:
        return [f"s{n}" for n in range(17) if not shows(cluster, namespace, f"s{n}")]

    until(lambda: len(lacking()) == 1, "16 of 17 have an address")
    [last] = lacking()
    until(lambda: "AllocationFailed" in events_of(cluster, namespace, last), "no Event")
    event = events_of(cluster, namespace, last)["AllocationFailed"]
    assert event["type"] == "Warning"
    assert "IPAddressPool api" in event["note"]
    other = "s0" if last != "s0" else "s1"
    cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}/services/{other}")
    until(lambda: bool(shows(cluster, namespace, last)), "a free address was not given")
    for number in range(17):
        if f"s{number}" != other:
            cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}/services/s{number}")


def test_a_service_keeps_what_its_pool_lost_until_there_is_another(
    running: Controllers, cluster: Cluster, namespace: str
) -> None:
    """A condition on the Service and an Event say so, and the condition goes with the reason."""
    assert running.leader() == "one"
    cluster.apply([pool("shrinks", "203.0.113.128/32", autoAssign=False)])
    one = service("web", namespace)
    one["metadata"]["annotations"] = {"bgpd.io/address-pool": "shrinks"}
    apply_all(cluster, [one])
    until(lambda: shows(cluster, namespace, "web") == ("203.0.113.128",), "no address")
    path = f"/api/v1/namespaces/{namespace}/services/web"

    def conditions() -> dict[str, str]:
        found = cluster.api.request("GET", path)["status"].get("conditions") or []
        return {one["type"]: one["message"] for one in found}

    other = {"type": "Mine", "status": "True", "reason": "r", "message": "m"}
    other["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    merge = "application/merge-patch+json"
    status = {"status": {"conditions": [other]}}
    cluster.api.request("PATCH", f"{path}/status", status, content_type=merge)
    cluster.apply([pool("shrinks", "2001:db8:f::/128", autoAssign=False)])
    until(lambda: "AddressOutsidePools" in conditions(), "no condition")
    assert "203.0.113.128 is in no pool" in conditions()["AddressOutsidePools"]
    assert "Mine" in conditions()
    assert shows(cluster, namespace, "web") == ("203.0.113.128",)
    until(lambda: "AddressOutsidePools" in events_of(cluster, namespace, "web"), "no Event")
    cluster.apply([pool("shrinks", "203.0.113.129/32", autoAssign=False)])
    until(lambda: shows(cluster, namespace, "web") == ("203.0.113.129",), "it does not move")
    assert conditions() == {"Mine": "m"}
    cluster.api.request("DELETE", path)
    cluster.api.request(
        "DELETE", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools/shrinks"
    )


def test_objects_say_what_became_of_them(running: Controllers, cluster: Cluster) -> None:
    """Each kind of ours has a Ready, and what is not supported says so on the object itself."""
    assert running.leader() == "one"
    head = {"apiVersion": "bgpd.io/v1alpha1"}
    peer = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.200", "vrf": "red"}
    specs: dict[str, Document] = {
        "BGPPeer": peer,
        "L2Advertisement": {},
        "SpeakerPolicy": {"drainMilliseconds": 10},
    }
    metadata = {"name": "reviewed", "namespace": NAMESPACE}
    objects = [{**head, "kind": k, "metadata": metadata, "spec": v} for k, v in specs.items()]
    cluster.apply(objects)

    def said(one: Document) -> dict[str, str]:
        found = cluster.api.request("GET", cluster.api.path(one)).get("status") or {}
        return {each["type"]: each["status"] for each in found.get("conditions") or ()}

    wanted: list[dict[str, str]] = [
        {"Ready": "True", "NotSupported": "True"},
        {"Ready": "False", "NotSupported": "True"},
        {"Ready": "True"},
    ]
    try:
        until(lambda: [said(one) for one in objects] == wanted, "not all say what became of them")
        del peer["vrf"]
        path = cluster.api.path(objects[0])
        patch = {"spec": {"vrf": None}}
        merge = "application/merge-patch+json"
        cluster.api.request("PATCH", path, patch, content_type=merge)
        until(lambda: said(objects[0]) == {"Ready": "True"}, "what is over is still said")
    finally:
        for one in objects:
            cluster.api.delete(one)


def test_the_lease_changes_hands(running: Controllers, cluster: Cluster, namespace: str) -> None:
    """At once where a leader leaves in order, and within the Lease's time where it is killed."""
    apply_all(cluster, [asked(f"s{number}", namespace) for number in range(4)])
    with Witness(cluster, namespace) as witness:
        until(lambda: witness.given == 4, "no addresses")
        running.start("two")
        until(lambda: running.said("two", "standing_by"), "the second one does not start")
        holder = running.holder()
        running.end("one", number=signal.SIGTERM)
        assert running.holder() != holder, "it left without giving the Lease back"
        # A Lease that was not given back is taken after fourteen.
        took = until(lambda: running.said("two", "controller leading"), "nobody takes over")
        assert took < 10.0
        running.start("one")
        running.end("two")
        killed = time.monotonic()
        until(
            lambda: running.log("one").read_text().count("controller leading") >= 2,
            "nobody takes over",
        )
        assert time.monotonic() - killed < 5 * 15.0
        apply_all(cluster, [asked("late", namespace)])
        until(lambda: witness.given == 5, "the new leader gives no address")
    assert witness.faults == []
    for name in ("s0", "s1", "s2", "s3", "late"):
        cluster.api.request("DELETE", f"/api/v1/namespaces/{namespace}/services/{name}")


def test_nothing_that_it_needs_is_forbidden(running: Controllers) -> None:
    """Neither a watch nor a write was refused for want of a right."""
    for name in ("one", "two"):
        path = running.log(name)
        assert not path.exists() or "Forbidden" not in path.read_text()
