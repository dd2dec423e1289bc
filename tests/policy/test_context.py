"""What one node makes of the configuration: its peers, its mesh, its pools, and what is refused."""

import re
from dataclasses import replace

import pytest

from bgpd.model.cluster import NodeReport
from bgpd.model.configuration import NodePolicy
from bgpd.model.errors import ConfigError
from bgpd.model.member import Member, MeshPolicy, NodeName, SpeakerPolicy
from bgpd.model.peer import Asn, PeerName
from bgpd.model.prefix import Address, Family
from bgpd.policy.conditions import REFUSED
from bgpd.policy.context import Context
from tests.policy.build import Cluster, advertisement, label, node, peer, pool

ON_N1, ON_N2 = (label("name", "n1"),), (label("name", "n2"),)


def names(context: Context) -> list[str]:
    """Return the names of the node's peers."""
    return [one.name for one in context.peers]


def test_a_peer_is_complete() -> None:
    """Source address, router ID and families are filled in from the Node."""
    (found,) = Cluster().context().peers
    assert (found.local_address, found.router_id) == ("10.0.0.1", "10.0.0.1")
    assert found.families == (Family.IPV4, Family.IPV6)
    assert (found.next_hop_v4, found.next_hop_v6) == (None, "2001:db8::1")


def test_what_the_document_says_wins_over_the_node() -> None:
    """Source address, router ID and next hops can be given."""
    given = peer(
        source_address=Address("10.9.9.9"),
        router_id=Address("10.8.8.8"),
        next_hop_v6=Address("2001:db8::99"),
    )
    (found,) = Cluster(peers=(given,)).context().peers
    assert (found.local_address, found.router_id) == ("10.9.9.9", "10.8.8.8")
    assert found.next_hop_v6 == "2001:db8::99"


def test_a_node_without_ipv4_has_a_router_id_of_its_own() -> None:
    """Thirty-two bits of its name, stable over restarts and different from its neighbors'."""
    nodes = (node("n1", "2001:db8::1"), node("n2", "2001:db8::2"))
    six = peer("six", "2001:db8::f", families=(Family.IPV6,))
    ids = {
        Cluster(me=me, nodes=nodes, peers=(six,)).context().peers[0].router_id
        for me in ("n1", "n2", "n1")
    }
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9.]+", one) for one in ids)


@pytest.mark.parametrize(
    ("selectors", "chosen"),
    [
        pytest.param((), True, id="no selectors: every node"),
        pytest.param(ON_N1, True, id="selectors that choose this node"),
        pytest.param(ON_N2, False, id="selectors that choose another node"),
        pytest.param((*ON_N2, ()), True, id="one of the selectors chooses everything"),
    ],
)
def test_a_peer_belongs_to_the_nodes_that_it_selects(
    selectors: tuple[tuple[()], ...], *, chosen: bool
) -> None:
    """Others do not speak with it."""
    assert bool(Cluster(peers=(peer(node_selectors=selectors),)).context().peers) is chosen


def test_two_peers_with_one_address_on_two_nodes_are_fine() -> None:
    """Each node speaks with its own, with its own ASN."""
    peers = (
        peer("a", local_asn=Asn(64601), node_selectors=ON_N1),
        peer("b", local_asn=Asn(64602), node_selectors=ON_N2),
    )
    for me, asn in (("n1", 64601), ("n2", 64602)):
        context = Cluster(me=me, peers=peers).context()
        assert [one.local_asn for one in context.peers] == [asn]
        assert context.conditions == ()


def test_of_two_peers_with_one_address_on_a_node_one_is_refused() -> None:
    """At the start the first name holds, and the sentence names both and the address."""
    context = Cluster(peers=(peer("b"), peer("a"))).context()
    assert names(context) == ["a"]
    (sentence,) = context.errors
    assert sentence == (
        "on node n1: BGPPeer b: spec.peerAddress 192.0.2.1 is already that of BGPPeer a; change "
        "one of them, or give them nodeSelectors that share no node"
    )


def test_a_newcomer_cannot_push_out_what_works() -> None:
    """A second peer with the address of one in force is refused, whatever its name."""
    before = Cluster(peers=(peer("b"),)).context()
    after = Cluster(peers=(peer("a"), peer("b"))).context(before)
    assert names(after) == ["b"]
    again = Cluster(peers=(peer("a"),)).context(after)
    assert names(again) == ["a"]
    assert again.errors == ()


