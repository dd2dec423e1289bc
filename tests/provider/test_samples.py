"""What providers' documents mean, and that a spoiled one is understood or refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.errors import ConfigError
from bgpd.model.provider import ProviderKind, ProviderPeer
from bgpd.provider.adapter import Asker
from bgpd.provider.adapters import ADAPTERS
from tests.provider.mutations import Mutation, mutations
from tests.provider.sample import FEWER, OTHER, REFUSED, SAME, SAMPLES_AT, Sample
from tests.provider.table import KEYS, SAMPLES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=12,
)
WORDS = sorted(
    {
        "bgp_neighbors", "address_family", "customer_as", "peer_ips", "peer_as", "network",
        "addresses", "bgp", "ipv4", "ipv6", "my-asn", "peer-asn", "peer-address", "region",
        "enabled", "hosts", "project", "location", "activeAsnDetails", "peeringLoopbacksV4",
        "bgpd.io/bgp-peers-0-peer-ip", "metal.equinix.com/peer-ip", "errors",
    }
)  # fmt: skip
SPOKEN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.sampled_from(["", "10.0.0.1", "fc00::e", "65000", "::ffff:10.0.0.1", "fe80::1%eth0"]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inside, max_size=6)
    ),
    max_leaves=25,
)


def told(sample: Sample, document: object) -> tuple[ProviderPeer, ...] | str:
    """Return the peers that *document* offers, or the sentence that refuses it."""
    try:
        return ADAPTERS[sample.kind].parse(document, sample.asker)
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.name)
def test_each_document_means_what_the_table_says(sample: Sample) -> None:
    """The peers in the table, or its sentence."""
    assert told(sample, sample.document) == (sample.error or sample.peers)


def test_the_table_holds_every_document() -> None:
    """No sample lies about unused."""
    assert {one.name for one in SAMPLES} == {one.stem for one in SAMPLES_AT.glob("*.json")}


@pytest.mark.parametrize(
    "sample", [one for one in SAMPLES if not one.error], ids=lambda one: one.name
)
def test_each_spoiled_field_does_what_the_table_says(sample: Sample) -> None:
    """Missing, null or of another type: each place of each document has one outcome."""
    wrong = [
        f"{one.kind} {one.path or 'document'} {one.value!r}: {outcome}, not {expected}: {found}"
        for one in mutations(sample.document)
        for found in [told(sample, one.document)]
        for outcome in [outcome_of(sample, one, found)]
        for expected in [expected_of(sample, one)]
        if outcome != expected
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.name)
def test_no_sentence_holds_a_password(sample: Sample) -> None:
    """Whatever is wrong beside the password or with it, it is not quoted."""
    said = [told(sample, one.document) for one in mutations(sample.document)]
    for sentence in said:
        assert not any(key in str(sentence) or key in repr(sentence) for key in KEYS)


def expected_of(sample: Sample, mutation: Mutation) -> str:
    """Return what the table says of *mutation*."""
    for rule in sample.rules:
        if rule.matches(mutation.path):
            return str(getattr(rule, mutation.kind))
    return SAME


def outcome_of(sample: Sample, mutation: Mutation, found: tuple[ProviderPeer, ...] | str) -> str:
    """Return what became of the document, in the table's words; a bad sentence is none of them."""
    if isinstance(found, str):
        return REFUSED if names(mutation, found) else "a sentence that does not help"
    if found == sample.peers:
        return SAME
    if set(found) < set(sample.peers):
        return FEWER
    same_routers = [one.address for one in found] == [one.address for one in sample.peers]
    return OTHER if same_routers else "other routers"


def names(mutation: Mutation, sentence: str) -> bool:
    """Return whether *sentence* names the place, or one that it is in, and what must be there."""
    subject, _, rest = sentence.partition(" must be ")
    place = subject.partition(" is missing;")[0].partition(": ")[0]
    place = place.removeprefix("metadata.annotations").strip("[]") if "/" in place else place
    around = place == "the document" or mutation.path.startswith(place) or not mutation.path
    return bool(rest) and (around or place in {"metadata.annotations", "network.addresses"})


@pytest.mark.parametrize("kind", ProviderKind)
@given(document=JSON | SPOKEN)
def test_any_json_is_peers_or_one_sentence(kind: ProviderKind, document: object) -> None:
    """Nothing that JSON can hold raises anything but a `ConfigError` of one line."""
    found = told(Sample(name="", kind=kind, asker=Asker(node="n1", site="6")), document)
    if isinstance(found, str):
        assert "\n" not in found
        assert len(found) < 400
        found.encode()
    else:
        assert all(isinstance(one, ProviderPeer) for one in found)
        assert len({one.address for one in found}) == len(found)
