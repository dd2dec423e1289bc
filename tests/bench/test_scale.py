"""What measures an agent at scale sees every change, and would see one that is lost."""

import argparse
from pathlib import Path

import pytest

from tests.bench.scale import measure
from tests.bench.servers import Real, Server, recorded
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(400)
SERVICES = 40


def check(server: Server, directory: Path) -> None:
    """Measure for a moment."""
    options = argparse.Namespace(services=SERVICES, rate=20, seconds=4, normal=False)
    figures = measure(server, directory, options)
    assert figures["changes told"] == figures["changes sent"] == 64
    assert figures["objects told out of order"] == 0
    assert figures["routes missing at the end"] == 0
    assert figures["told wrongly"] == 0


def test_every_change_is_told_in_order(own_cluster: Cluster, tmp_path: Path) -> None:
    """The short form of `python -m tests.bench.scale`: in as in a pod, with the shipped rights."""
    check(Real(own_cluster, SERVICES, print), tmp_path)


def test_a_server_of_recorded_bytes_is_followed_like_the_real_one(tmp_path: Path) -> None:
    """The short form of `--server recorded`: the same agent, gone in by the same door."""
    with recorded(tmp_path / "server", SERVICES) as server:
        check(server, tmp_path)
