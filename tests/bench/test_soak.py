"""An agent stays right while its objects change at random and its API server is killed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.agent import NODE
from tests.bench.oracle import Document, Name, Oracle
from tests.bench.soak import soak
from tests.cluster.cluster import Cluster

SECONDS = 30.0
_OURS = "bgpd.io/v1alpha1"


def test_an_agent_is_right_at_every_quiet_point(own_cluster: Cluster, tmp_path: Path) -> None:
    """The short form of `python -m tests.bench.soak`: one round, one kill, two oracles."""
    rounds = soak(own_cluster, tmp_path, seconds=SECONDS, seed=3, say=print)
    assert sum(one.changes for one in rounds) > 20
    assert sum(one.events for one in rounds) > 0


def _world() -> dict[Name, Document]:
    """Return one route's worth of objects."""
    address = {"type": "InternalIP", "address": "192.0.2.1"}
    peer = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.200"}
    objects: dict[Name, Document] = {
        ("Node", NODE): {"apiVersion": "v1", "status": {"addresses": [address]}},
        ("IPAddressPool", "p"): {"apiVersion": _OURS, "spec": {"addresses": ["10.0.0.0/24"]}},
        ("BGPPeer", "r"): {"apiVersion": _OURS, "spec": peer},
        ("BGPAdvertisement", "a"): {"apiVersion": _OURS, "spec": {"communities": ["65000:1"]}},
        ("Service", "s"): {
            "apiVersion": "v1",
            "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}},
        },
        ("EndpointSlice", "s-a"): {
            "apiVersion": "discovery.k8s.io/v1",
            "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": NODE}],
        },
    }
    for (kind, name), one in objects.items():
        one |= {"kind": kind, "metadata": {"name": name}}
    objects["EndpointSlice", "s-a"]["metadata"]["labels"] = {"kubernetes.io/service-name": "s"}
    return objects


def _leave(objects: dict[Name, Document]) -> None:
    del objects["BGPAdvertisement", "a"]


def _move(objects: dict[Name, Document]) -> None:
    objects["EndpointSlice", "s-a"]["endpoints"][0]["nodeName"] = "n2"


def _shrink(objects: dict[Name, Document]) -> None:
    objects["IPAddressPool", "p"]["spec"]["addresses"] = ["10.0.0.128/25"]


def _elsewhere(objects: dict[Name, Document]) -> None:
    objects["BGPPeer", "r"]["spec"]["nodeSelectors"] = [{"matchLabels": {"zone": "b"}}]


@pytest.mark.parametrize(
    ("change", "routes"),
    [
        pytest.param(lambda _: None, 1, id="everything is there"),
        pytest.param(_leave, 0, id="no advertisement"),
        pytest.param(_move, 0, id="the endpoint is elsewhere"),
        pytest.param(_shrink, 0, id="the pool holds other addresses"),
        pytest.param(_elsewhere, 0, id="the peer is another node's"),
    ],
)
def test_the_oracles_agree_and_tell_worlds_apart(
    change: Callable[[dict[Name, Document]], None], routes: int
) -> None:
    """An oracle that always said the same would find an agent right that does nothing."""
    oracle = Oracle()
    oracle.objects = _world()
    change(oracle.objects)
    asked = {
        (one.peer, one.prefix): frozenset(one.communities) for one in oracle.fresh().advertisements
    }
    assert len(asked) == routes
    assert asked == oracle.naive()
