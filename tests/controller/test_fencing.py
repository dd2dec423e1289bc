"""Two controllers that both believe that they lead never give one address twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.controllers import (
    Controllers,
    Witness,
    addresses_of,
    apply_all,
    controllers,
    pool,
    service,
    until,
)
from tests.chart.installed import install
from tests.cluster.cluster import Cluster

SERVICES = "/api/v1/namespaces/default/services"


@pytest.fixture
def two(own_cluster: Cluster, tmp_path: Path) -> Iterator[Controllers]:
    """Return the means to start controllers on a server with one address."""
    install(own_cluster)
    own_cluster.apply([pool("one", "203.0.113.1/32")])
    with controllers(own_cluster, tmp_path / "controllers") as found:
        yield found


def stop_and_replace(cluster: Cluster, two: Controllers, *words: str) -> int:
    """Have a leader stop in front of its write, and another give the address away; return its pid.

    The Service that the first was about to write does not change in the meantime, so its version
    says nothing.
    """
    process = two.start("old", "tests.bench.pausing", *words)
    until(lambda: two.said("old", "controller leading"), "nobody leads")
    apply_all(cluster, [service("z")])
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    two.start("new")
    apply_all(cluster, [service("a")])
    path = f"{SERVICES}/a"
    until(lambda: bool(addresses_of(cluster.api.request("GET", path))), "nobody took over")
    return process.pid


def test_a_leader_that_slept_over_its_end_writes_nothing(
    own_cluster: Cluster, two: Controllers
) -> None:
    """Stopped between its last check and its write, it is dead before anybody can wake it."""
    with Witness(own_cluster, "default") as witness:
        pid = stop_and_replace(own_cluster, two)
        process = two.running["old"]
        assert process.wait(30.0) == -signal.SIGKILL, f"{pid} lives"
        until(lambda: witness.shown.get("a") == ("203.0.113.1",), "the witness saw nothing")
        assert witness.shown["z"] == ()
        assert witness.faults == []


def test_without_its_end_it_would_have_given_the_address_twice(
    own_cluster: Cluster, two: Controllers
) -> None:
    """So the test above can fail; and the leader takes back what a stale write has done."""
    with Witness(own_cluster, "default") as witness:
        pid = stop_and_replace(own_cluster, two, "--for-ever")
        os.kill(pid, signal.SIGCONT)
        until(lambda: bool(witness.faults), "the stale write was not seen")
        assert "is given to z" in witness.faults[0]
        until(lambda: witness.shown["z"] == (), "the stale write was not taken back")
        assert witness.shown["a"] == ("203.0.113.1",)