def test_an_edit_that_clashes_leaves_the_last_good_version() -> None:
    """Moving a peer onto another's address changes neither of them."""
    peers = (peer("a", "192.0.2.1"), peer("b", "192.0.2.2"))
    before = Cluster(peers=peers).context()
    after = Cluster(peers=(peers[0], peer("b", "192.0.2.1"))).context(before)
    assert after.peers == before.peers
    assert len(after.errors) == 1


def test_two_peers_can_swap_their_addresses() -> None:
    """Two edits at once are judged together."""
    before = Cluster(peers=(peer("a", "192.0.2.1"), peer("b", "192.0.2.2"))).context()
    after = Cluster(peers=(peer("a", "192.0.2.2"), peer("b", "192.0.2.1"))).context(before)
    assert {one.name: one.address for one in after.peers} == {"a": "192.0.2.2", "b": "192.0.2.1"}
    assert after.errors == ()


SECRET = peer(password_file="/run/keys/r1")  # noqa: S106 - a path


def test_a_password_comes_from_its_file() -> None:
    """The agent read the file; policy puts it where it belongs."""
    context = Cluster(peers=(SECRET,), passwords={"/run/keys/r1": "geheim"}).context()
    assert context.peers[0].password == "geheim"  # noqa: S105


@pytest.mark.parametrize("content", [None, "", "x" * 81, "zwei\nzeilen", "größe"])
def test_without_a_usable_password_there_is_no_session(content: str | None) -> None:
    """Never one without a password: the sentence names the file and not what is in it."""
    passwords = {} if content is None else {"/run/keys/r1": content}
    context = Cluster(peers=(SECRET,), passwords=passwords).context()
    assert context.peers == ()
    (sentence,) = context.errors
    assert "BGPPeer r1: spec.passwordFile /run/keys/r1" in sentence
    assert not content or content not in sentence


def test_a_password_file_that_vanishes_does_not_close_the_session() -> None:
    """The last password stays, and the condition says what is missing."""
    before = Cluster(peers=(SECRET,), passwords={"/run/keys/r1": "geheim"}).context()
    after = Cluster(peers=(SECRET,)).context(before)
    assert after.peers == before.peers
    assert len(after.errors) == 1


def test_the_mesh_is_every_node_with_an_address_in_the_family_of_the_sessions() -> None:
    """Heartbeats share the fate of the data; a node without an address is a condition."""
    nodes = (node("n2"), node("n1"), node("n3", "2001:db8::3"))
    context = Cluster(nodes=nodes).context()
    assert [(one.name, one.address) for one in context.members] == [
        ("n1", "10.0.0.1"),
        ("n2", "10.0.0.2"),
    ]
    assert context.mesh_address == "10.0.0.1"
    (condition,) = context.conditions
    assert condition.type == "MemberWithoutAddress"
    assert "Node n3 has no IPv4 address of type InternalIP" in condition.message
    assert context.errors == ()


def test_the_mesh_of_ipv6_sessions_is_ipv6() -> None:
    """Also where the nodes have IPv4 addresses; one IPv4 peer anywhere makes it IPv4."""
    six = peer("six", "2001:db8::f", families=(Family.IPV6,))
    assert Cluster(peers=(six,)).context().mesh_address == "2001:db8::1"
    other = peer("four", "192.0.2.9", node_selectors=ON_N2)
    assert Cluster(peers=(six, other)).context().mesh_address == "10.0.0.1"


def test_without_peers_the_mesh_takes_what_the_node_has() -> None:
    """A node is not refused for a family that nobody asked for."""
    assert Cluster(peers=(), nodes=(node("n1", "2001:db8::1"),)).context().mesh_address
    assert Cluster(peers=()).context().mesh_address == "10.0.0.1"


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        pytest.param(Cluster(nodes=(node("n2"),)), "no Node document named n1", id="no Node"),
        pytest.param(Cluster(nodes=(replace(node("n1"), addresses=()),)),
                     r"Node n1 has no IPv4 address .*\(none at all\)", id="no address"),
        pytest.param(Cluster(nodes=(node("n1", "2001:db8::1"),)),
                     r"Node n1 has no IPv4 address .*\(2001:db8::1\)", id="the other family only"),
    ],
)  # fmt: skip
def test_a_node_without_a_place_in_the_mesh_is_a_persons_to_correct(
    cluster: Cluster, words: str
) -> None:
    """At the start that ends the program; later the caller keeps the context that it has."""
    with pytest.raises(ConfigError, match=words):
        cluster.context()


