"""When a node's status is written, and what becomes of it when the server will not have it."""

import json
from typing import Any

import pytest

from bgpd.kube.nodestatus import MESH_ANNOTATION
from bgpd.kube.nodewrite import APART, CROWD, RARELY, SPREAD, Need, NodeWrite, Outcome
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address

ME = Member(name=NodeName("n1"), address=Address("10.0.0.1"))
MIDDLE = 0.5
"""A random number that is none."""


def ok(**document: Any) -> Reply:
    """Return an answer of a server that did what was asked."""
    return Reply(code=200, body=json.dumps(document).encode())


def refused(code: int, message: str = "no", told: float = 0.0) -> Reply:
    """Return an answer of a server that did not."""
    body = {"kind": "Status", "code": code, "reason": "Because", "message": message}
    return Reply(code=code, body=json.dumps(body).encode(), told=told)


def status(generation: int) -> dict[str, Any]:
    """Return a document with a status."""
    return {"status": {"takeoverGeneration": generation}}


def written(generation: int = 7, now: float = 0.0) -> NodeWrite:
    """Return the state of a node whose object and status the server has since *now*."""
    one = NodeWrite("n1")
    one.begin()
    assert one.need_object(ME) is Need.NODE
    assert one.after_node(ok(metadata={"uid": "u-1"}), now, MIDDLE)
    assert one.need_object(ME) is Need.OBJECT
    assert one.after_object(one.object_document(ME), ok(metadata={"name": "n1"}), now, MIDDLE)
    assert one.need_object(ME) is Need.NOTHING
    assert one.need_status(status(generation)) is Need.STATUS
    assert one.after_status(status(generation), ok(), now, MIDDLE)
    return one


def test_the_first_write_is_three_requests_and_the_second_is_one() -> None:
    """The uid of the Node, the object that it owns, the status; then the status alone."""
    one = written()
    assert one.due is None
    assert one.need_object(ME) is Need.NOTHING
    assert one.need_status(status(7)) is Need.NOTHING
    assert one.need_status(status(8)) is Need.STATUS


def test_the_object_says_whose_it_is_and_where_we_are() -> None:
    """By that the others know us."""
    metadata = written().object_document(ME)["metadata"]
    assert metadata["ownerReferences"][0]["uid"] == "u-1"
    assert metadata["annotations"] == {MESH_ANNOTATION: "10.0.0.1:7179"}


def test_where_we_are_is_not_forgotten_because_it_is_not_known_yet() -> None:
    """A process that has just started writes the status alone, unless there is no object."""
    one = NodeWrite("n1")
    assert one.need_object(None) is Need.NOTHING
    assert not one.after_status(status(7), refused(404), 0.0, MIDDLE)
    assert one.need_object(None) is Need.NODE
    assert one.after_node(ok(metadata={"uid": "u-1"}), 0.0, MIDDLE)
    assert one.need_object(None) is Need.OBJECT
    assert one.after_object(one.object_document(None), ok(), 0.0, MIDDLE)
    assert one.need_object(None) is Need.NOTHING
    assert one.need_object(ME) is Need.OBJECT, "now it is known"


@pytest.mark.parametrize(
    ("last", "now", "chance", "crowd", "due"),
    [
        pytest.param(0.0, 60.0, 0.0, 3, 60.0, id="after a quiet time at once"),
        pytest.param(0.0, 60.0, 0.9, 3, 60.0 + 0.9 * SPREAD, id="or a random moment later"),
        pytest.param(59.9, 60.0, 0.0, 3, 59.9 + APART, id="soon after a write only later"),
        pytest.param(59.9, 60.0, 0.5, 10 * CROWD, 60.0 + 5 * SPREAD, id="in a crowd much later"),
    ],
)
def test_a_change_is_written_soon_but_not_too_often(
    last: float, now: float, chance: float, crowd: int, due: float
) -> None:
    """A takeover is news for a thousand nodes at one instant, and one server hears them all."""
    one = written(now=last)
    one.crowd = crowd
    one.changed(now, chance)
    assert one.due == pytest.approx(due)


def test_a_crowd_writes_more_rarely() -> None:
    """A thousand nodes write no more together than a hundred."""
    one = written()
    one.crowd = 10 * CROWD
    assert one.after_status(status(8), ok(), 100.0, MIDDLE)
    one.changed(100.0, 0.0)
    assert one.due == pytest.approx(100.0 + 10 * APART)


def test_thirty_changes_are_one_write() -> None:
    """What changes while one is due changes what it says, not when."""
    one = written(now=100.0)
    dues = set()
    for step in range(30):
        one.changed(100.0 + step / 30, MIDDLE)
        dues.add(one.due)
    assert dues == {100.0 + APART}


def test_what_changes_during_a_write_is_written_after_it() -> None:
    """And not before its time."""
    one = written(now=100.0)
    one.changed(100.2, 0.0)
    one.begin()
    one.changed(101.0, 0.0)
    assert one.after_status(status(8), ok(), 101.5, MIDDLE)
    assert one.due is not None
    assert one.due <= 101.5


