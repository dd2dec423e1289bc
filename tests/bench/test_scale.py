"""What measures an agent at scale sees every change, and would see one that is lost."""

import argparse
from pathlib import Path

from tests.bench.scale import measure
from tests.cluster.cluster import Cluster


def test_every_change_is_told_in_order(own_cluster: Cluster, tmp_path: Path) -> None:
    """The short form of `python -m tests.bench.scale`: in as in a pod, with the shipped rights."""
    options = argparse.Namespace(services=40, rate=20, seconds=4, normal=False)
    figures = measure(own_cluster, tmp_path, options)
    assert figures["changes told"] == figures["changes sent"] == 64
    assert figures["objects told out of order"] == 0
    assert figures["routes missing at the end"] == 0
    assert figures["told wrongly"] == 0
