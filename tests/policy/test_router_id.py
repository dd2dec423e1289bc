"""One node is one router: its peers agree on its router ID, if they say one, and on its ASN."""

import pytest

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from tests.policy.build import Cluster, label, node, peer

ONE, OTHER = Address("10.8.8.1"), Address("10.8.8.2")


@pytest.mark.parametrize(
    ("ids", "refused"),
    [
        pytest.param((ONE, ONE), 0, id="the same one on all peers holds"),
        pytest.param((None, None), 0, id="none at all holds"),
        pytest.param((ONE, OTHER), 1, id="of two the newcomer's is refused"),
        pytest.param((ONE, None), 1, id="set on one peer and unset on another is refused"),
    ],
)
def test_the_peers_of_a_node_agree(ids: tuple[Address | None, ...], refused: int) -> None:
    """What does not agree is refused in a sentence, and the peers before it stay."""
    peers = tuple(
        peer(f"r{number}", f"192.0.2.{number}", router_id=one) for number, one in enumerate(ids, 1)
    )
    context = Cluster(peers=peers).context()
    assert len(context.peers) == len(ids) - refused
    assert len(context.errors) == refused
    assert all("spec.routerID" in one for one in context.errors)


def test_two_nodes_may_differ() -> None:
    """The rule is about one node: peers that share none may have router IDs of their own."""
    peers = (
        peer("r1", "192.0.2.1", router_id=ONE, node_selectors=(label("name", "n1"),)),
        peer("r2", "192.0.2.2", router_id=OTHER, node_selectors=(label("name", "n2"),)),
    )
    for me, expected in (("n1", ONE), ("n2", OTHER)):
        context = Cluster(me=me, nodes=(node("n1"), node("n2")), peers=peers).context()
        assert [one.router_id for one in context.peers] == [expected]
        assert not context.errors


def test_all_peers_may_change_theirs_together() -> None:
    """An edit of every peer at once is no contradiction with what was before."""
    before = Cluster(peers=(peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2"))).context()
    edited = (
        peer("r1", "192.0.2.1", router_id=ONE),
        peer("r2", "192.0.2.2", router_id=ONE),
    )
    context = Cluster(peers=edited).context(before)
    assert {one.router_id for one in context.peers} == {ONE}
    assert not context.errors


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        pytest.param({"local_asn": Asn(64601)}, 1, id="a second ASN on a node is refused"),
        pytest.param(
            {"local_asn": Asn(64601), "my_asn": Asn(64512)}, 0, id="localASN is for one peer alone"
        ),
    ],
)
def test_a_node_is_in_one_autonomous_system(fields: dict[str, Asn], refused: int) -> None:
    """What one router is to see instead is that peer's `localASN`."""
    context = Cluster(peers=(peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2", **fields))).context()
    assert len(context.peers) == 2 - refused
    assert all("spec.myASN" in one for one in context.errors)
    assert len(context.errors) == refused
