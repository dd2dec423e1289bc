"""One document that names a provider stands for the sessions that the provider offers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import Asn, Lever, PeerName
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.provider import Accepted, Discovery, ProviderChoice, ProviderKind, ProviderPeer
from bgpd.policy.lever import next_hop_of
from bgpd.policy.provided import expand, may_matter, session_name
from bgpd.policy.service import Context, decide
from tests.policy.build import Cluster, advertisement, node, peer, pool, service, slices

FIRST, SECOND = Address("169.254.255.1"), Address("169.254.255.2")
SIXTH = Address("fc00::e")
HOST = frozenset({Address("10.0.0.1"), Address("127.0.0.1"), Address("fe80::1")})
BOTH_FAMILIES = HOST | {Address("2001:db8::1")}


def document(name: str = "packet", **changes: Any) -> BGPPeer:
    """Return a document that says `provider: packet` and nothing else, but for *changes*."""
    fields: dict[str, Any] = {
        "address": Address("0.0.0.0"),
        "peer_asn": Asn(0),
        "local_asn": Asn(0),
        "families": (Family.IPV4,),
        "provider": ProviderChoice(kind=ProviderKind.PACKET),
        **changes,
    }
    return BGPPeer(name=PeerName(name), **fields)


def offered(address: Address = FIRST, **changes: Any) -> ProviderPeer:
    """Return a session as Packet offers it."""
    fields: dict[str, Any] = {
        "peer_asn": Asn(65530),
        "local_asn": Asn(65000),
        "local_address": Address("10.0.0.1"),
        "ttl": 5,
        "password": "secret",
        "gateway": "10.0.0.254",
        "hold_time": 30,
        "max_prefixes": 10,
        **changes,
    }
    return ProviderPeer(address=address, **fields)


def known(*peers: ProviderPeer, **changes: Any) -> Discovery:
    """Return what is known where the provider offers *peers*."""
    return Discovery(peers=peers, known=True, **changes)


def test_one_document_gives_all_sessions() -> None:
    """A document of one word becomes a complete BGPPeer for each router."""
    found, sentences = expand(document(), known(offered(), offered(SECOND)), addresses=HOST)
    assert not sentences
    assert [one.name for one in found] == ["packet-169.254.255.1", "packet-169.254.255.2"]
    first = found[0]
    assert first == BGPPeer(
        name=PeerName("packet-169.254.255.1"),
        document="packet",
        address=FIRST,
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        source_address=Address("10.0.0.1"),
        ttl=5,
        password="secret",  # noqa: S106 - of a test
        gateway="10.0.0.254",
        hold_time=30,
        max_prefixes=10,
        families=(Family.IPV4,),
        lever=Lever.MED,
    )


def test_a_name_has_no_colon() -> None:
    """The name of an IPv6 session can stand wherever a name of Kubernetes can."""
    assert session_name("linode", SIXTH) == "linode-fc00--e"


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        pytest.param({}, "hold_time", 30, id="the provider's hold time"),
        pytest.param({"hold_time": 9, "stated": {"hold_time"}}, "hold_time", 9, id="hold time"),
        pytest.param({"local_asn": 7, "stated": {"local_asn"}}, "local_asn", 7, id="our ASN"),
        pytest.param({"peer_asn": 7, "stated": {"peer_asn"}}, "peer_asn", 7, id="the peer's ASN"),
        pytest.param(
            {"max_prefixes": 3, "stated": {"max_prefixes"}}, "max_prefixes", 3, id="the limit"
        ),
        pytest.param(
            {"families": (Family.IPV6,), "stated": {"families"}},
            "families",
            (Family.IPV6,),
            id="families",
        ),
        pytest.param({"password": "mine"}, "password", "mine", id="the password"),
        pytest.param({"password_file": "/k"}, "password", None, id="a password file"),
        pytest.param({"password_secret": "s"}, "password", None, id="a Secret"),
        pytest.param({"ttl": 255}, "ttl", 255, id="the TTL"),
        pytest.param({"ttl_security": 254}, "ttl", None, id="TTL security means no other TTL"),
        pytest.param({"gateway": "default"}, "gateway", "default", id="the gateway"),
        pytest.param({"gateway": "10.9.9.9"}, "gateway", "10.9.9.9", id="a gateway's address"),
        pytest.param(
            {"gateway": "fe80::1"}, "gateway", "10.0.0.254", id="not a gateway of other family"
        ),
        pytest.param({"source_address": "10.7.7.7"}, "source_address", "10.7.7.7", id="the source"),
        pytest.param(
            {"source_address": "2001:db8::9"},
            "source_address",
            "10.0.0.1",
            id="not a source of the other family",
        ),
        pytest.param(
            {"lever": Lever.AS_PATH, "stated": {"lever"}}, "lever", Lever.AS_PATH, id="the lever"
        ),
        pytest.param(
            {"local_asn": 65530, "stated": {"local_asn"}},
            "lever",
            Lever.LOCAL_PREF,
            id="inside one AS the usual lever is local preference",
        ),
        pytest.param(
            {"communities": ("1:2",)}, "communities", ("1:2", "65000:1"), id="communities"
        ),
        pytest.param({"damping": True}, "damping", True, id="what a provider never says"),
    ],
)
def test_what_the_document_says_wins(changes: dict[str, Any], field: str, expected: object) -> None:
    """A field of the document wins over the provider's word for it."""
    given_ = {
        **changes,
        **({"stated": frozenset(changes["stated"])} if "stated" in changes else {}),
    }
    one = offered(communities=("65000:1",))
    (made,), sentences = expand(document(**given_), known(one), addresses=HOST)
    assert getattr(made, field) == expected
    assert not sentences


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"local_asn": None}, ("which AS we are", "spec.myASN (1..4294967295)"), id="our ASN"
        ),
        pytest.param({"peer_asn": None}, ("its AS", "spec.peerASN"), id="the peer's ASN"),
        pytest.param(
            {"password": None, "password_required": True},
            ("wants a TCP MD5 password", "spec.passwordSecret"),
            id="a password that is required",
        ),
        pytest.param({"password": "x" * 81}, ("1..80 printable",), id="a password too long"),
        pytest.param({"password": "a\nb"}, ("1..80 printable",), id="a password of two lines"),
        pytest.param(
            {"address": SIXTH, "local_address": None}, ("has no IPv6 address",), id="no IPv6"
        ),
    ],
)
def test_what_is_missing_is_asked_for(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    """What no session can be without is named in a sentence, and the other sessions are made."""
    bad = replace(offered(SECOND), **changes)
    found, sentences = expand(document(), known(offered(), bad), addresses=HOST)
    assert [one.address for one in found] == [FIRST]
    (sentence,) = sentences
    assert sentence.startswith("BGPPeer packet: ")
    assert all(word in sentence for word in (bad.address, *words))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param(HOST, "10.0.0.1", id="the host has it"),
        pytest.param(None, "10.0.0.1", id="nobody knows yet what the host has"),
        pytest.param(frozenset({Address("10.5.5.5")}), None, id="the host has another"),
    ],
)
def test_a_source_is_one_of_the_host(
    addresses: frozenset[Address] | None, expected: str | None
) -> None:
    """The provider's source is taken unless the host is known not to have it."""
    (made,), _ = expand(document(), known(offered()), addresses=addresses)
    assert made.source_address == expected


