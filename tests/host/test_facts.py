"""Facts about what the way to the peers says of the node."""

from collections.abc import Mapping

import pytest

from bgpd.host.facts import CARRIER, GATEWAY, HostFacts, judge
from bgpd.model.health import Health
from bgpd.model.prefix import Address

GOOD, BAD, OPEN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


@pytest.mark.parametrize(
    ("uplinks", "health", "sentence"),
    [
        pytest.param({"eth0": True}, GOOD, "eth0 has carrier", id="one uplink that works"),
        pytest.param({"eth0": False}, BAD, "eth0 has no carrier", id="the only uplink is lost"),
        pytest.param(
            {"eth1": False, "eth0": False},
            BAD,
            "eth0 and eth1 have no carrier",
            id="all uplinks are lost",
        ),
        pytest.param(
            {"eth0": False, "eth1": True},
            GOOD,
            "eth0 has no carrier; eth1 has",
            id="one of two is lost, and said",
        ),
        pytest.param(
            {"eth0": False, "eth1": None},
            OPEN,
            "eth0 has no carrier; of the other uplinks nothing is known",
            id="what is not known is not lost",
        ),
        pytest.param(
            {"eth0": None},
            OPEN,
            "eth0: whether there is carrier is not known",
            id="a dormant line says nothing",
        ),
        pytest.param({}, OPEN, "no interface leads to a peer", id="no peer is no evidence"),
    ],
)
def test_carrier(uplinks: Mapping[str, bool | None], health: Health, sentence: str) -> None:
    """A node is doubtful when every uplink has lost its carrier, and not before."""
    assert judge(HostFacts(uplinks=uplinks))[CARRIER] == (health, sentence)


@pytest.mark.parametrize(
    ("gateways", "health", "sentence"),
    [
        pytest.param({"10.0.0.1": GOOD}, GOOD, "10.0.0.1 answers", id="one next hop that works"),
        pytest.param({"10.0.0.1": BAD}, BAD, "10.0.0.1 does not answer", id="the only one is gone"),
        pytest.param(
            {"10.0.0.1": BAD, "10.0.1.1": GOOD},
            GOOD,
            "10.0.0.1 does not answer; 10.0.1.1 does",
            id="one of two is gone, and said",
        ),
        pytest.param(
            {"10.0.0.1": BAD, "10.0.1.1": OPEN},
            OPEN,
            "10.0.0.1 does not answer; of the other next hops nothing is known",
            id="what was not asked for is not gone",
        ),
        pytest.param(
            {"10.0.0.1": OPEN},
            OPEN,
            "nothing is known yet of 10.0.0.1",
            id="an entry without a state says nothing",
        ),
        pytest.param(
            {},
            OPEN,
            "no next hop that would be in the neighbor table",
            id="a point-to-point link has no neighbor",
        ),
    ],
)
def test_gateway(gateways: Mapping[str, Health], health: Health, sentence: str) -> None:
    """A node is doubtful when no next hop answers, and not before."""
    assert judge(HostFacts(gateways=gateways))[GATEWAY] == (health, sentence)


def test_a_kernel_that_cannot_be_asked_says_nothing() -> None:
    """Where there is no netlink both are unknown, with the reason."""
    facts = HostFacts(uplinks={"eth0": False}, gateways={"10.0.0.1": BAD}, problem="no netlink")
    assert judge(facts) == {CARRIER: (OPEN, "no netlink"), GATEWAY: (OPEN, "no netlink")}


def test_peers_without_a_route_are_named() -> None:
    """No route at all is no evidence about a line, but a person should read it."""
    facts = HostFacts(unreachable=(Address("10.0.0.9"), Address("10.0.0.8")))
    assert judge(facts)[CARRIER] == (OPEN, "no route to 10.0.0.8 and 10.0.0.9")
