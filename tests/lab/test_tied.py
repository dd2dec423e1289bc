"""A child whose time is over is told to end, and is waited for while it tidies up."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.tied import tied

_CHILD = """
import signal, sys, time
from pathlib import Path
def tidy(*_):
    time.sleep(0.5)
    Path(sys.argv[1]).write_text("tidy")
    sys.exit(143)
signal.signal(signal.SIGTERM, tidy)
Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""


def test_a_child_that_takes_too_long_still_tidies_up(tmp_path: Path) -> None:
    """A measurement that is stuck leaves nothing behind, as one that is interrupted."""
    witness = tmp_path / "world"
    with pytest.raises(subprocess.TimeoutExpired):
        # Without site-packages the child is there long before its time is over.
        tied([sys.executable, "-S", "-E", "-c", _CHILD, str(witness)], seconds=5.0)
    assert witness.read_text() == "tidy"


def test_a_child_that_ends_in_time_gives_its_status() -> None:
    """The limit is no wait."""
    assert tied([sys.executable, "-c", "raise SystemExit(3)"], seconds=50.0) == 3
