"""DNS: messages as bytes, and what is made of answers."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.dnsmessage import (
    RecordType,
    decode_answer,
    encode_name,
    encode_query,
    number_of,
)
from bgpd.health.dnsquery import DNSRecipe
from bgpd.health.outcome import Fault, Outcome
from bgpd.model.errors import ProtocolError
from bgpd.model.health import DNS

_NUMBER = 0x1234
_POINTER = b"\xc0\x0c"
"""To the name in the question, which begins after the header."""


def answer(
    name: str, kind: RecordType, *rdata: bytes, flags: int = 0x8180, number: int = _NUMBER
) -> bytes:
    """Return an answer with records of *kind* that refer to the question's name."""
    head = struct.pack("!6H", number, flags, 1, len(rdata), 0, 0)
    question = encode_name(name) + struct.pack("!HH", kind, 1)
    records = (_POINTER + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in rdata)
    return head + question + b"".join(records)


def verdict(probe: DNS, *messages: bytes) -> Outcome | str:
    """Return what *probe* makes of *messages*, or what it still misses after them."""
    exchange = DNSRecipe(probe).exchange(_NUMBER)
    exchange.data_to_send()
    for message in messages:
        outcome = exchange.receive(message, 0.0)
        if outcome is not None:
            return outcome
    return exchange.missing()


_A = DNS(name="www.example.org.")
_FIVE = bytes((10, 0, 0, 5))


@pytest.mark.parametrize(
    ("probe", "message", "expected"),
    [
        pytest.param(
            _A,
            answer("WWW.example.org", RecordType.A, _FIVE),
            'answered "www.example.org." A: 10.0.0.5',
            id="an address, asked in other letters",
        ),
        pytest.param(
            DNS(name="x.example", type="aaaa", answers=("2001:DB8:0::1",)),
            answer("x.example", RecordType.AAAA, bytes.fromhex("20010db8" + "0" * 23 + "1")),
            'answered "x.example" AAAA: 2001:db8::1',
            id="an address of version 6 in another spelling",
        ),
        pytest.param(
            DNS(name="example", type="MX", answers=("10 Mail.example.",)),
            answer("example", RecordType.MX, b"\0\x0a\x04mail" + _POINTER),
            'answered "example" MX: 10 mail.example',
            id="a compressed name within a record",
        ),
        pytest.param(
            DNS(name="_s._udp.example", type="SRV", answers=("0 5 123 a.example",)),
            answer("_s._udp.example", RecordType.SRV, b"\0\0\0\5\0\x7b\1a\7example\0"),
            'answered "_s._udp.example" SRV: 0 5 123 a.example',
            id="a service",
        ),
        pytest.param(
            DNS(name="example", type="TXT", answers=("v=spf1 -all",)),
            answer("example", RecordType.TXT, b"\6v=spf1\5 -all"),
            'answered "example" TXT: v=spf1 -all',
            id="a text of two strings",
        ),
        pytest.param(
            DNS(name="example", type="SOA"),
            answer("example", RecordType.SOA, b"\2ns" + _POINTER + b"\0" + bytes(19) + b"\4"),
            'answered "example" SOA: ns.example  0 0 0 0 4',
            id="the start of a zone",
        ),
        pytest.param(
            DNS(name="gone.example", rcode="nxdomain"),
            answer("gone.example", RecordType.A, flags=0x8183),
            'answered "gone.example" A: NXDOMAIN',
            id="that a name does not exist, as expected",
        ),
    ],
)  # fmt: skip
def test_as_expected(probe: DNS, message: bytes, expected: str) -> None:
    """An answer is understood and compared as people write it."""
    assert verdict(probe, message) == Outcome(True, expected)


@pytest.mark.parametrize(
    ("probe", "message", "fault", "expected"),
    [
        pytest.param(
            _A,
            answer("www.example.org", RecordType.A, flags=0x8182),
            Fault.UNEXPECTED,
            'answered SERVFAIL for "www.example.org." A, not NOERROR',
            id="another code",
        ),
        pytest.param(
            _A,
            answer("www.example.org", RecordType.A),
            Fault.UNEXPECTED,
            'answered "www.example.org." A without any A',
            id="no records",
        ),
        pytest.param(
            DNS(name="www.example.org", answers=("10.0.0.6",)),
            answer("www.example.org", RecordType.A, _FIVE),
            Fault.UNEXPECTED,
            'answered "www.example.org" A without "10.0.0.6", but: 10.0.0.5',
            id="another address",
        ),
        pytest.param(
            DNS(name="www.example.org", answers=("10.0.0.6",)),
            answer("www.example.org", RecordType.A, _FIVE, flags=0x8380),
            Fault.UNEXPECTED,
            'answered "www.example.org" A without "10.0.0.6", but: 10.0.0.5;'
            " the answer was cut short, ask with tcp: true",
            id="an answer that was cut short",
        ),
        pytest.param(
            _A,
            answer("www.example.org", RecordType.A, b"\0\0"),
            Fault.MALFORMED,
            "answered what is not DNS: an address of 2 bytes",
            id="half an address",
        ),
        pytest.param(
            _A,
            answer("www.example.org", RecordType.A, _FIVE)[:-2],
            Fault.MALFORMED,
            "answered what is not DNS: a record reaches beyond the end of its message",
            id="a message that ends too early",
        ),
        pytest.param(
            _A,
            answer("www.example.org", RecordType.A, flags=0x0100),
            Fault.MALFORMED,
            "answered what is not DNS: it is a query, not an answer",
            id="our own query, sent back",
        ),
    ],
)
def test_not_as_expected(probe: DNS, message: bytes, fault: Fault, expected: str) -> None:
    """What is wrong is said in a sentence, and under a fault's name."""
    assert verdict(probe, message) == Outcome(False, expected, fault)


