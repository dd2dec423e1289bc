"""What a machine that can neither build nor find an API server is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.background import ROOT
from tests.cluster.binaries import ASSETS

_NEEDS_IT = "tests/cluster/test_cluster.py::test_an_expired_token_is_refused"
_DOES_NOT = "tests/cluster/test_binaries.py::test_the_cache_is_kept_by_version"
_LOUD = "SKIPPED, ALL OF IT: no API server to test with"


def _run(test: str, machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *test* where no Go is on the path and nothing is in the cache."""
    kept = {k: v for k, v in os.environ.items() if k not in {ASSETS, "CI"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        env={**kept, "PATH": str(machine), "XDG_CACHE_HOME": str(machine), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_are_skipped_with_one_loud_line(tmp_path: Path) -> None:
    """Whoever runs the tests sees that the API server's were left out, and what to do."""
    done = _run(_NEEDS_IT, tmp_path)
    assert done.returncode == 0
    assert done.stderr.count(_LOUD) == 1
    assert "1 skipped" in done.stdout


def test_under_ci_it_is_an_error(tmp_path: Path) -> None:
    """A green run in CI means that the API server's tests ran."""
    done = _run(_NEEDS_IT, tmp_path, CI="true")
    assert done.returncode == 1
    assert "1 error" in done.stdout


def test_who_needs_no_server_hears_nothing(tmp_path: Path) -> None:
    """The build and its message are for runs that hold a test of the server."""
    done = _run(_DOES_NOT, tmp_path)
    assert done.returncode == 0
    assert _LOUD not in done.stderr


def test_listing_tests_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--collect-only` is quick on every machine."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    done = _run(_NEEDS_IT, tmp_path)
    assert done.returncode == 0
    assert _LOUD not in done.stderr