def test_two_words_on_one_router_are_one_session() -> None:
    """A router that is told of once for each family has one session with both."""
    four, six = offered(families=(Family.IPV4,)), offered(families=(Family.IPV6,))
    (made,), _ = expand(document(), known(four, six), addresses=HOST)
    assert made.families == (Family.IPV4, Family.IPV6)


def test_an_address_chooses_one_router() -> None:
    """A document with a peerAddress means that one of the provider's routers alone."""
    one = document(address=SECOND, stated=frozenset({"address"}))
    found, sentences = expand(one, known(offered(), offered(SECOND)), addresses=HOST)
    assert [made.address for made in found] == [SECOND]
    assert not sentences
    found, sentences = expand(one, known(offered()), addresses=HOST)
    assert not found
    assert "it must be one of 169.254.255.1" in sentences[0]


def test_local_preference_has_no_place_over_ebgp() -> None:
    """A lever that the provider's sessions cannot carry is said, and the usual one is used."""
    one = document(lever=Lever.LOCAL_PREF, stated=frozenset({"lever"}))
    (made,), sentences = expand(one, known(offered()), addresses=HOST)
    assert made.lever is Lever.MED
    assert "spec.takeover.lever localPref is never sent over eBGP" in sentences[0]


_ADDRESSES = st.sampled_from([FIRST, SECOND, SIXTH])
_OFFERS = st.builds(
    offered,
    _ADDRESSES,
    peer_asn=st.sampled_from([None, Asn(65530)]),
    local_asn=st.sampled_from([None, Asn(65000)]),
    password=st.sampled_from([None, "", "secret", "x" * 81]),
    password_required=st.booleans(),
    families=st.sampled_from([(), (Family.IPV4,), (Family.IPV4, Family.IPV6)]),
)


@given(st.lists(_OFFERS, max_size=5), st.sampled_from([None, HOST, BOTH_FAMILIES]))
def test_every_router_is_a_session_or_a_sentence(
    offers: list[ProviderPeer], addresses: frozenset[Address] | None
) -> None:
    """No router that the provider offers is passed over in silence."""
    found, sentences = expand(document(), known(*offers), addresses=addresses)
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    for one in offers:
        assert session_name("packet", one.address) in names or any(
            f"router {one.address} " in sentence for sentence in sentences
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


@pytest.mark.parametrize(
    ("before", "after", "matters"),
    [
        pytest.param(HOST, HOST | {Address("10.1.1.1")}, False, id="an elastic IP comes"),
        pytest.param(HOST | {Address("fe80::2")}, HOST, False, id="a pod goes"),
        pytest.param(HOST, HOST - {Address("10.0.0.1")}, True, id="the provider's source goes"),
        pytest.param(HOST, BOTH_FAMILIES, True, id="the host gets IPv6"),
        pytest.param(BOTH_FAMILIES, HOST, True, id="the host loses IPv6"),
        pytest.param(BOTH_FAMILIES, HOST | {Address("2001:db8::2")}, False, id="another IPv6"),
        pytest.param(HOST | {Address("10.3.3.3")}, HOST, True, id="a session's source goes"),
        pytest.param(None, HOST, True, id="they are known for the first time"),
        pytest.param(HOST, HOST, False, id="nothing"),
    ],
)
def test_few_addresses_matter(
    before: frozenset[Address] | None, after: frozenset[Address], matters: bool
) -> None:
    """Everything is decided again only where a session may differ."""
    sources = frozenset({Address("10.3.3.3")})
    assert may_matter(before, after, [known(offered())], sources) is matters
    assert not may_matter(before, after, [], sources)


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
    _ADDRESSES,
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
