"""Eight fast sessions with a real router beside a busy core: the short form of `steady`."""

import json
import subprocess

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


@pytest.mark.timeout(900)
def test_eight_sessions_stay_up_while_all_other_tests_run(
    long_run: subprocess.Popen[str],
) -> None:
    """Ten minutes beside everything else that this machine is made to do.

    Router and reflex run before other processes, and moments in which the machine stood still are
    counted apart; so what is left would be a fault of ours.
    """
    found = json.loads(long_run.communicate()[0])
    assert found["false_downs"] == 0, found
    assert found["seconds"] >= 600
    assert long_run.returncode == 0
