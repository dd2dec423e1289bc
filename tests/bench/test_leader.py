"""Leaders die and sleep at random moments, and every address stays right."""

from pathlib import Path

import pytest

from bgpd.controller.lease import DURATION
from tests.bench.leader import run
from tests.cluster.cluster import Cluster


@pytest.mark.timeout(600)
def test_no_address_is_given_twice_changed_or_leaked(own_cluster: Cluster, tmp_path: Path) -> None:
    """The short form of `python -m tests.bench.leader --kills 50`, with other ends as well."""
    found = run(own_cluster, tmp_path / "controllers", kills=2, stops=1, leaves=2, seed=5)
    assert found["addresses given"] > 50
    assert found["given twice or changed"] == 0
    assert found["leaked"] == 0
    assert found["pools that miscount"] == 0
    assert found["the same, s (most)"] < 5 * DURATION
