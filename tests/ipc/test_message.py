"""Facts about the lines of the unix sockets."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bgpd.ipc import message
from bgpd.ipc.message import UnknownKindError, decode, encode
from bgpd.model.errors import ProtocolError
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import Advertisement
from bgpd.model.timeline import Cause

GOLDEN = Path(__file__).with_name("version1.jsonl").read_bytes().splitlines()
KINDS = ("hello", "welcome", "desired", "delta", "beat", "applied", "report", "ask", "answer")

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine, slow is not wrong."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    sorted({key for line in GOLDEN for key in json.loads(line) if key != "kind"})
)


def decoded_or_refused(line: bytes) -> None:
    """Decode *line*; a refusal is fine, anything else that is raised fails the test."""
    try:
        decode(line)
    except ProtocolError:
        return


def keeps(new: object, old: object) -> bool:
    """Return whether *new* says everything that *old* says, and perhaps more."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and keeps(new[key], value) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(keeps, new, old))
    return new == old


def test_there_is_a_golden_line_for_every_kind() -> None:
    """The file of version 1 holds each kind once, so that none goes untested."""
    assert sorted(json.loads(line)["kind"] for line in GOLDEN) == sorted(KINDS)


@pytest.mark.parametrize("line", GOLDEN, ids=lambda line: json.loads(line)["kind"])
def test_lines_of_version_1_keep_their_meaning(line: bytes) -> None:
    """A line that version 1 wrote is read today without losing a field."""
    assert keeps(json.loads(encode(decode(line))), json.loads(line))


@pytest.mark.parametrize("line", GOLDEN, ids=lambda line: json.loads(line)["kind"])
def test_fields_of_a_newer_version_are_ignored(line: bytes) -> None:
    """A field that only a newer version knows changes nothing."""
    newer = json.dumps(json.loads(line) | {"invented": {"later": [1, 2]}}).encode()
    assert decode(newer) == decode(line)


def test_fields_of_a_newer_version_are_ignored_inside_values() -> None:
    """The values inside a message may grow as well."""
    line = encode(message.Delta(sequence=1, advertise=(_advertisement(),)))
    newer = line.replace(b'"rank":0', b'"rank":0,"invented":true')
    assert newer != line
    assert decode(newer) == decode(line)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"kind":"invented"}', id="a kind of a newer version"),
        pytest.param(b'{"sequence":1,"kind":"Delta"}', id="a kind in other letters"),
    ],
)
def test_a_kind_of_a_newer_version_is_told_apart(line: bytes) -> None:
    """An unknown kind is its own error, because the reader goes on after it."""
    with pytest.raises(UnknownKindError):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="no object"),
        pytest.param(b"{}", id="no kind"),
        pytest.param(b'{"kind":7}', id="a kind that is no text"),
        pytest.param(b'{"kind":"beat"', id="cut off"),
        pytest.param(b'{"kind":"beat"} {"kind":"beat"}', id="two on one line"),
        pytest.param(b'{"kind":"applied"}', id="a field is missing"),
        pytest.param(b'{"kind":"applied","sequence":"1"}', id="a number as text"),
        pytest.param(b'{"kind":"hello","version":1,"role":"king"}', id="a role that is none"),
        pytest.param(b'{"kind":"bea\xff"}', id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="a tower of brackets"),
        pytest.param(
            b'{"kind":"answer","content":' + b"[" * 100_000, id="a tower inside an answer"
        ),
    ],
)
def test_a_damaged_line_is_not_mistaken_for_a_newer_one(line: bytes) -> None:
    """What no version would write is a protocol error, and the connection closes."""
    with pytest.raises(ProtocolError) as caught:
        decode(line)
    assert not isinstance(caught.value, UnknownKindError)


def test_a_report_in_words_of_a_newer_version_is_told_apart() -> None:
    """A state or a reason that is new costs the report, and not the connection."""
    (report,) = (line for line in GOLDEN if json.loads(line)["kind"] == "report")
    newer = report.replace(b'"OutsidePools"', b'"InventedLater"')
    assert newer != report
    with pytest.raises(UnknownKindError, match="InventedLater"):
        decode(newer)


@calm
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(line: bytes) -> None:
    """No bytes crash the reader."""
    decoded_or_refused(line)


@calm
@given(st.sampled_from(GOLDEN), st.data())
def test_damaged_lines_are_decoded_or_refused(line: bytes, data: st.DataObject) -> None:
    """No damage to a real line crashes the reader."""
    start = data.draw(st.integers(0, len(line)))
    length = data.draw(st.integers(0, 20))
    decoded_or_refused(line[:start] + data.draw(st.binary(max_size=20)) + line[start + length :])


@calm
@given(st.sampled_from(KINDS), st.dictionaries(field_names, json_values, max_size=6))
@example("applied", {"sequence": 10**30})
@example("hello", {"version": -(2**63) - 1, "role": "agent"})
def test_any_json_of_a_known_kind_is_decoded_or_refused(
    kind: str, fields: dict[str, object]
) -> None:
    """No JSON value in any field crashes the reader."""
    decoded_or_refused(json.dumps({"kind": kind, **fields}).encode())


@calm
@given(
    st.integers(0, 2**62),
    st.lists(st.tuples(st.text(), st.text()), max_size=4),
    st.lists(st.builds(lambda rank: _advertisement(rank=rank), st.integers(0, 255)), max_size=4),
)
def test_what_is_encoded_comes_back(
    sequence: int, withdraw: list[tuple[str, str]], advertise: list[Advertisement]
) -> None:
    """A delta survives the wire, whatever is in its texts, and is one line on it."""
    delta = message.Delta(
        sequence=sequence,
        advertise=tuple(advertise),
        withdraw=tuple((PeerName(peer), Prefix(prefix)) for peer, prefix in withdraw),
    )
    line = encode(delta)
    assert decode(line) == delta
    assert line.count(b"\n") == 1


@calm
@given(st.lists(st.tuples(st.integers(0, 2**62), st.text(), st.floats(0, 1e9)), max_size=4))
def test_a_cause_survives_the_wire(causes: list[tuple[int, str, float]]) -> None:
    """To the last bit of its times: they are shown to people, side by side with the speaker's."""
    why = message.Why(
        causes=tuple(
            (sequence, Cause(kind="withdraw", sentence=text, at=at, decided_at=at + 0.001))
            for sequence, text, at in causes
        )
    )
    assert decode(encode(why)) == why


def _advertisement(rank: int = 0) -> Advertisement:
    return Advertisement(peer=PeerName("tor-1"), prefix=Prefix("203.0.113.7/32"), rank=rank)
