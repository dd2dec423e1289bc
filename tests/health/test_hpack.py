"""Header fields of HTTP/2: the examples of RFC 7541, then any bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.hpack import _LENGTHS, STATIC, Decoder, encode
from bgpd.model.errors import ProtocolError


def test_the_static_table_is_the_standards() -> None:
    """61 entries (appendix A), of which these are easily checked by number."""
    assert len(STATIC) == 61
    assert STATIC[7] == (":status", "200")
    assert STATIC[15] == ("accept-encoding", "gzip, deflate")
    assert STATIC[30] == ("content-type", "")
    assert STATIC[60] == ("www-authenticate", "")


def test_requests_of_the_appendix() -> None:
    """Appendix C.4: three requests on one connection, compressed, with a table that grows."""
    decoder = Decoder()
    first = decoder.decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
    assert first == [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ]
    second = decoder.decode(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert second == [*first, ("cache-control", "no-cache")]
    third = decoder.decode(bytes.fromhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))
    assert third[1:] == [
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ]


def test_a_table_that_is_made_smaller_forgets() -> None:
    """Section 6.3: after a size of 0 the entry of before is no more."""
    decoder = Decoder()
    decoder.decode(bytes.fromhex("400a637573746f6d2d6b65790d637573746f6d2d686561646572"))
    assert decoder.decode(b"\xbe") == [("custom-key", "custom-header")]
    with pytest.raises(ProtocolError, match="number 62"):
        decoder.decode(b"\x20\xbe")


def test_the_code_of_strings_is_complete() -> None:
    """Appendix B: 257 codes that leave no sequence of bits without a meaning."""
    assert len(_LENGTHS) == 257
    assert sum(2 ** (30 - length) for length in _LENGTHS) == 2**30


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param("80", "number 0", id="the field number 0"),
        pytest.param("ff8080808080", "too long", id="a number without an end"),
        pytest.param("000a61", "beyond", id="a string that is too short"),
        pytest.param("3fffff7f", "larger than agreed", id="a table that is too large"),
        pytest.param("000084ffffffff", "its own end", id="an end within a string"),
        pytest.param("00008100", "within a character", id="padding of zeros"),
        pytest.param("82" * 257, "more than 256", id="fields without an end"),
    ],
)
def test_what_is_wrong_is_named(block: str, said: str) -> None:
    """Each mistake that the standard names is an error that says so."""
    with pytest.raises(ProtocolError, match=said):
        Decoder().decode(bytes.fromhex(block))


_TEXT = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=300)


@given(fields=st.lists(st.tuples(_TEXT, _TEXT), max_size=5))
def test_what_we_write_reads_back(fields: list[tuple[str, str]]) -> None:
    """Our own fields, of any length, are understood by our own decoder."""
    assert Decoder().decode(encode(fields)) == fields


@given(blocks=st.lists(st.binary(max_size=80), max_size=4))
def test_any_bytes_are_fields_or_a_protocol_error(blocks: list[bytes]) -> None:
    """Nothing else is ever raised."""
    decoder = Decoder()
    for block in blocks:
        with suppress(ProtocolError):
            assert isinstance(decoder.decode(block), list)
