"""What most tests of the chart begin with."""

import pytest

from tests.chart.installed import install
from tests.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def prepared(cluster: Cluster) -> Cluster:
    """Return the session's cluster with everything that the chart ships."""
    install(cluster)
    return cluster
