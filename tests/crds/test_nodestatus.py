"""The real API server takes what an agent writes of its node, and keeps all of it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bgpd.kube.nodestatus import FIELD_MANAGER, document, identity
from bgpd.model.status import NodeStatus
from tests.chart.installed import STATUSES, agent, install, node, write
from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster
from tests.ctl.samples import DRAINED_SPEAKER, ILL, NODE, NOW, SICK_SPEAKER
from tests.kube.test_nodesize import huge
from tests.kube.test_nodestatus import ME, PROVIDED
from tests.kube.written import problem

CASES = {
    "fine": NODE,
    "sick": replace(NODE, speaker=SICK_SPEAKER),
    "drained and in doubt": replace(NODE, speaker=DRAINED_SPEAKER, health=ILL),
    "without a speaker": replace(NODE, speaker=None),
    "of a provider, with routes and elastic IPs on the host": PROVIDED,
    "not synced": replace(NODE, synced=False),
    "of the largest size": huge(),
}


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[Api]:
    """Return a client with the token of the agent on the node of the examples."""
    install(cluster)
    uid = node(cluster, NODE.node)
    mine = agent(cluster, NODE.node)
    write(mine, identity(NODE.node, uid), f"{STATUSES}/{NODE.node}")
    yield mine
    mine.close()


@pytest.mark.parametrize("status", CASES.values(), ids=list(CASES))
def test_the_server_keeps_what_the_agent_says(client: Api, status: NodeStatus) -> None:
    """Nothing is refused, nothing is dropped, and the object stays within etcd's limit."""
    said = document(status, now=NOW, problems=[problem("x" * 2000)] * 30, member=ME)
    path = f"{STATUSES}/{NODE.node}/status"
    kept = write(client, said, path, fieldValidation="Strict")
    assert kept["status"] == said["status"]
    assert len(json.dumps(kept)) < 1_500_000


def test_the_same_again_writes_nothing(client: Api) -> None:
    """An apply without a difference keeps the resource version, so nobody is woken by it."""
    said = document(NODE, now=NOW)
    path = f"{STATUSES}/{NODE.node}/status"
    first = write(client, said, path)
    again = write(client, document(NODE, now=NOW + 9, previous=first), path)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    managers = {one["manager"] for one in first["metadata"]["managedFields"]}
    assert managers == {FIELD_MANAGER}


def test_a_list_that_shrinks_shrinks_in_the_object(client: Api) -> None:
    """What the agent leaves out goes, although nobody deletes it."""
    path = f"{STATUSES}/{NODE.node}/status"
    write(client, document(NODE, now=NOW), path)
    assert NODE.speaker is not None
    fewer = replace(NODE, speaker=replace(NODE.speaker, sessions=(), routes=()), withheld=())
    kept = write(client, document(fewer, now=NOW), path)["status"]
    assert not {"sessions", "routes", "withheld"} & kept.keys()


def test_a_node_cannot_be_renamed_in_its_status(client: Api) -> None:
    """The status under one name speaks of that node."""
    said = document(replace(NODE, node="n9"), now=NOW)
    said["metadata"]["name"] = NODE.node
    with pytest.raises(ApiError, match="must be the name of the object"):
        write(client, said, f"{STATUSES}/{NODE.node}/status")
