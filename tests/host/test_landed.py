"""Facts about the order in which an elastic IP and its route come and go, told by one kernel."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exabgp.space import need
from tests.host.landed import POOL, Landed, landed, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_UNPROVEN = "that an elastic IP is on the host while routers have its route"
COMES = [("address", True), ("route", True)]
GOES = [("route", False), ("address", False)]


@pytest.fixture(name="host")
def _host() -> Iterator[Landed]:
    """Return a node with a speaker and a router, and no agent yet."""
    need("ip", "unshare", "nsenter", "bird", "birdc", "setpriv", "pgrep", unproven=_UNPROVEN)
    directory = Path(tempfile.mkdtemp(prefix="bgpd-landed-"))
    try:
        with landed(directory) as host:
            yield host
    finally:
        shutil.rmtree(directory)


def test_an_address_is_there_before_its_route_and_after_it(host: Landed) -> None:
    """Of each Service that comes, and when an endpoint goes.

    What somebody takes off the host withdraws nothing, nor does an agent that starts: not while
    addresses are gone, and not where nobody remembers what the speaker has.
    """
    host.write()
    host.start_agent()
    host.established()
    host.write(POOL)
    host.wait(host.can_bind, "bgpd0")
    host.write(POOL, *served(1))
    assert host.story(1, 2) == COMES
    host.write(POOL, *served(1), *served(2), *served(3))
    assert [host.story(2, 2), host.story(3, 2)] == [COMES, COMES]
    host.write(POOL, *served(1), *served(2))
    assert host.story(3, 4) == COMES + GOES
    host.space.run("ip", "link", "del", "bgpd0")
    back = [*COMES, ("address", False), ("address", True)]
    assert [host.story(1, 4), host.story(2, 4)] == [back, back]
    host.end_agent()
    host.space.run("ip", "link", "del", "bgpd0")
    host.start_agent()
    again = [*back, ("address", False), ("address", True)]
    assert [host.story(1, 6), host.story(2, 6)] == [again, again]
    host.write(POOL, *served(1), *served(2), *served(3))
    assert host.story(3, 6) == COMES + GOES + COMES
    host.end_agent()
    host.start_agent(state="another")
    host.wait(lambda: host.log("agent").count('"synced"') == 3, "a third agent")
    assert [host.story(1, 6), host.story(2, 6)] == [again, again]
    host.space.run("ip", "link", "del", "bgpd0")
    last = [*again, ("address", False), ("address", True)]
    assert [host.story(1, 8), host.story(2, 8)] == [last, last]
    host.write(POOL, *served(1), *served(2), *served(3), *served(6))
    assert host.story(6, 2) == COMES


def test_an_address_that_comes_again_is_there_before_its_route_again(host: Landed) -> None:
    """However soon after it went: what is about to be taken off counts as not there."""
    host.write(POOL)
    host.start_agent()
    host.established()
    for _ in range(3):
        host.write(POOL, *served(4))
        host.wait(lambda: host.routes() == {"203.0.113.4"}, "the route")
        host.write(POOL)
        host.wait(lambda: host.routes() == set(), "no route")
    host.write(POOL, *served(4), *served(5))
    assert host.story(5, 2) == COMES
    there = False
    for what, comes in host.story(4, 8):
        there = comes if what == "address" else there
        assert there, host.story(4, 8)


def test_a_host_that_cannot_be_changed_keeps_no_route_back(host: Landed) -> None:
    """Without CAP_NET_ADMIN the route goes out all the same, and a condition says what is wrong."""
    host.write(POOL, *served(1))
    host.start_agent(within=("setpriv", "--bounding-set=-net_admin"))
    host.established()
    assert host.story(1, 1) == [("route", True)]
    host.wait(lambda: "ElasticIPNotBound" in host.log("agent"), "the condition")
