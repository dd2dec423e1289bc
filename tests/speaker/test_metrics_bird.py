"""What the shipped speaker exposes is what the router sees: ExaBGP against BIRD, in namespaces."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpd.model.peer import PeerState
from bgpd.telemetry.catalog import Process, exposed_by
from tests.exabgp.space import eventually, need
from tests.interop.bench import Bench, bench
from tests.interop.cases import CASES, Case, Make
from tests.interop.node import until
from tests.interop.routers import ROUTERS, Bird
from tests.speaker.scraped import Scrape, lint, page, scrape, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

FOUR, SIX = (next(case for case in CASES if case.number == number) for number in (1, 3))


@pytest.fixture(name="bare")
def _bare(tmp_path: Path) -> Iterator[Bench]:
    """Return BIRD and a node on which nothing runs."""
    unproven = "that the sessions' gauge agrees with the router's view"
    need("ip", "ss", "unshare", "nsenter", *ROUTERS[Make.BIRD].programs, unproven=unproven)
    with bench(Make.BIRD, tmp_path, [FOUR, SIX]) as world:
        world.router.start()
        yield world


@pytest.fixture(name="world")
def _world(bare: Bench) -> Bench:
    """Return BIRD and a node with the speaker."""
    bare.node.start()
    served(bare.spaces["node"])
    return bare


def _want(world: Bench, *cases: Case) -> None:
    wishes = [case.advertisement(prefix) for case in cases for prefix in case.wanted]
    world.node.want([case.peer for case in cases], wishes)


def _birds_view(world: Bench) -> dict[str, bool]:
    """Return for each protocol of BIRD whether its session is established."""
    assert isinstance(world.router, Bird)
    lines = [line.split() for line in world.router.ask("show", "protocols").splitlines()]
    return {words[0]: "Established" in words for words in lines if words[1:2] == ["BGP"]}


def _our_view(found: Scrape) -> dict[str, bool]:
    return {
        dict(labels)["peer"]: value == 1
        for (name, labels), value in found.gauges.items()
        if name == "bgpd_bgp_session_up"
    }


def _agree(world: Bench, view: dict[str, bool], before: Scrape) -> Scrape:
    """Scrape until both see *view*, then that they go on to; no counter goes back meanwhile."""
    scrapes = [before]

    def look() -> Scrape | None:
        found = scrape(world.spaces["node"])
        assert not found.went_back(scrapes[-1])
        scrapes.append(found)
        return found if _our_view(found) == view == _birds_view(world) else None

    eventually(look, f"speaker and BIRD see {view}")
    for _ in range(5):
        time.sleep(0.2)
        assert look(), (_our_view(scrapes[-1]), _birds_view(world))
    return scrapes[-1]


def _advertised(world: Bench) -> list[float | None]:
    found = scrape(world.spaces["node"])
    name = "bgpd_prefixes_advertised"
    return [
        found.get(name, peer=FOUR.name, family="ipv4-unicast"),
        found.get(name, peer=SIX.name, family="ipv6-unicast"),
    ]


def test_the_gauge_of_sessions_is_what_bird_says(world: Bench) -> None:
    """Both up, one shut down by BIRD's operator, up again: at each scrape both say the same."""
    _want(world, FOUR, SIX)
    eventually(lambda: _advertised(world) == [3, 3], "all is advertised")
    both = _agree(world, {FOUR.name: True, SIX.name: True}, Scrape(""))
    assert both.get("bgpd_prefixes_desired", peer=FOUR.name, family="ipv4-unicast") == 3
    assert both.get("bgpd_prefixes_advertised", peer=FOUR.name, family="ipv4-unicast") == 3
    assert both.get("bgpd_prefixes_advertised", peer=SIX.name, family="ipv6-unicast") == 3
    assert both.get("bgpd_bgp_session_hold_time_seconds", peer=FOUR.name) == 90
    since = both.get("bgpd_bgp_session_established_timestamp_seconds", peer=FOUR.name)
    assert since is not None
    assert abs(since - time.time()) < 60

    assert isinstance(world.router, Bird)
    world.router.ask("disable", FOUR.name)
    one = _agree(world, {FOUR.name: False, SIX.name: True}, both)
    assert one.get("bgpd_prefixes_desired", peer=FOUR.name, family="ipv4-unicast") == 3
    assert one.get("bgpd_prefixes_advertised", peer=FOUR.name, family="ipv4-unicast") == 0
    assert one.get("bgpd_bgp_session_established_timestamp_seconds", peer=FOUR.name) is None

    world.router.ask("enable", FOUR.name)
    back = _agree(world, {FOUR.name: True, SIX.name: True}, one)
    entered = {
        state: back.get("bgpd_bgp_session_transitions_total", peer=FOUR.name, to=state)
        for state in PeerState
    }
    assert entered[PeerState.ESTABLISHED] == 2
    assert entered[PeerState.IDLE]
    states = [back.get("bgpd_bgp_session_state", peer=FOUR.name, state=s) for s in PeerState]
    assert states == [0, 0, 0, 0, 0, 1]


