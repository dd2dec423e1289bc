"""Under CI=true eight BFD sessions live for ten minutes while all the other tests run.

Whatever those do keeps the machine busy, which is what the sessions have to bear; so the minutes
cost no time. The test that asks how it went is put last.
"""

import os
import subprocess
import sys
import tempfile

import pytest

from tests.conftest import LAB, group
from tests.lab.nodes import ROOT
from tests.lacking import lacking

TEST = "test_eight_sessions_stay_up_while_all_other_tests_run"
LONG: pytest.StashKey[subprocess.Popen[str]] = pytest.StashKey()
FILES: pytest.StashKey[tempfile.TemporaryDirectory[str]] = pytest.StashKey()
_WORLD = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount-proc", "--net", "--pid", "--fork", "--kill-child", "--"),
)
"""All that it starts ends with it, and it ends with us."""
_SECONDS = 600
_ENOUGH = 100
"""Other tests, from which on there is something that keeps the machine busy."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the test that waits last, whatever the order of the others."""
    items.sort(key=lambda item: item.name == TEST)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Be ready to begin, where the whole is run and nothing but it decides."""
    asked = any(item.name == TEST for item in session.items)
    if os.environ.get("CI") == "true" and asked and len(session.items) >= _ENOUGH:
        session.config.pluginmanager.register(_Beside(), "bfd-beside-all-tests")


class _Beside:
    """Begins before the first test, of several processes in the one that will ask how it went."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin, unless that was done, or another process will."""
        stash = item.config.stash
        if LONG in stash:
            return
        if hasattr(item.config, "workerinput") and group(item.nodeid) != LAB:
            return
        files = stash[FILES] = tempfile.TemporaryDirectory()
        words = ["--seconds", str(_SECONDS), "--busy", "0"]
        stash[LONG] = subprocess.Popen(
            [*_WORLD, sys.executable, "-m", "tests.bfd.steady", *words],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": files.name},
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave nothing behind where the test was not reached."""
    process = session.config.stash.get(LONG, None)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    files = session.config.stash.get(FILES, None)
    if files is not None:
        files.cleanup()


@pytest.fixture
def long_run(request: pytest.FixtureRequest) -> subprocess.Popen[str]:
    """Return the process that has kept the sessions all the while."""
    process = request.config.stash.get(LONG, None)
    if process is None:
        lacking(
            "not all tests run here, or not with CI=true",
            unproven="eight BFD sessions for ten minutes beside all other tests",
            in_ci=True,
        )
    return process
