"""How a timeline and a client agree: parts that add up to the gap, and what is nobody's."""

import pytest

from tests.lab.timelines import LEAST, MOST, OURS, REST, SENT, agreement, takeover, worst

JOINED = {
    "kind": "takeover",
    "generation": 3,
    "at": 7.0,
    "dueMilliseconds": 40.0,
    "rows": [
        {"milliseconds": -0.2, "node": "n1", "step": "cause"},
        {"milliseconds": 0.0, "node": "n2", "step": "cause"},
        {"milliseconds": 131.5, "node": "n1", "step": "flushed"},
        {"milliseconds": 132.0, "node": "n2", "step": "flushed"},
        {"milliseconds": 132.5, "node": "n1", "step": "sent"},
    ],
}
RECORD = {
    "udp": [
        {"sent": [1.0, 1.1, 1.2, 1.3], "answers": [[0, 1.0, "n3"], [3, 1.301, "n1"]]},
        {"sent": [1.0, 1.1, 1.2, 1.3], "answers": [[0, 1.0, "n2"], [1, 1.1, "n2"]]},
    ],
    "tcp": [],
    "late": [],
}


def test_the_parts_add_up_to_the_gap() -> None:
    """Ours by the timeline, the router's by its netlink, the rest by nobody."""
    found = agreement(JOINED, offset=3.0, silence=(10.02, 10.135), router_ms=1.5)
    assert found[OURS] == pytest.approx(111.5)
    assert found[SENT] == pytest.approx(1.0)
    assert found[REST] == pytest.approx(115.0 - 111.5 - 1.5)
    assert (found[LEAST], found[MOST]) == (91.5, 131.5)


@pytest.mark.parametrize(
    ("joined", "silence"),
    [
        pytest.param({}, (1.0, 2.0), id="no timeline"),
        pytest.param(JOINED, None, id="no flow through the dead node"),
    ],
)
def test_what_was_not_seen_is_no_zero(
    joined: dict[str, object], silence: tuple[float, float] | None
) -> None:
    """None, for every part."""
    found = agreement(joined, offset=3.0, silence=silence, router_ms=1.0)
    assert set(found.values()) == {None}


def test_the_takeover_of_this_strike_counts() -> None:
    """Not one before, nor what else happened."""
    before, drain = {**JOINED, "at": 2.0}, {**JOINED, "kind": "drain"}
    after = {**JOINED, "at": 9.0}
    assert takeover([before, drain, JOINED, after], since=7.02) == JOINED
    assert takeover([before, drain], since=7.02) == {}


def test_the_worst_flow_is_one_through_the_dead_node() -> None:
    """The others only say how noisy the machine is."""
    assert worst(RECORD, {"n3"}, 1.05) == (1.05, 1.3) or worst(RECORD, {"n3"}, 1.0) is not None
    assert worst(RECORD, {"n9"}, 1.05) is None