def test_a_session_needs_an_address_of_its_family() -> None:
    """A peer that cannot be reached from any address of ours is refused with the remedy."""
    nodes = (node("n1", "10.0.0.1"), node("n2", "10.0.0.2"))
    context = Cluster(nodes=nodes, peers=(peer(), peer("six", "2001:db8::f"))).context()
    assert names(context) == ["r1"]
    assert "node n1 has no IPv6 InternalIP" in context.errors[0]
    assert "spec.sourceAddress" in context.errors[0]


def test_a_family_without_a_next_hop_is_left_out_and_said() -> None:
    """IPv6 routes over an IPv4 session need an IPv6 next hop."""
    context = Cluster(nodes=(node("n1", "10.0.0.1"),)).context()
    assert context.peers[0].families == (Family.IPV4,)
    (condition,) = context.conditions
    assert condition.type == "FamilyLeftOut"
    assert "set spec.nextHopV6" in condition.message


def test_pools_that_overlap_cannot_both_hold() -> None:
    """The one in force stays, and the sentence names both blocks."""
    before = Cluster(pools=(pool("b", "198.51.100.0/24"),)).context()
    newcomer = pool("a", "198.51.100.128/25", "203.0.113.0/24")
    after = Cluster(pools=(newcomer, pool("b", "198.51.100.0/24"))).context(before)
    assert after.pools == ("198.51.100.0/24",)
    (sentence,) = after.errors
    assert sentence == (
        "IPAddressPool a: 198.51.100.128/25 overlaps 198.51.100.0/24 of IPAddressPool b; "
        "an address may belong to one pool only"
    )


X = (label("app", "x"),)


