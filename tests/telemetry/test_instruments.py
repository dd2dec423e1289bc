"""Numbers between two scrapes."""

from hypothesis import given
from hypothesis import strategies as st

from bgpd.telemetry.instruments import REMEMBERED, Ratchet


@given(st.lists(st.integers(min_value=0, max_value=100)))
def test_a_count_never_goes_back(readings: list[int]) -> None:
    """Whatever it is read from starts anew, and however often."""
    ratchet = Ratchet()
    shown = [ratchet("one", value) for value in readings]
    assert shown == sorted(shown)


def test_what_was_counted_before_a_new_start_is_kept() -> None:
    """A mesh that was made anew goes on where the old one stopped."""
    ratchet = Ratchet()
    assert [ratchet("late", value) for value in (3, 5, 2, 2, 4)] == [3, 5, 7, 7, 9]
    assert ratchet("other", 1) == 1


def test_what_is_gone_for_long_is_forgotten() -> None:
    """Nodes that come and go for a year do not fill the memory."""
    ratchet = Ratchet()
    ratchet("first", 5)
    for key in range(REMEMBERED):
        ratchet(key, 1)
    assert ratchet("first", 1) == 1
