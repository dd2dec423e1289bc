"""`scripts/e2e install`: the whole story, with both helms, one after the other."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.helm import ROOT
from tests.lacking import lacking

_PATIENCE = 5
"""A figure in time may be so many times what is promised, on a machine that others use."""
_LATE = "  the client itself was late by"
"""In milliseconds, while a node was lost."""


@pytest.mark.integration
@pytest.mark.timeout(2400)
def test_what_a_user_does_with_helm_works_on_a_real_cluster(
    node_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """Install, lose a node, upgrade, change keys, uninstall: nothing is lost, nothing is left."""
    if shutil.which("mmdebstrap") is None:
        lacking("mmdebstrap is not installed", unproven="that bgpd installs with helm")
    figures = tmp_path / "figures.json"
    line = [sys.executable, "-m", "tests.e2e", "install", "--helm=both", f"--json={figures}"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert figures.exists(), done.stderr
    findings = json.loads(figures.read_text())
    limited = [one for one in findings if one["limit"] is not None]
    assert len(limited) == 2 * 6 + 11, done.stdout
    late = {one["story"]: one["value"] for one in findings if one["what"] == _LATE}
    assert len(late) == 2, done.stdout
    for one in limited:
        patience = _PATIENCE if one["unit"] else 1
        # While the machine stood still nobody was answered, whatever bgpd did.
        stood = late[one["story"]] if one["unit"] == "ms" else 0.0
        assert one["value"] <= patience * one["limit"] + stood, done.stderr + done.stdout
    assert not (ROOT / "build" / "e2e" / "cluster").exists()
