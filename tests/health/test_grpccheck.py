"""gRPC's health service: what is asked, and what is made of answers, frame by frame."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.grpccheck import GRPCExchange, GRPCRecipe, serving_status
from bgpd.health.hpack import Decoder, Fields, encode
from bgpd.health.http2 import PREFACE
from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome
from bgpd.model.errors import ProtocolError
from bgpd.model.health import GRPC
from bgpd.model.prefix import Address

_END, _LAST, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20


def frame(kind: int, flags: int, payload: bytes = b"", stream: int = 1) -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


SETTINGS = frame(4, 0, b"\0\3\0\0\0\x64", stream=0)
OK: Fields = [(":status", "200"), ("content-type", "application/grpc")]


def head(fields: Fields, flags: int = _LAST) -> bytes:
    """Return a HEADERS frame."""
    return frame(1, flags, encode(fields))


def message(body: bytes) -> bytes:
    """Return a DATA frame with a gRPC message."""
    return frame(0, 0, b"\0" + len(body).to_bytes(4) + body)


SERVING = message(b"\x08\x01")
DONE = head([("grpc-status", "0")], _LAST | _END)


def exchange(service: str = "") -> GRPCExchange:
    """Return a call that is sent."""
    probe = GRPC(service=service)
    job = Job(key="g", probe=probe, address=Address("10.0.0.7"), port=50051)
    return GRPCRecipe(job, probe).exchange(0)


def verdict(answer: bytes) -> Outcome | None:
    """Return what is made of *answer*."""
    made = exchange()
    made.data_to_send()
    return made.receive(answer, 0.0)


def test_the_call_is_one_request_with_everything_in_it() -> None:
    """Preface, SETTINGS, HEADERS and DATA go at once, without waiting for the server."""
    sent = exchange("shop.Cart").data_to_send()
    assert sent.startswith(PREFACE)
    at, seen = len(PREFACE), []
    while at < len(sent):
        end = at + 9 + int.from_bytes(sent[at : at + 3])
        seen.append((sent[at + 3], sent[at + 4], sent[at + 9 : end]))
        at = end
    assert [(kind, flags) for kind, flags, _ in seen] == [(4, 0), (1, _LAST), (0, _END)]
    fields = dict(Decoder().decode(seen[1][2]))
    assert fields[":path"] == "/grpc.health.v1.Health/Check"
    assert fields[":authority"] == "10.0.0.7:50051"
    assert fields["grpc-timeout"] == "1000m"
    assert seen[2][2] == b"\0\0\0\0\x0b\x0a\x09shop.Cart"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            SETTINGS + head(OK) + SERVING + DONE, Outcome(True, "answered SERVING"), id="SERVING"
        ),
        pytest.param(
            SETTINGS + frame(0, _PADDED, b"\2" + SERVING[9:] + b"\0\0")[:0]
            + frame(1, _LAST | _PADDED | _PRIORITY, b"\3" + bytes(5) + encode(OK) + bytes(3))
            + frame(0, _PADDED, b"\2" + SERVING[9:] + bytes(2))
            + frame(1, _END, encode([("grpc-status", "0")])[:3])
            + frame(9, _LAST, encode([("grpc-status", "0")])[3:]),
            Outcome(True, "answered SERVING"),
            id="padded, with a priority, and trailers in two frames",
        ),
        pytest.param(
            SETTINGS + frame(8, 0, b"\0\0\1\0", stream=0) + frame(99, 7, b"?", stream=0)
            + frame(7, 0, b"\x7f\xff\xff\xff" + bytes(4), stream=0) + head(OK) + SERVING + DONE,
            Outcome(True, "answered SERVING"),
            id="a window, an unknown frame and a farewell that lets us finish",
        ),
        pytest.param(
            SETTINGS + head(OK) + message(b"\x08\x02") + DONE,
            Outcome(False, "answered NOT_SERVING, expected SERVING", Fault.UNEXPECTED),
            id="NOT_SERVING",
        ),
        pytest.param(
            SETTINGS + head(OK) + message(b"") + DONE,
            Outcome(False, "answered UNKNOWN, expected SERVING", Fault.UNEXPECTED),
            id="an empty message is UNKNOWN",
        ),
        pytest.param(
            SETTINGS + head([*OK, ("grpc-status", "5"), ("grpc-message", "no cart")], _LAST | _END),
            Outcome(False, 'answered NOT_FOUND: "no cart"', Fault.UNEXPECTED),
            id="trailers only",
        ),
        pytest.param(
            SETTINGS + head([(":status", "404")], _LAST | _END),
            Outcome(False, "answered HTTP 404, not gRPC", Fault.UNEXPECTED),
            id="a web server",
        ),
        pytest.param(
            SETTINGS + frame(3, 0, (7).to_bytes(4)),
            Outcome(False, "refused the call: refused stream", Fault.UNEXPECTED),
            id="the stream is reset",
        ),
        pytest.param(
            SETTINGS + frame(7, 0, bytes(4) + (11).to_bytes(4), stream=0),
            Outcome(False, "refused the call: enhance your calm", Fault.UNEXPECTED),
            id="the connection is ended",
        ),
        pytest.param(
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Outcome(
                False,
                "answered what is not HTTP/2: it does not begin with SETTINGS",
                Fault.MALFORMED,
            ),
            id="HTTP/1",
        ),
        pytest.param(
            SETTINGS + b"\xff\xff\xff\0\0\0\0\0\1",
            Outcome(
                False, "answered what is not a gRPC answer: a frame of 16777215 bytes",
                Fault.MALFORMED,
            ),
            id="a frame of 16 MiB",
        ),
        pytest.param(
            SETTINGS + head(OK) + frame(0, _END, b"\1\0\0\0\2\x08\1"),
            Outcome(False, "answered grpc-status ''", Fault.UNEXPECTED),
            id="no trailers",
        ),
    ],
)  # fmt: skip
def test_answers(answer: bytes, expected: Outcome) -> None:
    """An answer means the same whole and byte by byte."""
    assert verdict(answer) == expected
    made, outcome = exchange(), None
    for byte in answer:
        outcome = outcome or made.receive(bytes([byte]), 0.0)
    assert outcome == expected


def test_what_http2_wants_to_hear_is_said() -> None:
    """SETTINGS and PING are acknowledged, acknowledgments are not."""
    made = exchange()
    made.data_to_send()
    assert made.receive(SETTINGS + frame(4, 1, stream=0), 0.0) is None
    assert made.data_to_send() == frame(4, 1, stream=0)
    assert made.receive(frame(6, 0, b"12345678", stream=0), 0.0) is None
    assert made.data_to_send() == frame(6, 1, b"12345678", stream=0)
    assert made.missing() == "speaks HTTP/2 but did not answer"


def test_an_endless_answer_ends_at_64_kib() -> None:
    """PINGs without end, as a flood, are cut off."""
    made, ping = exchange(), frame(6, 1, bytes(8), stream=0)
    assert made.receive(SETTINGS + ping * 2000, 0.0) is None
    outcome = made.receive(ping * 2000, 0.0)
    assert outcome == Outcome(False, "answered more than 64 KiB", Fault.MALFORMED)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("", 0, id="nothing said"),
        pytest.param("0801", 1, id="one field"),
        pytest.param("1203616263" + "0801" + "2d00000000", 1, id="among unknown fields"),
        pytest.param("08021801" + "190000000000000000", 2, id="before unknown fields"),
    ],
)
def test_messages(body: str, status: int) -> None:
    """Fields that we do not know are passed over."""
    data = bytes.fromhex(body)
    assert serving_status(b"\0" + len(data).to_bytes(4) + data) == status


@given(data=st.binary(max_size=40))
def test_any_message_is_a_status_or_a_protocol_error(data: bytes) -> None:
    """Nothing else is ever raised."""
    for message in (data, b"\0" + len(data).to_bytes(4) + data):
        with suppress(ProtocolError):
            assert serving_status(message) >= 0


_FRAMES = st.builds(
    frame, st.integers(0, 12), st.integers(0, 255), st.binary(max_size=40), st.integers(0, 3)
)


@given(pieces=st.lists(_FRAMES | st.binary(max_size=20), max_size=12))
def test_any_frames_end_in_a_sentence_or_wait(pieces: list[bytes]) -> None:
    """Nothing that a server sends after its SETTINGS raises."""
    made, outcome = exchange(), None
    for piece in (SETTINGS, *pieces):
        outcome = outcome or made.receive(piece, 0.0)
    assert (outcome or made.ended()).message
    assert made.missing()
