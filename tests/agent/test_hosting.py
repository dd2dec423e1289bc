"""Facts about what of the documents a node's network has to follow."""

import subprocess
import sys
from dataclasses import replace

from bgpd.agent.elastic import Elastic
from bgpd.agent.hosting import wishes
from bgpd.host.wish import RouteWish
from bgpd.model.cluster import Service
from bgpd.model.configuration import IPAddressPool
from bgpd.model.peer import Asn, Peer, PeerName
from bgpd.model.prefix import Address, Prefix

POOL = IPAddressPool(
    name="ntp", prefixes=(Prefix("203.0.113.0/28"), Prefix("2001:db8::/64")), bind=True
)


def service(name: str, *ingress: str) -> Service:
    """Return a Service with addresses."""
    return Service(namespace="default", name=name, load_balancer=True, ingress=ingress)


def peer(name: str, gateway: str) -> Peer:
    """Return a peer."""
    return Peer(
        name=PeerName(name),
        address=Address("169.254.255.1"),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=Address("10.99.0.3"),
        router_id=Address("10.99.0.3"),
        gateway=gateway,
    )


def test_only_peers_with_a_gateway_get_a_route() -> None:
    """Others are reached as they always were."""
    found = list(wishes([peer("near", ""), peer("far", "default")]))
    assert found == [
        RouteWish(
            peer=PeerName("far"),
            destination=Address("169.254.255.1"),
            gateway="default",
            source=Address("10.99.0.3"),
        )
    ]


def test_of_a_service_what_is_of_a_pool_that_binds_is_bound() -> None:
    """Not what is of another pool, not what is no address; and not when the pools change."""
    elastic = Elastic()
    elastic.choose((POOL,))
    one = service("here", "203.0.113.7", "2001:db8::7", "198.51.100.1", "", "example.com")
    assert list(elastic.of(one)) == ["203.0.113.7", "2001:db8::7"]
    elastic.choose((replace(POOL, prefixes=POOL.prefixes[:1]),))
    assert list(elastic.of(one)) == ["203.0.113.7"]
    elastic.choose(())
    assert list(elastic.of(one)) == []


def test_an_agent_that_adds_nothing_to_the_host_does_not_load_what_it_takes() -> None:
    """Thirteen megabytes and a third of a second are for those who asked for it."""
    line = "import sys, bgpd.agent.service; sys.exit('pyroute2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0
