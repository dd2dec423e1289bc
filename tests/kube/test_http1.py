"""Answers are read the same however their bytes are cut, and nothing that is no HTTP passes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.http1 import MOST_HEAD, Answers, End, Head, Part, Request
from bgpd.model.errors import ProtocolError

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
)
COUNTED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabsen"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def read(*pieces: bytes) -> tuple[list[int], bytes, list[bool]]:
    """Return statuses, all of the bodies, and whether each answer lets another follow."""
    answers = Answers()
    parts: list[Part] = [part for piece in pieces for part in answers.feed(piece)]
    assert answers.idle
    return (
        [one.status for one in parts if isinstance(one, Head)],
        b"".join(one for one in parts if isinstance(one, bytes)),
        [one.reusable for one in parts if isinstance(one, End)],
    )


@given(st.lists(st.integers(0, len(CHUNKED + INTERIM + EMPTY + COUNTED)), max_size=12))
def test_any_cut_reads_the_same(cuts: list[int]) -> None:
    """Sockets cut where they like; statuses, bodies and ends do not depend on it."""
    whole = CHUNKED + INTERIM + EMPTY + COUNTED
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == ([200, 204, 404], b"hello worldabsen", [True, True, False])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/2 200\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", id="a field without a colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n", id="a length in words"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", id="a coding"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="a size in words"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
            id="a chunk longer than it says",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
            id="a size without an end",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_HEAD, id="a head without an end"),
    ],
)
def test_what_is_not_http_is_refused(text: bytes) -> None:
    """Guessing at the meaning of broken bytes would invent events."""
    with pytest.raises(ProtocolError):
        Answers().feed(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    """Nothing that a server sends can raise anything else."""
    answers = Answers()
    try:
        answers.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + noise)
        answers.eof()
    except ProtocolError:
        pass


def test_the_end_of_the_connection_ends_only_what_has_no_other_end() -> None:
    """A body without a length ends with the connection; a cut one must not pass for whole."""
    answers = Answers()
    assert [type(one) for one in answers.feed(b"HTTP/1.0 200 OK\r\n\r\nabc")] == [Head, bytes]
    assert answers.eof() == [End(reusable=False)]
    answers.feed(CHUNKED[:-9])
    with pytest.raises(ProtocolError, match="in the middle"):
        answers.eof()


def test_a_request_says_what_the_server_needs() -> None:
    """The length goes with a body; a value that could end the head early is refused."""
    patch = Request(method="PATCH", target="/x?y=1", fields={"A": "b"}, body=b"{}")
    assert patch.encode("h:1") == (
        b"PATCH /x?y=1 HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
    )
    for bad in ("b\r\nEvil: 1", "é"):
        with pytest.raises(ValueError, match="no header may"):
            Request(target="/", fields={"A": bad}).encode("h")
