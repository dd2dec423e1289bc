"""Commands and messages as lines: whole, ASCII, and never a surprise from any bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.exabgp import command, message, wire
from bgpd.exabgp.command import Command
from bgpd.exabgp.message import Ignored, Message
from bgpd.model.errors import ProtocolError
from tests.exabgp.strategies import commands, messages


@given(commands)
def test_a_command_survives_the_pipe(value: Command) -> None:
    """decode(encode(c)) == c, in one ASCII line."""
    line = command.encode(value)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert command.decode(line[:-1]) == value


@given(messages)
def test_a_message_survives_the_pipe(value: Message) -> None:
    """decode(encode(m)) == m, in one ASCII line, whatever text an error holds."""
    line = message.encode(value)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert message.decode(line[:-1]) == value


@given(
    st.binary(max_size=200)
    | st.binary(max_size=100).map(lambda rest: b"bgpd " + rest)
    | st.tuples(
        st.sampled_from([b"session", b"done", b"shown", b"failed", b"update", b"close"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["id", "peers", "peer", "state"]), inner)
            ),
            max_leaves=8,
        ).map(lambda value: str(value).replace("'", '"').encode()),
    ).map(lambda pair: b"bgpd %s %s" % pair)
)
def test_any_bytes_are_decoded_or_refused(line: bytes) -> None:
    """Never anything but a value or ProtocolError, in both directions."""
    with contextlib.suppress(ProtocolError):
        message.decode(line)
    with contextlib.suppress(ProtocolError):
        command.decode(line)
    wire.request_id(line)


@given(messages, st.data())
def test_a_truncated_message_is_refused(value: Message, data: st.DataObject) -> None:
    """A line that lost its end is never taken for another message."""
    line = message.encode(value)[:-1]
    cut = data.draw(st.integers(len("bgpd "), len(line) - 1))
    with pytest.raises(ProtocolError):
        message.decode(line[:cut])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="an empty line"),
        pytest.param(b"done", id="ExaBGP's acknowledgement"),
        pytest.param(b'{ "exabgp": "5.0.0", "type": "notification" }', id="ExaBGP's JSON"),
        pytest.param(b"bgp done {}", id="a word that is almost ours"),
    ],
)
def test_what_exabgp_says_by_itself_is_ignored(line: bytes) -> None:
    """Such a line decodes to Ignored."""
    assert message.decode(line) == Ignored()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b'bgpd update {"id":7,"peers":3}', 7, id="a field of the wrong type"),
        pytest.param(b'bgpd nonsense {"id":8}', 8, id="an unknown kind"),
        pytest.param(b'bgpd update {"id":7', None, id="half a line"),
        pytest.param(b'bgpd update {"id":true}', None, id="an id that is no number"),
        pytest.param(b"shutdown", None, id="no line of ours"),
    ],
)
def test_a_refused_command_can_still_be_answered(line: bytes, expected: int | None) -> None:
    """The id is found in lines that do not decode."""
    assert wire.request_id(line) == expected


def test_unknown_fields_are_ignored() -> None:
    """A newer launcher may say more."""
    assert message.decode(b'bgpd pong {"id":1,"later":{"a":[1]}}') == message.Pong(id=1)


def test_a_line_without_end_is_refused() -> None:
    """More than MAX_LINE is nobody's message."""
    with pytest.raises(ProtocolError):
        message.decode(b"x" * (wire.MAX_LINE + 1))
