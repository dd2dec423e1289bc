"""Two real processes whose kernels' clocks are days apart learn how far, to the millisecond."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lacking import lacking
from tests.mesh.loopback import HERE, closed_port

AHEAD = 500_000
"""Seconds: as two machines that were booted on different days."""
_ELSEWHEN = (
    *("unshare", "--user", "--map-root-user", "--time", "--monotonic", str(AHEAD)),
    *("--fork", "--kill-child", "--"),
)


def need_time_namespaces() -> None:
    """Skip where this kernel has no time namespaces, or we may make none."""
    works = (
        shutil.which("unshare")
        and not subprocess.run([*_ELSEWHEN, "true"], capture_output=True, check=False).returncode
    )
    if not works:
        lacking(
            "no time namespaces",
            unproven="members with other clocks learn the difference",
            in_ci=True,
        )


def start(name: str, key: Path, port: int, *before: str) -> "subprocess.Popen[str]":
    """Start one member."""
    command = [*before, sys.executable, "-m", "tests.mesh.clockpair", name, str(key), str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(member: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what a member says when it knows; it goes on afterwards."""
    assert member.stdout is not None
    found: dict[str, Any] = json.loads(member.stdout.readline())
    return found


@pytest.mark.timeout(60)
def test_clocks_that_are_days_apart_are_learned(tmp_path: Path) -> None:
    """Both ends find the same difference, with other signs, and the truth is within the bound."""
    need_time_namespaces()
    key = tmp_path / "mesh.key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    port = closed_port(HERE)
    pair = [start("n1", key, port), start("n2", key, port, *_ELSEWHEN)]
    try:
        found = [said(one) for one in pair]
    finally:
        for one in pair:
            one.kill()
            one.communicate()
    ours, theirs = found
    assert (ours["member"], theirs["member"]) == ("n2", "n1")
    # A namespace's clock is the kernel's and a constant: the truth is known to the nanosecond.
    assert abs(ours["offset"] - AHEAD * 1000) <= ours["uncertainty"]
    assert abs(theirs["offset"] + AHEAD * 1000) <= theirs["uncertainty"]
    assert max(ours["uncertainty"], theirs["uncertainty"]) < 1000
