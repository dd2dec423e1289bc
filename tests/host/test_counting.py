"""Facts about open connections that only a kernel can tell."""

import pytest

from tests.host.counting import HERE, HERE6, SENT_ON, SENT_ON6
from tests.host.net import play

pytestmark = pytest.mark.integration


def story(name: str) -> object:
    """Return what came of it."""
    return play("tests.host.counting", name, unproven=f"counting open connections: {name}")


def test_connections_that_end_here_are_counted_until_they_are_over() -> None:
    """Of both families, also a half-closed one; closed by us without a reader it is over."""
    assert story("sockets") == [
        {},
        {HERE: 3, HERE6: 2},
        {HERE: 3, HERE6: 2},
        {HERE: 0, HERE6: 0, SENT_ON: 0},
    ]


def test_connections_that_are_sent_on_are_counted_once() -> None:
    """However many addresses are asked for; those that end here are in both tables."""
    assert story("tracked") == {
        "few": {HERE: 4, SENT_ON: 3, SENT_ON6: 2},
        "many": {HERE: 4, SENT_ON: 3, SENT_ON6: 2},
        "wide": {"203.0.113.0/24": 7},
        "said": [],
    }


def test_who_may_not_look_into_the_tracker_cannot_say_that_nothing_is_open() -> None:
    """Unknown is not empty."""
    assert story("unprivileged") == (
        '[null, ["the connection tracker cannot be asked: Operation not permitted"]]'
    )


def test_a_count_that_takes_too_long_is_given_up() -> None:
    """And is unknown, with a sentence."""
    assert story("late") == [
        None,
        [
            "the sockets of this host cannot be counted: Connection timed out",
            "the connection tracker cannot be asked: Connection timed out",
        ],
    ]


def test_the_loop_has_its_turn_while_connections_are_counted() -> None:
    """Counting is another thread's business."""
    assert story("meanwhile") == {"found": {HERE: 400}, "turns": True}
