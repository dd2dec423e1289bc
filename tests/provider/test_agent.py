"""A real agent between a metadata server and a speaker: from one document to complete peers."""

from typing import Any

import pytest

from tests.host.net import play
from tests.provider.agentstories import ANSWERS
from tests.provider.packettable import KEY

pytestmark = pytest.mark.timeout(120)


def told(story: str) -> Any:
    """Return what *story* reports."""
    unproven = "what an agent makes of a provider"
    return play("tests.provider.agentstories", story, unproven=unproven)


def test_one_document_gives_all_sessions_and_the_way_to_them() -> None:
    """Source, gateway, ASNs, password, TTL and limit are the provider's; nothing else is said."""
    assert told("complete") == {
        "name": ["tor-169.254.255.1", "tor"],
        "asns": [65000, 65530],
        "way": ["10.99.182.129", "10.99.182.128"],
        "rest": [KEY, 5, 10],
        "routes": [
            "169.254.255.1 via 10.99.182.128 dev eth0",
            "169.254.255.2 via 10.99.182.128 dev eth0",
        ],
        "mode": "0o600",
    }


def test_the_first_words_wait_for_the_provider() -> None:
    """A speaker whose sessions are up must not be told of no peers a moment before the peers."""
    assert told("patient") == [2]


def test_a_server_that_hangs_keeps_nothing_else_from_working() -> None:
    """Other peers and Services go on without it, beats never stop, and it is heard when it can."""
    assert told("hanging") == {"beats": True, "prefixes": ["203.0.113.1/32"]}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_restart_without_an_answer_keeps_the_sessions(answer: str) -> None:
    """What was understood last is on the disk; the first words of the next agent have it."""
    assert told(f"restarted-{answer}") == [True]


def test_a_changed_password_changes_one_peer_and_leaves_the_other_as_it_is() -> None:
    """The session that is lost asks; the other one's value, and so its session, is the same."""
    assert told("password") == [True, False]


def test_an_address_that_is_gone_for_a_moment_moves_no_session() -> None:
    """A network that is configured anew takes it off and puts it back; TCP outlives that."""
    assert told("blinking") == {"for a moment": [True], "for good": ["10.99.183.9"]}


def test_a_start_moves_no_session_from_where_the_host_reaches_its_router() -> None:
    """Nothing is told before the host was looked at: a guess moves a session there and back."""
    assert told("racked") == ["10.99.183.9"]


def test_annotations_of_the_node_are_peers_from_the_first_word() -> None:
    """What a cloud controller wrote is there with the Node; a change of it is a change at once."""
    assert told("annotated") == [["password"], ["changed", "password"]]


def test_no_log_and_no_status_holds_a_password_or_a_token() -> None:
    """Also where the document is wrong beside the password, or the password itself is."""
    assert told("secrets") == {"sent": True, "told": True, "held": []}
