"""From a document that names a provider, and what that says, to what the speaker is told."""

from dataclasses import replace

from bgpd.ipc.message import Delta, Desired
from bgpd.kube.store import Changes
from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Prefix
from bgpd.model.provider import Discovery, ProviderPeer
from tests.agent.test_planner import Cluster, endpoints, node, ours, service

FIRST, SECOND = (
    ProviderPeer(
        address=Address(f"169.254.255.{number}"),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=Address("10.0.0.1"),
        gateway="10.0.0.254",
        max_prefixes=10,
    )
    for number in (1, 2)
)


def started(*peers: ProviderPeer) -> Cluster:
    """Return a cluster whose one BGPPeer says `provider: packet` and nothing else."""
    cluster = Cluster()
    cluster.planner.discovered = {"packet": Discovery(peers=peers, known=bool(peers))}
    cluster.write(
        "config.json",
        node("n1", "10.0.0.1"),
        ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"]),
        ours("BGPAdvertisement", "all"),
        ours("BGPPeer", "packet", provider="packet"),
    )
    cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1"))
    return cluster


def again(cluster: Cluster, *peers: ProviderPeer) -> Desired | Delta | None:
    """Let the provider say something else."""
    cluster.planner.discovered = {"packet": Discovery(peers=peers, known=True)}
    return cluster.planner.configure(Changes(), cluster.store.objects, {})


def test_one_word_gives_both_sessions_and_their_routes() -> None:
    """Everything about a session comes from the provider."""
    desired = started(FIRST, SECOND).planner.desired()
    assert desired is not None
    one, other = desired.peers
    assert (one.name, one.document) == ("packet-169.254.255.1", "packet")
    assert (one.peer_asn, one.local_asn, one.gateway) == (65530, 65000, "10.0.0.254")
    assert (one.max_prefixes, one.local_address) == (10, "10.0.0.1")
    assert {one.peer for one in desired.advertisements} == {one.name, other.name}


def test_a_password_that_is_rotated_on_one_router_changes_one_peer() -> None:
    """The other session is told as it was."""
    cluster = started(FIRST, SECOND)
    before = cluster.planner.desired()
    rotated = again(cluster, FIRST, replace(SECOND, password="new"))  # noqa: S106 - of a test
    assert before is not None
    assert isinstance(rotated, Desired)
    assert rotated.peers[0] == before.peers[0]
    assert rotated.peers[1] == replace(before.peers[1], password="new")  # noqa: S106 - of a test
    assert rotated.advertisements == before.advertisements


def test_a_provider_that_says_the_same_again_tells_nothing() -> None:
    """A look each ten minutes is no news."""
    cluster = started(FIRST, SECOND)
    assert again(cluster, FIRST, SECOND) is None


def test_a_provider_that_is_heard_late_adds_its_sessions() -> None:
    """Nothing else waits for it."""
    cluster = started()
    first = cluster.planner.desired()
    assert first is not None
    assert (first.peers, first.advertisements) == ((), ())
    heard = again(cluster, FIRST)
    assert isinstance(heard, Desired)
    assert [one.prefix for one in heard.advertisements] == ["203.0.113.1/32"]


def test_a_priority_that_is_raised_is_told_with_its_routes_alone() -> None:
    """It reaches the gate without a word about peers or pools."""
    cluster = started(FIRST)
    cluster.write("dns.json", service("dns", "203.0.113.2"), endpoints("dns", "n1"))
    told = cluster.write("more.json", ours("BGPAdvertisement", "first", priority=7))
    assert isinstance(told, Delta)
    assert {(one.prefix, one.priority) for one in told.advertise} == {
        (Prefix("203.0.113.1/32"), 7),
        (Prefix("203.0.113.2/32"), 7),
    }
    assert not told.withdraw


def test_what_is_remembered_is_the_document() -> None:
    """After a restart the provider is asked anew, and a changed document counts."""
    cluster = started(FIRST)
    accepted = cluster.planner.accepted(cluster.store.objects)
    assert accepted is not None
    assert [key.name for key in accepted if key.kind == "BGPPeer"] == ["packet"]


def test_addresses_of_pods_are_no_news() -> None:
    """Only what a session may start from is."""
    planner = started(FIRST).planner
    assert planner.moved(frozenset({Address("10.0.0.1")}))
    assert not planner.moved(frozenset({Address("10.0.0.1"), Address("10.244.0.1")}))
    assert planner.moved(frozenset({Address("10.244.0.1")}))
