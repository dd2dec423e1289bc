"""What is made of an HTTP answer, whole, in pieces, or wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.httpget import HTTPRecipe
from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome
from bgpd.model.health import TLS, HTTPGet
from bgpd.model.prefix import Address

_OK = b"HTTP/1.1 200 OK\r\n"


def recipe(probe: HTTPGet, address: str = "10.0.0.7", port: int = 80) -> HTTPRecipe:
    """Return the recipe of *probe*."""
    return HTTPRecipe(Job(key="web", probe=probe, address=Address(address), port=port), probe)


def verdict(probe: HTTPGet, *pieces: bytes, closed: bool = False) -> Outcome | None:
    """Return what *probe* makes of *pieces*, with the end of the connection if *closed*."""
    exchange = recipe(probe).exchange(0)
    exchange.data_to_send()
    for piece in pieces:
        outcome = exchange.receive(piece, 0.0)
        if outcome is not None:
            return outcome
    return exchange.ended() if closed else None


@pytest.mark.parametrize(
    ("probe", "answer", "message"),
    [
        pytest.param(
            HTTPGet(), _OK + b"Content-Length: 2\r\n\r\nok", "answered 200", id="a counted body"
        ),
        pytest.param(
            HTTPGet(), b"HTTP/1.0 204 No\r\n\r\n", "answered 204", id="a status without a body"
        ),
        pytest.param(
            HTTPGet(), b"HTTP/1.1 302 Found\nContent-Length:0\n\n", "answered 302", id="lone LF"
        ),
        pytest.param(
            HTTPGet(body="ready"),
            _OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2;x=y\r\ndy\r\n0\r\n\r\n",
            "answered 200",
            id="text that two chunks share",
        ),
        pytest.param(
            HTTPGet(),
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
            "answered 200",
            id="a hint comes first",
        ),
        pytest.param(
            HTTPGet(statuses=((503, 503),)),
            b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n",
            "answered 503",
            id="any status may be the expected one",
        ),
    ],
)
def test_as_expected(probe: HTTPGet, answer: bytes, message: str) -> None:
    """An answer is accepted whole, and byte by byte."""
    assert verdict(probe, answer) == Outcome(True, message)
    assert verdict(probe, *(bytes([byte]) for byte in answer)) == Outcome(True, message)


@pytest.mark.parametrize(
    ("probe", "answer", "fault", "message"),
    [
        pytest.param(
            HTTPGet(),
            b"HTTP/1.1 503 Nope\r\n\r\n",
            Fault.UNEXPECTED,
            "answered 503, expected 200-399",
            id="a status that is not expected needs no body",
        ),
        pytest.param(
            HTTPGet(statuses=((200, 200), (204, 206))),
            b"HTTP/1.1 203 Hm\r\n\r\n",
            Fault.UNEXPECTED,
            "answered 203, expected 200, 204-206",
            id="ranges are named",
        ),
        pytest.param(
            HTTPGet(body="ready"),
            _OK + b"Content-Length: 2\r\n\r\nno, but ready beyond its length",
            Fault.UNEXPECTED,
            'answered 200, but without "ready"',
            id="text beyond the length does not count",
        ),
        pytest.param(
            HTTPGet(),
            b"SSH-2.0-OpenSSH_9.2\r\n",
            Fault.MALFORMED,
            'answered what is not HTTP/1: "SSH-2.0-OpenSSH_9.2··"',
            id="another protocol",
        ),
        pytest.param(
            HTTPGet(),
            b"HTTP/1.1 2x0 OK\r\n",
            Fault.MALFORMED,
            'answered what is not HTTP/1: "HTTP/1.1 2x0 OK··"',
            id="a status that is no number",
        ),
        pytest.param(
            HTTPGet(),
            _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            Fault.MALFORMED,
            'sent a bad chunk: "zz··"',
            id="a chunk without a size",
        ),
        pytest.param(
            HTTPGet(),
            _OK + b"X: y\r\n" * 20_000,
            Fault.MALFORMED,
            "answered with a head of more than 64 KiB",
            id="endless headers",
        ),
        pytest.param(
            HTTPGet(),
            b"HTTP/1.1 100 \r\n\r\n" * 8_000,
            Fault.MALFORMED,
            "answered with a head of more than 64 KiB",
            id="endless hints",
        ),
    ],
)
def test_not_as_expected(probe: HTTPGet, answer: bytes, fault: Fault, message: str) -> None:
    """What is wrong is said in a sentence, and under a fault's name."""
    assert verdict(probe, answer) == Outcome(False, message, fault)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(b"", "closed the connection without an answer", id="nothing"),
        pytest.param(b"HTTP/1.1 2", "closed the connection within the head of its answer", id="2"),
        pytest.param(
            _OK + b"Content-Length: 5\r\n\r\nfour",
            "answered 200 and closed within the body",
            id="a body that is too short",
        ),
        pytest.param(
            _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfour",
            "answered 200 and closed within the body",
            id="a chunk that is too short",
        ),
    ],
)
def test_closed_too_early(answer: bytes, message: str) -> None:
    """A connection that ends before the answer does is a failure that says where."""
    assert verdict(HTTPGet(), answer, closed=True) == Outcome(False, message, Fault.CLOSED)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """As RFC 9112, section 6.3, has it."""
    assert verdict(HTTPGet(body="ok"), _OK + b"\r\nok") is None
    outcome = verdict(HTTPGet(body="ok"), _OK + b"\r\nok", closed=True)
    assert outcome == Outcome(True, "answered 200")


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"\r\n", id="without an end"),
        pytest.param(b"Content-Length: 999999999999\r\n\r\n", id="of a terabyte"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", id="in one chunk"),
    ],
)
def test_of_an_endless_body_64_kib_are_enough(framing: bytes) -> None:
    """Nobody waits for the end of a download."""
    pieces = [_OK + framing, *[b"x" * 1460] * 60]
    assert verdict(HTTPGet(), *pieces) == Outcome(True, "answered 200")


