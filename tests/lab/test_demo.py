"""The demonstration ends its lab before it ends itself, and its table fits a terminal."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.demo import summary
from tests.lab.nodes import ROOT

_CHILD = """
import signal, sys, time
from pathlib import Path
def tidy(*_):
    time.sleep(1)
    Path(sys.argv[1]).unlink()
    sys.exit(143)
signal.signal(signal.SIGTERM, tidy)
Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
_PARENT = """
import sys
from tests.lab.tied import tied
from tests.lab.world import raise_at_signals
raise_at_signals()
tied([sys.executable, "-c", *sys.argv[1:]])
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_demonstration_waits_until_its_lab_has_tidied_up(
    number: signal.Signals, tmp_path: Path
) -> None:
    """What takes a second to tidy up is done when the demonstration ends."""
    witness = tmp_path / "world"
    process = subprocess.Popen(
        [sys.executable, "-c", _PARENT, _CHILD, str(witness)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 50
    while not witness.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert witness.exists()
    process.send_signal(number)
    assert process.wait(50) != 0
    assert not witness.exists()


def test_the_table_fits_a_terminal() -> None:
    """No line of the summary is wider than 80 columns."""
    gaps = {"worst_flow_gap_ms": {"p50": 1169.0, "max": 12200.0}}
    report = {
        "plan": {"router": "openbgpd", "hold": 90},
        "target": {"worst_flow_gap_ms": 400},
        "summary": {**gaps, "other_flows_gap_ms": {"max": 12200.0}},
    }
    text = summary([report])
    assert "12200 ms" in text
    assert max(map(len, text.splitlines())) <= 80
