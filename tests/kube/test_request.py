"""What an allocator reads of the documents that an agent reads too."""

from typing import Any

import msgspec
import pytest

from bgpd.kube.documents import Documents, Key, read
from bgpd.kube.mirror import Interpreter
from bgpd.kube.resource import requested
from bgpd.kube.vocabulary import AGENT, CONTROLLER
from bgpd.model.allocation import FamilyPolicy, Namespace, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.prefix import Family
from tests.kube.build import Document, ours, peer, pool, service, text

WEB = Key("Service", "default", "web")


def requests(*documents: Document) -> Documents:
    """Return what the controller reads in one file."""
    return read("f.yaml", text(*documents), CONTROLLER)


def request(annotations: Document | None = None, **spec: Any) -> ServiceRequest:
    """Return what one valid Service asks for."""
    document = service(**spec)
    document["metadata"]["annotations"] = annotations
    found = requests(document)
    assert found.problems == ()
    one = found.objects[WEB]
    assert isinstance(one, ServiceRequest)
    return one


def test_everything_that_an_address_depends_on_is_read() -> None:
    """Families, ports, policy, what is asked for and what is there."""
    document = service(
        ip="192.0.2.7",
        loadBalancerClass="bgpd.io/fast",
        loadBalancerIP="192.0.2.8",
        clusterIPs=["10.96.0.7", "fd00::7"],
        ipFamilies=["IPv6", "IPv4"],
        ipFamilyPolicy="PreferDualStack",
        externalTrafficPolicy="Local",
        selector={"app": "web"},
        ports=[{"port": 53, "protocol": "UDP"}, {"port": 80}],
    )
    document["metadata"] |= {
        "uid": "u1",
        "resourceVersion": "41",
        "labels": {"team": "edge"},
        "annotations": {"bgpd.io/address-pool": "gold", "other.io/x": "y"},
    }
    document["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "VIP"
    assert requests(document).objects[WEB] == ServiceRequest(
        namespace="default",
        name="web",
        uid="u1",
        resource_version="41",
        labels={"team": "edge"},
        load_balancer_class="bgpd.io/fast",
        cluster_ips=("10.96.0.7", "fd00::7"),
        ip_families=(Family.IPV6, Family.IPV4),
        family_policy=FamilyPolicy.PREFER_DUAL_STACK,
        load_balancer_ip="192.0.2.8",
        pool_wanted="gold",
        local=True,
        selector={"app": "web"},
        ports=frozenset(
            {ServicePort(protocol="UDP", number=53), ServicePort(protocol="TCP", number=80)}
        ),
        ingress=("192.0.2.7",),
        ingress_modes=("VIP",),
    )


@pytest.mark.parametrize(
    ("annotations", "key"),
    [
        pytest.param({}, "", id="without any there is none"),
        pytest.param({"metallb.universe.tf/allow-shared-ip": "old"}, "old", id="the old is read"),
        pytest.param(
            {"metallb.io/allow-shared-ip": "new", "metallb.universe.tf/allow-shared-ip": "old"},
            "new",
            id="the newer prefix wins",
        ),
        pytest.param(
            {"bgpd.io/allow-shared-ip": "ours", "metallb.io/allow-shared-ip": "new"},
            "ours",
            id="ours is the newest",
        ),
        pytest.param(
            {"metallb.io/allow-shared-ip": "", "metallb.universe.tf/allow-shared-ip": "old"},
            "",
            id="the newer wins even when it is empty",
        ),
    ],
)
def test_the_newest_prefix_counts(annotations: Document, key: str) -> None:
    """Three prefixes of one annotation are one wish."""
    assert request(annotations).sharing_key == key


def test_no_wish_and_an_empty_one_differ() -> None:
    """An annotation that asks for nothing is a mistake that its reader tells of."""
    assert request().addresses_wanted is None
    assert request({"metallb.io/loadBalancerIPs": ""}).addresses_wanted == ""


def test_deprecated_annotations_are_named_in_full() -> None:
    """Whoever reads the Event finds them in the manifest."""
    found = request({"metallb.universe.tf/address-pool": "p", "metallb.io/allow-shared-ip": "k"})
    assert found.deprecated == ("metallb.universe.tf/address-pool",)
    assert found.pool_wanted == "p"
    noted = request({"metallb.universe.tf/ip-allocated-from-pool": "p"})
    assert (noted.pool_noted, noted.deprecated) == ("p", ())


@pytest.mark.parametrize(
    ("spec", "ips"),
    [
        pytest.param({"clusterIP": "10.96.0.7"}, ("10.96.0.7",), id="one alone"),
        pytest.param({"clusterIP": "None", "clusterIPs": ["None"]}, (), id="headless"),
        pytest.param({}, (), id="none yet"),
    ],
)
def test_cluster_addresses(spec: Document, ips: tuple[str, ...]) -> None:
    """A Service without a cluster address has none, whatever word stands there."""
    assert request(**spec).cluster_ips == ips


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"ipFamilyPolicy": "Both"}, "spec.ipFamilyPolicy"),
        ({"ipFamilies": ["IPv4", "IPv5"]}, "spec.ipFamilies[1]"),
        ({"externalTrafficPolicy": "local"}, "spec.externalTrafficPolicy"),
    ],
)
def test_what_kubernetes_does_not_know_is_refused(spec: Document, path: str) -> None:
    """A word that no API server would take is not guessed at."""
    found = requests(service(**spec))
    assert [one.path for one in found.problems] == [path]
    assert found.damaged == {WEB}


def test_pools_say_who_may_have_their_addresses() -> None:
    """Agents and the controller read the same pools."""
    spec = {
        "addresses": ["192.0.2.0/24"],
        "serviceAllocation": {
            "priority": 20,
            "namespaces": ["a"],
            "serviceSelectors": [{"matchLabels": {"team": "edge"}}],
        },
    }
    document = ours("IPAddressPool", "p", spec)
    for vocabulary in (AGENT, CONTROLLER):
        (found,) = read("f.yaml", text(document), vocabulary).objects.values()
        assert isinstance(found, IPAddressPool)
        assert isinstance(found.allocation, ServiceAllocation)
        assert (found.allocation.priority, found.allocation.namespaces) == (20, ("a",))
        assert len(found.allocation.service_selectors) == 1


def test_what_only_agents_read_is_passed_over() -> None:
    """One directory serves both; neither complains of what is for the other."""
    labels = {"metadata": {"name": "prod", "labels": {"tier": "gold"}}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", **labels}
    found = requests(pool(), peer(), namespace)
    assert (found.problems, found.foreign) == ((), ("BGPPeer p",))
    assert found.objects[Key("Namespace", "", "prod")] == Namespace(
        name="prod", labels={"tier": "gold"}
    )
    agents = read("f.yaml", text(pool(), peer(), namespace))
    assert (agents.problems, agents.foreign) == ((), ("Namespace prod",))


def test_the_api_says_the_same_as_a_file() -> None:
    """One document is one request, wherever it comes from."""
    document = service(ports=[{"port": 80}])
    document["metadata"]["resourceVersion"] = "7"
    (resource,) = (one for one in requested("bgpd") if one.kind == "Service")
    found = Interpreter(resource)(_raw(document))
    assert (found.key, found.version) == (WEB, "7")
    assert found.object == requests(document).objects[WEB]


def _raw(document: Document) -> Any:
    return msgspec.Raw(msgspec.json.encode(document))