def test_the_request_says_what_was_configured() -> None:
    """Host and fields are as configured, and a configured field replaces ours."""
    request = recipe(HTTPGet(path="/z?q=1", headers={"user-agent": "me", "X-A": "b"})).request
    assert request.startswith(b"GET /z?q=1 HTTP/1.1\r\nHost: 10.0.0.7\r\n")
    assert b"User-Agent: me\r\n" in request
    assert b"X-A: b\r\nConnection: close\r\n\r\n" in request
    assert b"Host: [2001:db8::7]:8080\r\n" in recipe(HTTPGet(), "2001:db8::7", 8080).request
    assert b"Host: 10.0.0.7\r\n" in recipe(HTTPGet(tls=TLS()), port=443).request
    assert b"Host: shop.example\r\n" in recipe(HTTPGet(host="shop.example")).request


@pytest.mark.parametrize(
    "probe",
    [
        pytest.param(HTTPGet(path="healthz"), id="a path without its slash"),
        pytest.param(HTTPGet(path="/a b"), id="a space in the path"),
        pytest.param(HTTPGet(headers={"X": "a\r\nY: b"}), id="a line within a field"),
        pytest.param(HTTPGet(host="shöp"), id="a host beyond ASCII"),
    ],
)
def test_what_cannot_be_asked_is_refused(probe: HTTPGet) -> None:
    """No document makes us say more than one request."""
    with pytest.raises(ValueError, match=r"must|may"):
        recipe(probe)


_HEADS = st.sampled_from(
    [b"", _OK, _OK + b"\r\n", _OK + b"Transfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 100 \r\n\r\n"]
)


@given(head=_HEADS, rest=st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_end_in_a_sentence_or_wait(head: bytes, rest: list[bytes]) -> None:
    """Nothing that a server sends raises; what is left at the end has a sentence, too."""
    exchange = recipe(HTTPGet(body="x")).exchange(0)
    outcome = None
    for piece in (head, *rest):
        outcome = outcome or exchange.receive(piece, 0.0)
    assert (outcome or exchange.ended()).message
    assert exchange.missing()


@given(data=st.data())
def test_pieces_do_not_matter(data: st.DataObject) -> None:
    """However an answer is cut into pieces, the verdict is the same."""
    answer = _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nr\r\n4\r\neady\r\n0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=8)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    assert verdict(HTTPGet(body="ready"), *pieces) == Outcome(True, "answered 200")
