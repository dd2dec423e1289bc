"""The fact that bgpd leaves nothing behind on a host, however it ended."""

import pytest

from tests.host.kills import ROUNDS
from tests.host.net import play

pytestmark = pytest.mark.integration


@pytest.mark.timeout(330)
def test_after_random_kills_and_cleanups_the_host_is_as_it_was() -> None:
    """Routes, addresses, rules and settings, on a host full of what only looks like ours.

    `python -m tests.host.kills --rounds 100` does more of it.
    """
    found = play(
        *("tests.host.kills", "rounds"),
        unproven="nothing is left after a kill and a cleanup",
        seconds=300.0,
        **{ROUNDS: "10"},
    )
    assert found["differences"] == ""
    assert found["rounds"] == 10
    assert found["removed"] > 10
