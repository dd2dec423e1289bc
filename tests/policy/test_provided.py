"""One document that names a provider stands for the sessions that the provider offers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import Asn, Lever, PeerName
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import ProviderPeer
from bgpd.policy.provided import expand, may_matter, session_name
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


_OFFERS = st.builds(
    offered,
    st.sampled_from([FIRST, SECOND, SIXTH]),
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
