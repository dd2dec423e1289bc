"""Eight fast sessions with a real router beside a busy core: the short form of `steady`."""

import pytest

from tests.bfd import steady

pytestmark = pytest.mark.integration


def test_eight_sessions_of_50_ms_stay_up_beside_a_busy_core() -> None:
    """Ten seconds of what `python -m tests.bfd.steady` does for as long as it is told."""
    found = steady.run(seconds=10, sessions=8, interval=50, router="bird", cores=1)
    assert found["false_downs"] == 0, found
    # Eight sessions of at least 20 packets a second each.
    assert found["sent_per_second"] > 150
    # They leave together, so that eight cost hardly more than one.
    assert found["wakeups_per_second"] < 80
