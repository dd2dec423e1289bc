"""`bgpctl explain` and `diff -f` against an API: what may not be read is said, the rest is told."""

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import pytest

from tests.agent.test_planner import CONFIGURATION, endpoints, ours, service
from tests.ctl.apifake import NODES, STATUSES, api
from tests.ctl.fakes import Result, bgpctl
from tests.ctl.test_explain_fleet import carrying, slices, withholding
from tests.ctl.test_explain_pending import HELD, NAMESPACE, ONE
from tests.ctl.test_explain_pending import service as asking
from tests.ctl.test_fleet import node

SERVICES: Final = "/api/v1/services"
SLICES: Final = "/apis/discovery.k8s.io/v1/endpointslices"
POOLS: Final = "/apis/bgpd.io/v1alpha1/ipaddresspools"
EVENTS: Final = "/apis/events.k8s.io/v1/events"
LISTS: Final = {
    NODES: [node("n1"), node("n2")],
    STATUSES: [carrying("n1"), withholding("n2")],
    SERVICES: [HELD, asking("web2")],
    SLICES: [slices(n1=2)],
    POOLS: [ONE],
    "/api/v1/namespaces": [NAMESPACE],
    EVENTS: [],
}


def asked(directory: Path, *words: str, forbidden: Collection[str] = ()) -> Result:
    """Run bgpctl beside a cluster and no node."""
    with api(directory, LISTS, forbidden) as config:
        line = (*words, "--kubeconfig", str(config), "--run-dir", str(directory))
        return asyncio.run(bgpctl(*line))


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(("explain", "web", "--all-nodes"), 0, "1 of 2 nodes advertises it",
                     id="who has it"),
        pytest.param(("explain", "web", "--all-nodes", "--since", "1h"), 0, "n1 carried it",
                     id="and had it"),
        pytest.param(("explain", "web"), 0, "1 of 2 nodes advertises it",
                     id="a kubeconfig means the cluster"),
        pytest.param(("explain", "web2", "--all-nodes"), 0, "none of its 1 IPv4 addresses is free",
                     id="a Service that waits"),
        pytest.param(("explain", "db", "--all-nodes"), 1, "nothing is known of db in the cluster",
                     id="nobody knows it"),
        pytest.param(("explain", "web", "--node", "n2"), 0, "NoLocalEndpoints", id="one node"),
        pytest.param(("explain", "web", "--node", "n9"), 78, "no node n9; there are n1, n2",
                     id="no such node"),
        pytest.param(("explain", "web", "--node", "n1", "--peer", "tor-x"), 78,
                     "no session with tor-x on node n1; there are tor-a, tor-b", id="no such peer"),
        pytest.param(("explain", "web", "--all-nodes", "--peer", "tor-x"), 78,
                     "no session with tor-x on any node; there are tor-a, tor-b",
                     id="no node has such a peer"),
        pytest.param(("explain", "web", "--all-nodes", "--peer", "tor-b"), 0,
                     "0 of 2 nodes advertise it", id="one that does not hear it"),
        pytest.param(("explain", "node", "n1"), 3, "n1 should not be rebooted now",
                     id="a node that alone carries it"),
        pytest.param(("explain", "node", "n2"), 0, "n2 can be rebooted now",
                     id="one that does not"),
        pytest.param(("explain", "--all-nodes"), 2, "name an elastic IP or a Service", id="what?"),
        pytest.param(("explain", "web", "--all-nodes", "--since", "soon"), 2, "30m", id="no age"),
        pytest.param(("explain", "web", "--all-nodes", "--since", "1h", "--peer", "tor-a"), 2,
                     "do not tell of peers", id="the past of one peer"),
        pytest.param(("explain", "web", "n1"), 2, "takes a second word", id="two words"),
    ],
)  # fmt: skip
def test_the_cluster_answers_where_no_node_does(
    tmp_path: Path, words: tuple[str, ...], status: int, says: str
) -> None:
    """From a laptop, with a kubeconfig and no socket."""
    found = asked(tmp_path, *words)
    assert says in (found.output + found.errors).replace("\n  ", " ")
    assert found.status == status


def test_the_past_is_the_clusters_and_no_nodes(tmp_path: Path) -> None:
    """`--since` without a cluster is wrong usage."""
    words = ("explain", "web", "--since", "1h", "--run-dir", str(tmp_path))
    found = asyncio.run(bgpctl(*words))
    assert found.status == 2
    assert "goes with --all-nodes" in found.errors.replace("\n  ", " ")


def test_what_may_not_be_read_is_said_and_the_rest_is_told(tmp_path: Path) -> None:
    """An account that sees nodes and no Events: who carries it is known all the same."""
    found = asked(
        tmp_path, "explain", "web", "--all-nodes", "--since", "1h", forbidden=[EVENTS, SLICES]
    )
    assert found.status == 0
    assert "1 of 2 nodes advertises it" in found.output
    assert found.output.count("not read:") == 2
    told = json.loads(
        asked(tmp_path, "explain", "web", "--all-nodes", "-o", "json", forbidden=[SLICES]).output
    )
    assert len(told["unread"]) == 1
    assert told["elasticIPs"][0]["routers"] == {"169.254.255.1": ["n1"]}


def test_documents_are_rehearsed_on_what_the_cluster_has(tmp_path: Path) -> None:
    """Without --base, and with kinds that are not installed left out."""
    by_kind: dict[str, list[Any]] = {}
    for one in (*CONFIGURATION, service("web", "203.0.113.1"), endpoints("web", "n1")):
        by_kind.setdefault(str(one["kind"]), []).append(one)
    lists = {
        NODES: by_kind["Node"],
        SERVICES: by_kind["Service"],
        SLICES: by_kind["EndpointSlice"],
        POOLS: by_kind["IPAddressPool"],
        "/apis/bgpd.io/v1alpha1/bgpadvertisements": by_kind["BGPAdvertisement"],
        "/apis/bgpd.io/v1alpha1/bgppeers": by_kind["BGPPeer"],
    }
    new = tmp_path / "new.json"
    new.write_text(json.dumps(ours("BGPAdvertisement", "all", communities=["65000:7"])))
    with api(tmp_path, lists) as config:
        words = ("diff", "-f", str(new), "--kubeconfig", str(config), "--run-dir", str(tmp_path))
        found = asyncio.run(bgpctl(*words))
    assert found.status == 1, found.errors
    assert "~ 203.0.113.1/32 changes on n1: communities none -> 65000:7" in found.output


def test_without_a_cluster_and_a_node_there_is_nothing_to_rehearse_on(tmp_path: Path) -> None:
    """It is said what to name."""
    new = tmp_path / "new.json"
    new.write_text(json.dumps(ours("BGPAdvertisement", "all")))
    words = ("diff", "-f", str(new), "--run-dir", str(tmp_path))
    found = asyncio.run(bgpctl(*words, KUBECONFIG="", HOME=str(tmp_path)))
    assert found.status == 78
    assert "--kubeconfig, or --base" in found.errors.replace("\n  ", " ")
