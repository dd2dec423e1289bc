"""Run a lab as a child that never outlives us, and always has the time to tidy up."""

import subprocess
import sys
from collections.abc import Sequence

from tests.lab.nodes import ROOT

TIDY_SECONDS = 10.0
"""How long a lab may take to remove itself once it is told to end."""


def tied(command: Sequence[str], *, seconds: float | None = None) -> int:
    """Run a command that dies with us, for *seconds* at the most; return its exit status.

    What ends us is handed on, as is the end of its time (`subprocess.TimeoutExpired`); then we
    wait until it has tidied up.
    """
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], cwd=ROOT)
    try:
        return process.wait(seconds)
    except BaseException:
        process.terminate()  # after a Ctrl-C it is told twice, and hears it once
        try:
            process.wait(TIDY_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"the lab did not end within {TIDY_SECONDS:g} s: killed", file=sys.stderr)
        raise
