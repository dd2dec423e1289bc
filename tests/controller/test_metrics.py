"""What a controller knows is what Prometheus sees; who stands by knows nothing of pools."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bgpd.controller.election import Leadership
from bgpd.controller.metrics import Books, Pool, Reading, families
from bgpd.kube.call import Call, Caller
from bgpd.telemetry import commonmetrics
from bgpd.telemetry.catalog import exposed_by
from bgpd.telemetry.exposition import render
from bgpd.telemetry.metric import Process
from tests.agent.test_metricspages import free_port, get
from tests.bench.source import Plain
from tests.controller.test_directory import PATIENCE, POOL, WEB, place
from tests.lab.samples import Family, gauges, read, value

__all__ = ["place"]
LEADING = Reading(
    books=Books(
        synced=True,
        pools=(Pool(name="p", assigned=1, available=3),),
        waiting={"NoAddress": 2, "NoOtherAddress": 0},
    ),
    errors={"ApiUnreachable": 4},
    writes={"written": 7},
)


def scrape(reading: Reading) -> dict[str, Family]:
    """Return what a scrape reads of *reading*."""
    return read("".join(render(families(reading))))


@pytest.mark.parametrize("reading", [Reading(), LEADING], ids=["it stands by", "it leads"])
def test_every_metric_of_the_catalog_is_there(reading: Reading) -> None:
    """A metric that appears with its first event loses that event in a rate."""
    common = {one.name for one in vars(commonmetrics).values() if hasattr(one, "name")}
    expected = {one.name for one in exposed_by(Process.CONTROLLER)} - common
    assert scrape(reading).keys() == expected


def test_who_stands_by_says_nothing_of_pools_and_services() -> None:
    """Two controllers would be two numbers for one pool; what it wrote before stays counted."""
    found = scrape(Reading(errors=LEADING.errors, writes=LEADING.writes))
    assert value(found, "bgpd_leader") == 0
    assert not found["bgpd_pool_addresses"].series
    assert not found["bgpd_services_waiting"].series
    assert not found["bgpd_source_synced"].series, "nothing is read, so nothing is missing"
    assert gauges(found, "bgpd_writes_total", "result") == {
        "written": 7,
        "conflict": 0,
        "failed": 0,
    }
    assert gauges(found, "bgpd_kube_watch_errors_total", "reason") == {"ApiUnreachable": 4}


def test_the_leader_says_how_full_each_pool_is() -> None:
    """And how many Services wait, by why."""
    found = scrape(LEADING)
    assert value(found, "bgpd_leader") == 1
    assert value(found, "bgpd_pool_addresses", pool="p", state="Assigned") == 1
    assert value(found, "bgpd_pool_addresses", pool="p", state="Available") == 3
    assert value(found, "bgpd_services_waiting", reason="NoAddress") == 2


# As a process


@contextmanager
def controller(directory: Path) -> Iterator[int]:
    """Run a controller over *directory*; give the port of its metrics."""
    port = free_port()
    line = [
        *(sys.executable, "-m", "bgpd.controller", f"--source=directory:{directory}"),
        f"--metrics-address=127.0.0.1:{port}",
    ]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def until(port: int, fact: Callable[[dict[str, Family]], bool]) -> dict[str, Family]:
    """Return the metrics for which *fact* holds."""
    end = time.monotonic() + PATIENCE
    while True:
        found = read(get(port, "/metrics")[1])
        if fact(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_a_pool_that_is_full_shows_who_waits(place: Path) -> None:
    """Four addresses for six Services; each write is counted."""
    assert POOL["spec"] == {"addresses": ["192.0.2.0/30"]}
    (place / "shop.yaml").write_text("---\n".join(WEB.format(name=f"web-{i}") for i in range(6)))
    with controller(place) as port:
        found = until(
            port, lambda now: value(now, "bgpd_services_waiting", reason="NoAddress") == 2
        )
        assert found.keys() == {one.name for one in exposed_by(Process.CONTROLLER)}
        found = until(
            port, lambda now: value(now, "bgpd_pool_addresses", pool="p", state="Available") == 0
        )
        assert value(found, "bgpd_pool_addresses", pool="p", state="Assigned") == 4
        assert value(found, "bgpd_leader") == 1
        until(port, lambda now: (value(now, "bgpd_writes_total", result="written") or 0) >= 4)
        assert get(port, "/readyz")[0] == 200
        assert get(port, "/livez")[0] == 200


def test_a_second_controller_is_ready_and_leads_nothing(place: Path) -> None:
    """It takes over when the first one ends, and only then tells of pools."""
    with controller(place) as first:
        until(first, lambda now: value(now, "bgpd_leader") == 1)
        with controller(place) as second:
            found = until(second, lambda now: bool(now["bgpd_condition"].series))
            assert value(found, "bgpd_leader") == 0
            assert value(found, "bgpd_condition", type="StandingBy", reason="DirectoryLocked") == 1
            assert not found["bgpd_pool_addresses"].series
            assert get(second, "/readyz")[0] == 200


# Whether the election is alive


class NoEnd:
    """Ends nothing (`bgpd.controller.election.End`)."""

    def move(self, at: float) -> None:
        """Take no notice."""

    def off(self) -> None:
        """Take no notice."""


async def _nothing() -> None:
    """Lead nobody."""


def leadership(port: int, clock: Callable[[], float]) -> Leadership:
    """Return a candidate at an API server on *port*."""
    return Leadership(
        Plain(port),
        identity="me",
        agent="test",
        end=NoEnd(),
        clock=clock,
        on_conditions=lambda: None,
    )


def test_an_election_that_nobody_looks_at_is_stuck() -> None:
    """A task that hangs writes no error; the time since the last request tells."""

    async def story() -> list[str]:
        now = 0.0
        candidate = leadership(1, lambda: now)
        found = [candidate.stuck]
        now = 100.0
        return [*found, candidate.stuck]

    assert asyncio.run(story()) == ["", "the Lease was not looked at for 100 s"]


def test_an_election_without_an_api_server_is_stuck() -> None:
    """Nobody can say who leads; the sentence is that of the condition."""

    async def story() -> str:
        listening = await asyncio.start_server(Server().serve, "127.0.0.1", 0)
        candidate = leadership(listening.sockets[0].getsockname()[1], time.monotonic)
        async with asyncio.timeout(PATIENCE), listening, asyncio.TaskGroup() as group:
            task = group.create_task(candidate.run(_nothing, clean=lambda: False))
            while not candidate.stuck:  # noqa: ASYNC110 - a condition is looked at
                await asyncio.sleep(0.01)
            task.cancel()
        assert [one.message for one in candidate.conditions] == [candidate.stuck]
        return candidate.stuck

    assert "no address is given until it can be renewed" in asyncio.run(story())


# How writes are counted


class Server:
    """Answers one request after the other with the next of *codes*; without one it hangs up."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of a connection."""
        await reader.readuntil(b"\r\n\r\n")
        if self._codes:
            head = f"HTTP/1.1 {self._codes.pop(0)} X\r\nContent-Length: 2\r\nConnection: close"
            writer.write(f"{head}\r\n\r\n{{}}".encode())
        writer.close()


def test_writes_are_counted_by_their_end_whoever_writes() -> None:
    """One counter outlives those who write; what only asks is no write."""

    async def story() -> Counter[str]:
        writes: Counter[str] = Counter()
        server = Server(200, 201, 409, 500)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        access = Plain(listening.sockets[0].getsockname()[1])
        async with asyncio.timeout(PATIENCE), listening:
            for method in ("GET", "PATCH", "POST", "PUT", "PATCH"):
                caller = Caller(access, agent="test", writes=writes)
                await caller.ask(Call(method=method, target="/x"))
                caller.close()
        return writes

    assert asyncio.run(story()) == {"written": 1, "conflict": 1, "failed": 2}
