"""Sessions that a provider offers become peers of a node, and stay until it is known better."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.peer import Asn, PeerName
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.provider import Accepted, Discovery, ProviderPeer
from bgpd.policy.lever import next_hop_of
from bgpd.policy.service import Context, decide
from tests.policy.build import Cluster, advertisement, node, peer, pool, service, slices
from tests.policy.offering import (
    BOTH_FAMILIES,
    FIRST,
    HOST,
    SECOND,
    SIXTH,
    document,
    known,
    offered,
)


def _cluster(**changes: Any) -> Cluster:
    return Cluster(nodes=(node("n1", "10.0.0.1"),), peers=(document(),), **changes)


def _context(
    cluster: Cluster, discovery: Discovery | None, previous: Context | None = None
) -> Context:
    discovered = {} if discovery is None else {"packet": discovery}
    return replace(cluster, discovered=discovered, addresses=HOST).context(previous)


def _types(context: Context) -> set[tuple[str, str]]:
    return {(one.type, one.reason) for one in context.conditions}


def test_peers_say_where_they_come_from() -> None:
    """A peer of a provider carries its document, its gateway and all else of the document."""
    context = _context(_cluster(), known(offered(), offered(SECOND)))
    assert not context.conditions
    first, second = context.peers
    assert (first.name, first.document, first.gateway) == (
        "packet-169.254.255.1",
        "packet",
        "10.0.0.254",
    )
    assert (first.password, first.ttl, first.max_prefixes) == ("secret", 5, 10)
    assert second.address == SECOND


def test_unknown_is_not_empty() -> None:
    """A provider that was never understood changes no session."""
    before = _context(_cluster(), known(offered()))
    for discovery in (None, Discovery(problem="https://x: timed out")):
        context = _context(_cluster(), discovery, before)
        assert context.peers == before.peers
        again = _context(_cluster(), discovery, context)
        assert again.peers == before.peers


def test_a_first_start_without_a_provider_has_no_session() -> None:
    """Where nothing was ever known there is nothing to speak with, and that stops no start."""
    context = _context(_cluster(), None)
    assert not context.peers
    assert not context.errors


def test_a_changed_document_changes_what_it_must() -> None:
    """A password that changed at one router leaves the other peer as it is."""
    before = _context(_cluster(), known(offered(), offered(SECOND)))
    renewed = offered(SECOND, password="new")  # noqa: S106 - of a test
    after = _context(_cluster(), known(offered(), renewed), before)
    assert after.peers[0] == before.peers[0]
    assert after.peers[1] == replace(before.peers[1], password="new")  # noqa: S106 - of a test


def test_a_session_that_cannot_be_made_anew_stays() -> None:
    """A router that is still offered, but without what it needs, keeps the session it has."""
    before = _context(_cluster(), known(offered(), offered(SECOND)))
    after = _context(_cluster(), known(offered(), offered(SECOND, peer_asn=None)), before)
    assert after.peers == before.peers
    assert ("ProviderPeerLeftOut", "Incomplete") in _types(after)
    gone = _context(_cluster(), known(offered()), after)
    assert [one.address for one in gone.peers] == [FIRST]


def test_a_newcomer_does_not_push_a_session_out() -> None:
    """A document with the address of a provider's router is refused while that one is in force."""
    before = _context(_cluster(), known(offered()))
    more = replace(_cluster(), peers=(document(), peer("a", FIRST, local_asn=Asn(65000))))
    context = _context(more, known(offered()), before)
    assert context.peers == before.peers
    assert ("ConfigurationRefused", "BGPPeerRefused") in _types(context)


def test_a_name_is_one_documents() -> None:
    """A session whose name is that of another BGPPeer is left out with a sentence."""
    other = peer("packet-169.254.255.1", "192.0.2.9", local_asn=Asn(65000))
    context = _context(replace(_cluster(), peers=(document(), other)), known(offered()))
    assert [one.address for one in context.peers] == ["192.0.2.9"]
    assert ("ProviderPeerLeftOut", "Incomplete") in _types(context)


def test_an_advertisement_may_name_the_document() -> None:
    """`peers` with the document's name means all of its peers, and with a peer's name that one."""
    both = known(offered(), offered(SECOND))
    other = peer("r1", local_asn=Asn(65000), families=(Family.IPV4,))
    for names, expected in (
        (("packet",), [FIRST, SECOND]),
        (("packet-169.254.255.2",), [SECOND]),
        (("r1",), ["192.0.2.1"]),
    ):
        rule = advertisement(peers=tuple(PeerName(one) for one in names))
        cluster = replace(_cluster(advertisements=(rule,)), peers=(document(), other))
        context = _context(cluster, both)
        assert not context.conditions
        decision = decide(service(), slices("n1"), context)
        address_of = {one.name: one.address for one in context.peers}
        assert [address_of[one.peer] for one in decision.advertisements] == expected