def test_a_real_scrape_is_as_prometheus_wants_it(world: Bench) -> None:
    """No warning of its linter, and every metric of the catalog is in it."""
    _want(world, FOUR, SIX)
    until(world.node, FOUR.name, "Established")
    found = scrape(world.spaces["node"])
    assert lint(found.text) == ""
    for metric in exposed_by(Process.SPEAKER):
        assert f"# TYPE {metric.name} {metric.kind}\n" in found.text


def test_the_series_of_a_peer_go_with_it_and_come_back_no_lower(world: Bench) -> None:
    """A peer that is configured no more has no series; of one that returns no count is lower."""
    _want(world, FOUR, SIX)
    until(world.node, SIX.name, "Established")
    both = scrape(world.spaces["node"])
    assert len(both.about("peer", SIX.name)) >= 6
    _want(world, FOUR)
    eventually(
        lambda: not scrape(world.spaces["node"]).about("peer", SIX.name), "the series are gone"
    )
    _want(world, FOUR, SIX)
    until(world.node, SIX.name, "Established")
    assert not scrape(world.spaces["node"]).went_back(both)


def test_the_pages_live_when_the_agent_is_dead(world: Bench) -> None:
    """Sessions stand, so do their numbers; that the agent is gone is one of them."""
    status, body = page(world.spaces["node"], "/readyz?verbose")
    assert status == 503
    assert "[-]configuration failed: no agent has said yet" in body
    _want(world, FOUR)
    until(world.node, FOUR.name, "Established")
    eventually(
        lambda: (
            page(world.spaces["node"], "/readyz?verbose")
            == (200, "[+]configuration ok\n[+]exabgp ok\n[+]staying ok\nreadyz check passed\n")
        ),
        "ready",
    )
    assert scrape(world.spaces["node"]).get("bgpd_agent_connected") == 1
    world.node.leave()
    found = eventually(
        lambda: _without_agent(scrape(world.spaces["node"])), "the agent is known to be gone"
    )
    assert found.get("bgpd_bgp_session_up", peer=FOUR.name) == 1
    assert found.get("bgpd_events_total", event="agent_lost", level="warning") == 1
    assert page(world.spaces["node"], "/livez")[0] == 200
    assert page(world.spaces["node"], "/readyz")[0] == 200


def test_a_taken_port_costs_no_session(bare: Bench, tmp_path: Path) -> None:
    """It is said in the log and the status; when the port is free, it is served."""
    world, flag, log = bare, tmp_path / "flag", tmp_path / "held"
    flag.touch()
    held = world.spaces["node"].start(sys.executable, "-c", _HOLD, str(flag), log=log)
    eventually(log.read_text, "the port is held")
    world.node.start()
    _want(world, FOUR)
    until(world.node, FOUR.name, "Established")
    (condition,) = [one for one in world.node.status().conditions if one.type == "MetricsNotServed"]
    assert condition.reason == "PortTaken"
    assert "127.0.0.1:7180: another program listens there" in condition.message
    assert "metrics_not_served" in world.node.log()
    flag.unlink()
    assert held.wait(20) == 0
    eventually(lambda: not _not_served(world), "the port is served", 30.0)
    assert scrape(world.spaces["node"]).get("bgpd_bgp_session_up", peer=FOUR.name) == 1


_HOLD = """
import os, socket, sys, time
held = socket.create_server(("127.0.0.1", 7180))
print("held", flush=True)
while os.path.exists(sys.argv[1]):
    time.sleep(0.05)
"""


def _not_served(world: Bench) -> bool:
    return any(one.type == "MetricsNotServed" for one in world.node.status().conditions)


def _without_agent(found: Scrape) -> Scrape | None:
    return found if found.get("bgpd_agent_connected") == 0 else None