def test_answers_to_other_queries_are_waited_over() -> None:
    """A wrong number or question may be anybody's: the right answer after them still counts."""
    stray = answer("www.example.org", RecordType.A, _FIVE, number=1)
    other = answer("www.example.net", RecordType.A, _FIVE)
    assert verdict(_A, stray) == "answered nothing but with another query's number"
    assert verdict(_A, stray, other) == (
        'answered nothing but to another question, "www.example.net"'
    )
    good = verdict(_A, stray, other, answer("www.example.org", RecordType.A, _FIVE))
    assert isinstance(good, Outcome)
    assert good.success is True


def test_a_stream_has_lengths_and_comes_in_pieces() -> None:
    """TCP: two bytes of length before each message; a wrong number is then the server's fault."""
    probe = DNS(name="www.example.org", tcp=True)
    message = answer("www.example.org", RecordType.A, _FIVE)
    framed = len(message).to_bytes(2) + message
    exchange = DNSRecipe(probe).exchange(_NUMBER)
    query = exchange.data_to_send()
    assert int.from_bytes(query[:2]) == len(query) - 2
    outcomes = [exchange.receive(bytes([byte]), 0.0) for byte in framed]
    assert outcomes[:-1] == [None] * (len(framed) - 1)
    assert outcomes[-1] is not None
    assert outcomes[-1].success is True
    stray = answer("www.example.org", RecordType.A, _FIVE, number=7)
    wrong = verdict(probe, len(stray).to_bytes(2) + stray)
    assert wrong == Outcome(False, "answered with another query's number", Fault.MALFORMED)


@pytest.mark.parametrize(
    "probe",
    [
        pytest.param(DNS(name="example", type="ANY"), id="a type that is not known"),
        pytest.param(DNS(name="a..example"), id="a name with an empty part"),
        pytest.param(DNS(name="a" * 64), id="a part that is too long"),
        pytest.param(DNS(name=".".join(["a" * 60] * 5)), id="a name that is too long"),
        pytest.param(DNS(name="example", answers=("nonsense",)), id="an answer of another type"),
    ],
)
def test_what_cannot_be_asked_is_refused(probe: DNS) -> None:
    """A mistake in a document is a sentence, before anything is sent."""
    with pytest.raises(ValueError, match=r"must be|is not|longer|empty"):
        DNSRecipe(probe)


def test_names_that_go_in_circles_end() -> None:
    """A pointer to itself, or forward, is malformed and does not hang."""
    head = struct.pack("!6H", _NUMBER, 0x8180, 1, 0, 0, 0)
    for name in (b"\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\x01a\xc0\x0c"):
        with pytest.raises(ProtocolError):
            decode_answer(head + name + struct.pack("!HH", 1, 1))


@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_protocol_error(data: bytes) -> None:
    """Nothing else is ever raised."""
    for message in (data, answer("www.example.org", RecordType.MX)[:-20] + data):
        with suppress(ProtocolError):
            decode_answer(message)


@given(data=st.data())
def test_an_answer_with_bytes_changed_is_judged(data: st.DataObject) -> None:
    """However a real answer is damaged, the probe has a verdict or waits."""
    message = bytearray(answer("www.example.org", RecordType.SRV, b"\0\0\0\5\0\x7b\1a" + _POINTER))
    for _ in range(data.draw(st.integers(1, 6))):
        message[data.draw(st.integers(2, len(message) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(DNS(name="www.example.org", type="SRV"), bytes(message))


_LABELS = st.text(
    st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-_"), min_size=1, max_size=20
)


@given(labels=st.lists(_LABELS, min_size=1, max_size=8), kind=st.sampled_from(list(RecordType)))
def test_a_query_reads_back(labels: list[str], kind: RecordType) -> None:
    """What we ask is what a decoder sees that was asked."""
    name = ".".join(labels)
    query = encode_query(_NUMBER, name, kind)
    assert number_of(query) == _NUMBER
    read = decode_answer(query[:2] + b"\x80" + query[3:])
    assert (read.number, read.name, read.kind) == (_NUMBER, name, kind)
