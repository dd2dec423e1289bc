"""A watch reads the same however its bytes are cut, and never skips what it cannot read."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.watchline import Bookmark, Lines, Status, Verb, bookmark, event, status
from bgpd.model.errors import ProtocolError

WHOLE = b"".join(
    json.dumps({"type": verb, "object": {"metadata": {"name": "ä\n" * count}}}).encode() + b"\n"
    for count, verb in enumerate(("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"))
)


def raw(document: object) -> msgspec.Raw:
    """Return a document as an event holds it."""
    return msgspec.Raw(json.dumps(document).encode())


@given(st.lists(st.integers(0, len(WHOLE)), max_size=10))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    """Sockets and chunks cut where they like."""
    edges = [0, *sorted(cuts), len(WHOLE)]
    lines = Lines()
    found = [line for a, b in pairwise(edges) for line in lines.feed(WHOLE[a:b])]
    lines.end()
    assert [event(line).verb for line in found] == list(Verb)
    assert b"\n".join(found) + b"\n" == WHOLE


def test_empty_lines_are_no_events() -> None:
    """Some proxies keep a connection warm with them."""
    assert Lines().feed(b"\n \n{}\r\n\n") == [b"{}\r"]


def test_a_line_that_breaks_off_is_an_error() -> None:
    """It was an event, and nobody may believe that there was none."""
    lines = Lines()
    lines.feed(b'{"type":"ADD')
    with pytest.raises(ProtocolError, match="middle of a line"):
        lines.end()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"<html>502 Bad Gateway</html>", id="a proxy's page"),
        pytest.param(b'{"type":"ADDED"}', id="no object"),
        pytest.param(b'{"type":"REPLACED","object":{}}', id="an unknown verb"),
        pytest.param(b'{"type":"ADDED","object":{"a":}}', id="broken JSON in the object"),
        pytest.param(b'{"type":"ADDED","object":{"a":1}} x', id="something after it"),
        pytest.param(b'"ADDED"', id="a text"),
        pytest.param(b'{"type":"\xff","object":{}}', id="bytes that are no text"),
    ],
)
def test_a_line_that_is_no_event_is_an_error(line: bytes) -> None:
    """Skipping it would lose an event for ever."""
    with pytest.raises(ProtocolError):
        event(line)


def test_a_bookmark_says_how_far_and_whether_the_state_is_complete() -> None:
    """Only the one with the annotation ends the state."""
    plain = {"kind": "Node", "metadata": {"resourceVersion": "7", "creationTimestamp": None}}
    assert bookmark(raw(plain)) == Bookmark(version="7", complete=False)
    for text, complete in (("true", True), ("false", False)):
        annotations = {"k8s.io/initial-events-end": text}
        last = {"metadata": {"resourceVersion": "8", "annotations": annotations}}
        assert bookmark(raw(last)) == Bookmark(version="8", complete=complete)
    with pytest.raises(ProtocolError):
        bookmark(raw({"metadata": {}}))


def test_an_error_is_read_even_from_what_is_no_status() -> None:
    """Proxies answer with pages of their own; the code is what counts."""
    whole = {"code": 429, "reason": "R", "message": "a\n b", "details": {"retryAfterSeconds": 3}}
    assert status(raw(whole)) == Status(code=429, reason="R", message="a b", retry_after=3.0)
    assert status(b"<html>", code=502) == Status(code=502)
    assert status(raw({"details": {"retryAfterSeconds": -1}}), code=500).retry_after == 0.0
