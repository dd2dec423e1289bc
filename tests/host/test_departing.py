"""A host from which an agent departs is as it was before it came."""

import pytest

from tests.host.net import play

pytestmark = pytest.mark.integration


def test_an_agent_that_is_asked_to_leave_gives_its_host_back() -> None:
    """First the routes go from the routers, then address, route and interface from the host."""
    found = play("tests.host.departing", "leaves", unproven="that helm uninstall cleans a host")
    route = "169.254.255.1 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 179"
    assert found["added"] == [[route], ["203.0.113.7/32"]]
    assert found["still"] == [[route, "203.0.113.7/32"]]
    assert found["said"] == "no route is advertised, and nothing of bgpd's is left on this host"
    assert found["left"] == [[], []]
