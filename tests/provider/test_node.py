"""What of a Node's annotations is kept, and that a password among them is not shown."""

import json

from bgpd.kube.documents import read
from bgpd.model.cluster import Node
from bgpd.model.provider import PEER_ANNOTATIONS

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1"},
    "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
}


def node(**annotations: str) -> Node:
    """Return a Node with *annotations*, as it is read."""
    document = {**NODE, "metadata": {"name": "n1", "annotations": annotations}}
    (found,) = read("node.json", json.dumps(document).encode()).objects.values()
    assert isinstance(found, Node)
    return found


def test_annotations_that_peers_are_read_from_are_kept_and_no_others() -> None:
    """Others change all the time, and each change would be a decision on everything."""
    for prefix in PEER_ANNOTATIONS:
        kept = {f"{prefix}bgp-peers-0-peer-ip": "10.0.0.1"}
        assert node(**kept, **{"node.alpha.kubernetes.io/ttl": "0"}).annotations == kept
    assert node(**{"csi.volume.kubernetes.io/nodeid": "x"}) == node()


def test_a_node_does_not_show_its_annotations() -> None:
    """One of them may be a password."""
    assert "c2VjcmV0" not in repr(node(**{"metal.equinix.com/bgp-pass": "c2VjcmV0"}))