def test_a_peers_communities_are_on_its_routes() -> None:
    """What a provider wants on every route is there beside what an advertisement says."""
    rule = advertisement(communities=("64512:9",))
    cluster = _cluster(advertisements=(rule,))
    context = _context(cluster, known(offered(communities=("65000:1",)), offered(SECOND)))
    decision = decide(service(), slices("n1"), context)
    assert [one.communities for one in decision.advertisements] == [
        ("64512:9", "65000:1"),
        ("64512:9",),
    ]


def test_the_document_is_what_is_kept() -> None:
    """What is in force and remembered is the person's document, not what was made of it."""
    context = _context(_cluster(), known(offered()))
    assert list(context.in_force.peers.documents) == ["packet"]
    assert context.in_force.peers.documents["packet"] == document()


def test_a_plain_document_may_have_a_gateway() -> None:
    """A static rack's BGPPeer tells its peer by which way it is reached."""
    context = Cluster(peers=(peer("r1", gateway="default"),)).context()
    assert context.peers[0].gateway == "default"
    assert not context.peers[0].document


def test_a_session_starts_on_the_way_to_its_router() -> None:
    """Where neither the document nor the provider has a source that the host has, the way says."""
    asked: list[tuple[str, str]] = []

    def source_for(address: Address, gateway: str) -> Address | None:
        asked.append((address, gateway))
        return Address("10.9.9.9") if gateway else None

    elsewhere = offered(local_address=Address("10.7.7.7"))
    cluster = replace(_cluster(), source_for=source_for)
    context = _context(cluster, known(elsewhere, offered(SECOND)))
    assert [one.local_address for one in context.peers] == ["10.9.9.9", "10.0.0.1"]
    assert asked == [(FIRST, "10.0.0.254")]


def test_a_way_that_is_not_known_for_a_moment_moves_no_session() -> None:
    """The source before stays as long as the host has it; only then the Node's address is taken."""
    unsourced = known(offered(local_address=None))
    on_host = HOST | {Address("10.9.9.9")}
    cluster = replace(_cluster(), source_for=lambda *_: Address("10.9.9.9"))
    before = _context(cluster, unsourced)
    lost = replace(cluster, source_for=lambda *_: None, discovered={"packet": unsourced})
    for addresses, expected in ((on_host, "10.9.9.9"), (None, "10.9.9.9"), (HOST, "10.0.0.1")):
        context = replace(lost, addresses=addresses).context(before)
        assert context.peers[0].local_address == expected


def test_a_plain_peer_starts_where_it_always_did() -> None:
    """Who names no gateway and no provider has the Node's own address."""
    cluster = Cluster(peers=(peer(),), source_for=lambda *_: Address("10.9.9.9"))
    assert cluster.context().peers[0].local_address == "10.0.0.1"


def test_a_refusal_names_the_document() -> None:
    """Who reads it finds an object of that name, once, whatever the number of routers."""
    other = peer("r1", local_asn=Asn(64999), families=(Family.IPV4,))
    cluster = replace(_cluster(), peers=(other,))
    before = replace(cluster, addresses=HOST).context()
    more = replace(cluster, peers=(other, document()))
    context = _context(more, known(offered(), offered(SECOND)), before)
    assert [one.address for one in context.peers] == ["192.0.2.1"]
    (sentence,) = context.errors
    assert sentence.startswith("on node n1: BGPPeer packet: spec.myASN 65000: must be 64999, that")
    taken = replace(other, address=FIRST, local_asn=Asn(65000))
    held = replace(cluster, peers=(taken,)).context()
    context = _context(replace(cluster, peers=(taken, document())), known(offered()), held)
    (sentence,) = context.errors
    assert "BGPPeer packet: the router 169.254.255.1 of its provider is already" in sentence


