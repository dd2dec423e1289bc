"""Why a Service waits for an address, found out again from documents; and why traffic is uneven."""

from typing import Any

import pytest

from bgpd.ctl.explaineven import unevenness
from bgpd.ctl.explainpending import objects_of, pending, pending_text, waiting
from bgpd.ctl.fleet import fleet_of
from bgpd.model.grounds import Grounds
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement
from tests.agent.test_planner import ours
from tests.ctl.samples import FINE
from tests.ctl.test_fleet import node, written

Document = dict[str, Any]
NAMESPACE: Document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}


def service(
    name: str, *addresses: str, annotations: dict[str, str] | None = None, **spec: Any
) -> Document:
    """Return a Service of type LoadBalancer that has *addresses*."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "type": "LoadBalancer",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80}],
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": one} for one in addresses]}},
    }


def pool(name: str, *addresses: str, **spec: Any) -> Document:
    """Return an IPAddressPool."""
    return ours("IPAddressPool", name, addresses=list(addresses), **spec)


def told(*documents: Document, name: str = "web") -> str:
    """Return what is said of the Service *name*, on one line."""
    (found,) = pending(objects_of([NAMESPACE, *documents]), name)
    return pending_text(found).replace("\n  ", " ")


def test_pools_that_could_not_be_read_are_not_said_to_be_missing() -> None:
    """An account that may not list them gets no list, which is not an empty one."""
    refused = "https://10.0.0.1: /apis/bgpd.io/v1alpha1/ipaddresspools: forbidden"
    (found,) = waiting(fleet_of([NAMESPACE, service("web")], unread=[refused]), "web")
    assert found.why == f"which pools were tried is not known here: {refused}"
    (found,) = waiting(fleet_of([NAMESPACE, service("web")]), "web")
    assert "there is no IPAddressPool" in found.why


@pytest.mark.parametrize(
    ("reason", "asks", "says"),
    [
        pytest.param(Reason.NO_ADDRESS, "bgpd.io/bgp", "203.0.113.1 of pool small is free for it",
                     id="agents serve its class"),
        pytest.param(Reason.OTHER_LOAD_BALANCER_CLASS, None, "this agent serves bgpd.io/bgp",
                     id="agents serve another one than the usual"),
    ],
)  # fmt: skip
def test_which_class_is_served_the_agents_know(reason: Reason, asks: str | None, says: str) -> None:
    """Of a cluster nobody has told bgpctl with which class its controller was started."""
    held = Withheld(service="default/web", prefix=None, reason=reason, message=says)
    status = written(FINE, "n1", withheld=(held,))
    request = service("web", loadBalancerClass=asks)
    (found,) = waiting(fleet_of([NAMESPACE, ONE, node("n1"), status, request]), "web")
    assert says in pending_text(found).replace("\n  ", " ")


ONE = pool("small", "203.0.113.1/32")
HELD = service("first", "203.0.113.1")


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        pytest.param((service("web"),), "there is no IPAddressPool", id="no pool"),
        pytest.param((ONE, HELD, service("web")),
                     "no IPAddressPool can give an address of IPv4\n- IPAddressPool small: none of "
                     "its 1 IPv4 addresses is free (1 assigned)", id="a pool that is full"),
        pytest.param((ONE, pool("aside", "203.0.113.8/30", autoAssign=False), HELD, service("web")),
                     "spec.autoAssign is false", id="a pool that must be named"),
        pytest.param((ONE, service("web", annotations={"bgpd.io/address-pool": "gone"})),
                     "'gone' is no IPAddressPool; must be one of small", id="no such pool"),
        pytest.param((ONE, HELD, service("web", annotations={
                      "bgpd.io/loadBalancerIPs": "203.0.113.1"})),
                     "is in use by default/first; it has no annotation allow-shared-ip",
                     id="an address that may not be shared"),
        pytest.param((ONE, service("first", "203.0.113.1",
                                   annotations={"bgpd.io/allow-shared-ip": "key"}),
                      service("web", annotations={"bgpd.io/allow-shared-ip": "key",
                              "bgpd.io/loadBalancerIPs": "203.0.113.1"})),
                     "TCP/80 on 203.0.113.1 is in use by default/first",
                     id="two that want one port"),
        pytest.param((ONE, service("web", ipFamilies=["IPv6"], clusterIPs=["fd00::1"])),
                     "IPAddressPool small: it has no IPv6 addresses", id="the other family"),
        pytest.param((ONE, service("web", loadBalancerClass="a.b/c")),
                     "spec.loadBalancerClass a.b/c is not (none)", id="another class"),
        pytest.param((ONE, service("web")), "203.0.113.1 of pool small is free for it, and nobody "
                     "gave it yet: is a controller running?", id="no controller"),
        pytest.param((ONE, service("web", "203.0.113.1")), "default/web has 203.0.113.1",
                     id="it has one"),
    ],
)  # fmt: skip
def test_the_allocator_says_it_again(documents: tuple[Document, ...], says: str) -> None:
    """Questions 15 and 17, also an hour later and without a controller."""
    assert says in told(*documents)


def grounds(*, local: bool = True, weighted: bool = False, rank: int = 0, **counts: int) -> Grounds:
    """Return a Service with so many endpoints on each node."""
    route = Advertisement(
        peer=PeerName("tor"),
        prefix=Prefix("203.0.113.1/32"),
        rank=rank,
        link_bandwidth=1_000_000 if weighted else None,
    )
    return Grounds(
        service="default/web",
        load_balancer=True,
        local=local,
        endpoints=counts,
        advertisements=(route,),
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(grounds(n1=1, n2=4), "on a node with 1 gets 4 times as much as one on a node "
                     "with 4", id="unlike numbers of endpoints"),
        pytest.param(grounds(n1=1, n2=4, weighted=True), "does not listen to link bandwidth",
                     id="routers are told"),
        pytest.param(grounds(n1=1, n2=1, rank=1), "one node is active", id="active and standby"),
        pytest.param(grounds(n1=2, n2=2), "", id="even"),
        pytest.param(grounds(local=False, n1=1, n2=4), "", id="any node reaches any endpoint"),
    ],
)  # fmt: skip
def test_unevenness_is_explained_by_what_routers_are_told(found: Grounds, says: str) -> None:
    """Question 14: endpoints against carriers, and weights."""
    sentences = list(unevenness(found, "203.0.113.1/32"))
    assert bool(sentences) is bool(says)
    assert says in " ".join(sentences)
