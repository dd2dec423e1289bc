"""The tutorial's commands, exactly as they are printed, one after the other on this machine."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from tests.docs.console import Step, differs, steps
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/tutorial.md"
PATIENCE: Final = 45.0
"""Seconds until what the page says is so: a reader would look again, too."""


@pytest.mark.timeout(900)
@pytest.mark.lab
def test_the_tutorial_does_what_it_says() -> None:
    """A reader who copies every command sees what the page shows, from the first to the last."""
    if os.geteuid() != 0 or shutil.which("bird") is None:
        lacking("root and BIRD are needed", unproven="the tutorial")
    done: list[Step] = []
    try:
        for step in steps(PAGE.read_text()):
            done.append(step)
            _follow(step)
    finally:
        if done and "lab down" not in done[-1].command:
            subprocess.run(
                ["scripts/lab", "down"],
                cwd=ROOT,
                env=_environment(),
                check=False,
                capture_output=True,
            )
    assert done[-1].command == "scripts/lab down"
    assert len(done) > 15


def _follow(step: Step) -> None:
    """Run a command until it says what the page says; what changes something runs once."""
    deadline = time.monotonic() + PATIENCE
    while True:
        ran = subprocess.run(
            ["/bin/bash", "-c", step.command],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        output = ran.stdout + (ran.stderr if "lab up" in step.command else "")
        complaint = differs(step, output)
        if ran.returncode == step.status and not complaint:
            return
        if time.monotonic() > deadline or not _only_looks(step.command):
            raise AssertionError(
                f"$ {step.command}\nexit status {ran.returncode}, the page says {step.status};"
                f" not as on the page: {complaint!r}\n{output}{ran.stderr}"
            )
        time.sleep(0.5)


def _environment() -> dict[str, str]:
    """Return ours, with a lab that is nobody else's: a person may have one up in this checkout."""
    return {**os.environ, "BGPD_LAB": f"tutorial_{os.getpid()}"}


def _only_looks(command: str) -> bool:
    return any(word in command for word in (" show ", "status", "explain", "timeline", "events"))
