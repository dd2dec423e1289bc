"""What the controllers of a real cluster make of the objects that the chart and an agent write."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bgpd.kube.nodestatus import identity
from tests.chart.installed import STATUSES, agent, install, node, write
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster

PATIENCE = 150.0
POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/bgpd-node-status"


@pytest.fixture(scope="module")
def controlled(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Return a cluster in which everything is installed, and controllers that began after that.

    The garbage collector looks for new kinds only twice a minute: here it finds them at its start.
    """
    with Cluster(tmp_path_factory.mktemp("controlled")) as running:
        install(running)
        running.controllers = True
        yield running.ready()


def until(holds: Callable[[], bool], what: str) -> None:
    """Return when *holds* does; controllers take their time."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_a_status_goes_with_its_node(controlled: Cluster) -> None:
    """Whoever removes a Node need not think of what its agent wrote, and a member leaves."""
    uid = node(controlled, "gone")
    client = agent(controlled, "gone")
    write(client, identity("gone", uid), f"{STATUSES}/gone")
    client.close()
    controlled.api.request("DELETE", "/api/v1/nodes/gone")

    def went() -> bool:
        try:
            controlled.api.request("GET", f"{STATUSES}/gone")
        except ApiError as error:
            return error.status == 404
        return False

    until(went, "the BGPNodeStatus outlives its Node")


def test_the_policy_has_no_mistake_that_the_server_can_see(controlled: Cluster) -> None:
    """The type checker of the server, which knows our kinds, warns about no expression."""

    def checked() -> bool:
        policy = controlled.api.request("GET", POLICY)
        return bool(policy["status"].get("observedGeneration"))

    until(checked, "nobody checked the policy")
    found = controlled.api.request("GET", POLICY)["status"]
    assert found.get("typeChecking", {}).get("expressionWarnings", []) == []