@pytest.mark.parametrize(
    ("accepts", "prefixes", "left"),
    [
        pytest.param([("198.51.100.0/24", False)], ("198.51.100.0/24",), "", id="the same"),
        pytest.param([("198.51.0.0/16", False)], ("198.51.100.0/24",), "", id="within"),
        pytest.param(
            [("198.51.100.128/25", False), ("198.51.100.0/25", False)],
            ("198.51.100.0/24",),
            "",
            id="within two together",
        ),
        pytest.param([], ("198.51.100.0/24",), "", id="who says nothing accepts everything"),
        pytest.param(
            [("10.0.0.0/8", False)], ("2001:db8:1::/64",), "", id="nothing is said of IPv6"
        ),
        pytest.param(
            [("198.51.100.0/25", False)],
            ("198.51.100.0/24",),
            "accepts 198.51.100.0/25 and longer, and 198.51.100.0/24 of IPAddressPool pool",
            id="a part",
        ),
        pytest.param(
            [("198.51.100.0/29", True)],
            ("198.51.100.0/30", "198.51.100.8/32"),
            "accepts 198.51.100.0/29, and 198.51.100.0/30 and 1 more of IPAddressPool pool",
            id="nothing longer",
        ),
        pytest.param([("198.51.100.9/32", True)], ("198.51.100.9/32",), "", id="one address"),
    ],
)
def test_what_a_router_ignores_is_said(
    accepts: list[tuple[str, bool]], prefixes: tuple[str, ...], left: str
) -> None:
    """A pool that the provider's filters leave out is a condition, once for all its routers."""
    taken = tuple(Accepted(prefix=Prefix(one), exact=exact) for one, exact in accepts)
    both = known(offered(accepts=taken), offered(SECOND, accepts=taken))
    context = _context(_cluster(pools=(pool("pool", *prefixes),)), both)
    messages = [one.message for one in context.conditions if one.type == "PrefixNotAccepted"]
    assert len(messages) == bool(left)
    assert all(left in one for one in messages)


def test_a_pool_that_no_advertisement_leads_there_is_no_matter() -> None:
    """What the routers do not hear of, they need not accept."""
    taken = (Accepted(prefix=Prefix("10.0.0.0/8")),)
    rule = advertisement(peers=(PeerName("r1"),))
    other = peer("r1", local_asn=Asn(65000), families=(Family.IPV4,))
    cluster = replace(_cluster(advertisements=(rule,)), peers=(document(), other))
    assert not _context(cluster, known(offered(accepts=taken))).conditions


_ODD = st.builds(
    offered,
    st.sampled_from([FIRST, SECOND, SIXTH]),
    peer_asn=st.sampled_from([None, Asn(65530), Asn(65000), Asn(2**32 - 1)]),
    local_asn=st.sampled_from([None, Asn(65000), Asn(65001)]),
    local_address=st.sampled_from([None, Address("10.0.0.1"), Address("fe80::1"), SIXTH, FIRST]),
    families=st.sampled_from([(), (Family.IPV6,), (Family.IPV6, Family.IPV4)]),
    password=st.sampled_from([None, "", "secret", "x" * 81, "\N{GREEK SMALL LETTER ALPHA}"]),
    gateway=st.sampled_from(["", "default", "10.0.0.254", "fe80::1", "fe80::1%eth0"]),
    hold_time=st.sampled_from([None, 0, 3]),
    max_prefixes=st.sampled_from([None, 0, 1]),
    ttl=st.sampled_from([None, 1, 255]),
    accepts=st.sampled_from([(), (Accepted(prefix=Prefix("198.51.100.0/25")),)]),
)
_WORDS = st.sampled_from([None, Discovery(), Discovery(problem="why")])


@given(
    st.lists(st.one_of(_WORDS, st.lists(_ODD, max_size=4)), min_size=1, max_size=4),
    st.sampled_from([None, HOST, BOTH_FAMILIES, frozenset[Address]()]),
)
def test_no_word_of_a_provider_ends_a_decision(
    words: list[Discovery | list[ProviderPeer] | None], addresses: frozenset[Address] | None
) -> None:
    """Whatever it says, and then says next, each session is keyed by an address of its own."""
    context: Context | None = None
    cluster = replace(_cluster(), nodes=(node("n1"),), addresses=addresses)
    for word in words:
        found = known(*word) if isinstance(word, list) else word
        discovered = {} if found is None else {"packet": found}
        context = replace(cluster, discovered=discovered).context(context)
        spoken = [one.address for one in context.peers]
        assert len(set(spoken)) == len(spoken)
        assert {one.document for one in context.peers} <= {"packet"}
        decide(service(), slices("n1"), context)


def test_ipv4_over_a_providers_ipv6_session_leads_to_its_source() -> None:
    """Such a router forwards by RFC 8950; the Node's IPv4 address need not be known there."""
    families = (Family.IPV4, Family.IPV6)
    six = offered(SIXTH, families=families, local_address=Address("2001:db8::1"), gateway="")
    cluster = replace(_cluster(), discovered={"packet": known(six)}, addresses=BOTH_FAMILIES)
    (found,) = cluster.context().peers
    assert found.families == families
    assert [next_hop_of(found, one) for one in families] == [found.local_address] * 2