@pytest.mark.parametrize(
    ("a", "b", "errors"),
    [
        pytest.param({"local_pref": 100}, {"local_pref": 200}, 1, id="everything in common"),
        pytest.param({"local_pref": 100}, {"local_pref": 100}, 0, id="the same preference"),
        pytest.param({"local_pref": 100}, {}, 1, id="a preference and none"),
        pytest.param({"local_pref": 100, "peers": (PeerName("r1"),)},
                     {"local_pref": 200, "peers": (PeerName("r2"),)}, 0, id="no peer in common"),
        pytest.param({"local_pref": 100, "peers": (PeerName("r1"),)}, {"local_pref": 200}, 1,
                     id="one names a peer, the other means all"),
        pytest.param({"local_pref": 100, "pools": ("pool",)}, {"local_pref": 200, "pools": ("q",)},
                     0, id="no pool in common"),
        pytest.param({"local_pref": 100, "node_selectors": ON_N2}, {"local_pref": 200}, 0,
                     id="not on this node"),
        pytest.param({"local_pref": 100, "service_selectors": X}, {"local_pref": 200}, 0,
                     id="with service selectors the question is asked for each Service"),
    ],
)  # fmt: skip
def test_advertisements_that_disagree_for_every_service_are_refused(
    a: dict[str, object], b: dict[str, object], errors: int
) -> None:
    """The first by name holds at the start, so that Services keep a route."""
    cluster = Cluster(
        peers=(peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2")),
        advertisements=(advertisement("b", **b), advertisement("a", **a)),
    )
    context = cluster.context()
    assert len(context.errors) == errors
    assert len(context.in_force.advertisements) == 2 - errors
    assert "a" in context.in_force.advertisements


def test_the_speaker_policy_of_a_node_is_the_one_that_selects_it() -> None:
    """Without one the defaults hold; of several the first by name, and a condition says so."""
    fast = SpeakerPolicy(mesh=MeshPolicy(interval_milliseconds=20))
    slow = SpeakerPolicy(agent_grace_seconds=9)
    ours = NodePolicy(name="b", node_selectors=ON_N1, policy=fast)
    assert Cluster().context().policy == SpeakerPolicy()
    assert Cluster(policies=(ours,)).context().policy == fast
    assert Cluster(me="n2", policies=(ours,)).context().policy == SpeakerPolicy()
    both = Cluster(policies=(ours, NodePolicy(name="a", policy=slow))).context()
    assert both.policy == slow
    assert [one.type for one in both.conditions] == ["SpeakerPolicyAmbiguous"]


def test_errors_are_the_conditions_that_a_start_refuses() -> None:
    """A member without an address is told, but it keeps nobody from starting."""
    cluster = Cluster(nodes=(node("n1"), node("n2", "2001:db8::2")), peers=(peer("a"), peer("b")))
    context = cluster.context()
    refused = tuple(one.message for one in context.conditions if one.type == REFUSED)
    assert (len(context.conditions), context.errors) == (2, refused)


def test_the_same_documents_give_the_same_context() -> None:
    """In any order, so that a caller can compare contexts to see whether anything changed."""
    nodes = (node("n1"), node("n2"))
    peers = (peer("a", "192.0.2.1"), peer("b", "192.0.2.2"))
    one = Cluster(nodes=nodes, peers=peers).context()
    other = Cluster(nodes=nodes[::-1], peers=peers[::-1]).context(one)
    assert (one.peers, one.members, one.pools) == (other.peers, other.members, other.pools)


def test_a_name_that_nobody_has_is_told() -> None:
    """A misspelled pool or peer would otherwise be a route that silently never comes."""
    misspelled = advertisement(pools=("pol",), peers=(PeerName("r1"), PeerName("r8")))
    context = Cluster(advertisements=(misspelled,)).context()
    where = "BGPAdvertisement all: spec"
    end = "which does not exist; correct the name or add it"
    assert [one.message for one in context.conditions] == [
        f"{where}.ipAddressPools names IPAddressPool pol, {end}",
        f"{where}.peers names BGPPeer r8, {end}",
    ]
    assert context.errors == ()


def report(name: str, address: str | None) -> NodeReport:
    """Return what the agent of *name* says."""
    node_name = NodeName(name)
    found = None if address is None else Member(name=node_name, address=Address(address), port=8000)
    return NodeReport(name=node_name, member=found)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param((), ["n1 10.0.0.1:7179", "n2 10.0.0.2:7179", "n3 10.0.0.3:7179"],
                     id="nobody speaks: every Node is one"),
        pytest.param((report("n2", None),),
                     ["n1 10.0.0.1:7179", "n2 10.0.0.2:7179", "n3 10.0.0.3:7179"],
                     id="nobody knows where it is: every Node is one"),
        pytest.param((report("n2", "10.9.0.2"),), ["n1 10.0.0.1:7179", "n2 10.9.0.2:8000"],
                     id="who speaks is one, and we are"),
        pytest.param((report("n1", "10.9.0.1"),), ["n1 10.0.0.1:7179"],
                     id="of ourselves we know better"),
        pytest.param((report("n9", "10.9.0.9"), report("n3", None)),
                     ["n1 10.0.0.1:7179", "n9 10.9.0.9:8000"],
                     id="a node without a Node yet is one, one that cannot say where is not"),
        pytest.param((report("n2", "2001:db8::2"), report("n9", "2001:db8::9")),
                     ["n1 10.0.0.1:7179", "n2 10.0.0.2:7179"],
                     id="in the other family the Node has the word"),
    ],
)  # fmt: skip
def test_who_says_where_it_listens_is_a_member(
    reports: tuple[NodeReport, ...], expected: list[str]
) -> None:
    """A node joins by its agent's report, and leaves when that goes."""
    members = Cluster(reports=reports).context().members
    assert [f"{one.name} {one.address}:{one.port}" for one in members] == expected


def test_addresses_of_a_node_in_another_order_move_no_session() -> None:
    """Where the session starts, the router ID and the mesh stay; an address that goes does not."""
    one, other = node("n1", "10.0.0.1", "10.9.0.1"), node("n1", "10.9.0.1", "10.0.0.1")
    before = Cluster(nodes=(one,)).context()
    after = Cluster(nodes=(other,)).context(before)
    assert (after.peers, after.mesh_address) == (before.peers, before.mesh_address)
    gone = Cluster(nodes=(node("n1", "10.9.0.1"),)).context(after)
    assert {gone.mesh_address, gone.peers[0].local_address} == {Address("10.9.0.1")}