STATUS_CASES = [
    pytest.param(refused(403), "ApiForbidden", RARELY[0] + 0.5 * (RARELY[1] - RARELY[0]),
                 id="without the right: a person has to give it"),
    pytest.param(refused(401), "", 0.1, id="a token that ended: it is read anew"),
    pytest.param(refused(409), "", 0.1, id="a conflict"),
    pytest.param(refused(500), "", 0.1, id="an error of the server"),
    pytest.param(refused(429, told=7.0), "", 7.0, id="a server that asks to wait"),
    pytest.param(Unanswered("refused"), "", 0.1, id="no answer"),
    pytest.param(refused(404), "", 0.1, id="no object: it is made again"),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "reason", "delay"), STATUS_CASES)
def test_a_status_that_is_not_written_is_tried_again(
    outcome: Outcome, reason: str, delay: float
) -> None:
    """Soon the first time; what a person has to correct is told at once, the rest when it lasts."""
    one = written(now=0.0)
    one.begin()
    assert not one.after_status(status(8), outcome, 100.0, MIDDLE)
    assert one.due == pytest.approx(100.0 + delay)
    assert (one.condition.reason if one.condition else "") == reason
    assert one.need_status(status(8)) is Need.STATUS


@pytest.mark.parametrize(
    ("outcome", "reason", "most"),
    [
        pytest.param(refused(500, "etcd is full"), "ApiRefused", 30.0, id="errors"),
        pytest.param(refused(401), "ApiUnauthorized", 30.0, id="a token that is not renewed"),
        pytest.param(Unanswered("it answered nothing"), "ApiUnreachable", 4.0, id="an outage"),
        pytest.param(Unanswered("expired", untrusted=True), "ApiUntrusted", 4.0, id="a stranger"),
    ],
)
def test_what_lasts_is_a_condition_and_tried_ever_more_rarely(
    outcome: Outcome, reason: str, most: float
) -> None:
    """It ends with the first write that works."""
    one = written()
    for _ in range(20):
        one.begin()
        one.after_status(status(8), outcome, 100.0, 0.999)
    assert one.due == pytest.approx(100.0 + most, rel=0.01)
    assert one.condition is not None
    assert one.condition.reason == reason
    assert "BGPNodeStatus n1 is not written" in one.condition.message
    one.changed(100.1, 0.0)
    assert one.due == pytest.approx(100.0 + most, rel=0.01), "a change is no reason to hurry"
    assert one.after_status(status(8), ok(), 200.0, MIDDLE)
    assert one.condition is None


@pytest.mark.parametrize(
    ("need", "outcome", "reason"),
    [
        pytest.param(Need.NODE, refused(404), "NoNode", id="no Node: it would belong to nobody"),
        pytest.param(Need.NODE, ok(metadata={}), "ApiRefused", id="a Node without a uid"),
        pytest.param(Need.OBJECT, refused(404), "KindNotInstalled", id="no CRD"),
        pytest.param(Need.OBJECT, refused(403), "ApiForbidden", id="another node's token"),
    ],
)
def test_what_a_person_has_to_correct_is_asked_for_rarely(
    need: Need, outcome: Outcome, reason: str
) -> None:
    """And said at once."""
    one = NodeWrite("n1")
    if need is Need.NODE:
        good = one.after_node(outcome, 100.0, 0.0)
    else:
        assert one.after_node(ok(metadata={"uid": "u"}), 100.0, 0.0)
        good = one.after_object(one.object_document(ME), outcome, 100.0, 0.0)
    assert not good
    assert one.condition is not None
    assert one.condition.reason == reason
    assert one.due == 100.0 + RARELY[0]


@pytest.mark.parametrize("during", [True, False])
def test_an_object_that_is_lost_is_made_again_whole(during: bool) -> None:
    """With a new look at the Node, which may be another one; also if it is lost while we write."""
    one = written(now=100.0)
    if during:
        one.changed(100.0, 0.0)
        one.begin()
        one.lost(101.0, 0.0)
        assert one.after_status(status(8), ok(), 101.1, MIDDLE)
    else:
        one.lost(101.0, 0.0)
    assert one.due is not None
    one.begin()
    assert one.need_object(ME) is Need.NODE
    assert one.need_status(status(8)) is Need.STATUS


def test_since_when_a_condition_holds_outlives_the_process() -> None:
    """What the server has says it, until we have written ourselves."""
    one = NodeWrite("n1")
    kept = {"status": {"conditions": [{"type": "Ready"}]}}
    assert one.after_node(ok(metadata={"uid": "u"}), 0.0, MIDDLE)
    assert one.after_object(one.object_document(ME), ok(**kept), 0.0, MIDDLE)
    assert one.previous == kept
    assert one.after_status(status(7), ok(), 0.0, MIDDLE)
    assert one.previous == status(7)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", b'{"metadata":null}'])
def test_an_answer_that_is_no_object_fails_like_any_other(body: bytes) -> None:
    """Whatever stands between us and the server."""
    one = NodeWrite("n1")
    assert not one.after_node(Reply(code=200, body=body), 0.0, MIDDLE)
    assert one.due
