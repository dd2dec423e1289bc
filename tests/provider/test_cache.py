"""What providers said last, on the disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.provider import ProviderChoice
from bgpd.provider.cache import Kept, decode, encode
from tests.provider.table import SAMPLES

KEPT = {
    one.name: Kept(choice=ProviderChoice(kind=one.kind), peers=one.peers, fetched=1.5)
    for one in SAMPLES
    if not one.error
}


def test_what_was_kept_comes_back() -> None:
    """Every sample's peers survive, passwords included."""
    assert decode(encode(KEPT, origin="o"), origin="o") == (KEPT, ())


def test_what_was_understood_is_known() -> None:
    """Also where there are no peers: that was said."""
    found, _ = decode(encode(KEPT, origin="o"), origin="o")
    assert found["vultr_empty"].discovery.known
    assert found["vultr_empty"].discovery.peers == ()


def test_the_disk_of_another_node_says_nothing() -> None:
    """Images are copied with all that lies on them."""
    found, problems = decode(encode(KEPT, origin="n1"), origin="n2")
    assert found == {}
    assert problems == ("ignored: is of version 1 and of n1",)


def test_an_entry_that_another_version_wrote_costs_itself_alone() -> None:
    """The other BGPPeers' providers are still known."""
    file = json.loads(encode(KEPT, origin="o"))
    file["providers"]["vultr_filled"]["choice"]["kind"] = "tomorrow"
    file["providers"]["packet_v6_multihop_md5"]["peers"][0]["ttl"] = 0
    found, problems = decode(json.dumps(file).encode(), origin="o")
    assert set(KEPT) - set(found) == {"vultr_filled", "packet_v6_multihop_md5"}
    assert len(problems) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b"\xff"], ids=repr)
def test_a_spoiled_file_says_nothing(content: bytes) -> None:
    """A start goes on as if there were none, with a word for the log."""
    found, problems = decode(content, origin="o")
    assert found == {}
    assert len(problems) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_file_or_a_sentence(content: bytes) -> None:
    """A disk may hold anything."""
    found, problems = decode(content, origin="o")
    assert not found
    assert problems
