"""The example sets hold, each by itself, and each says what it is for."""

import json
import re
import subprocess
import sys

import pytest

from tests.examples.sets import EXAMPLES, ROOT, SETS, Set, documents


def test_every_set_is_known_here() -> None:
    """A new directory cannot stay unproven."""
    assert {path.name for path in EXAMPLES.iterdir()} == {one.name for one in SETS}


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_bgpctl_finds_nothing_wrong_in_it(one: Set) -> None:
    """Neither an error, nor a field without effect, nor a document of a kind that nobody reads."""
    done = subprocess.run(
        [sys.executable, "-m", "bgpd.ctl", "validate", EXAMPLES / one.name, "-o", "json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (found["errors"], found["warnings"], found["skipped"]) == ([], [], [])
    assert len(found["valid"]) == len(documents(one))


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_it_says_what_it_is_for_and_what_to_change(one: Set) -> None:
    """A short page: what it does, what to put in, what to look at."""
    page = (EXAMPLES / one.name / "README.md").read_text()
    assert page.startswith("# ")
    assert "\nPut in: " in page
    assert re.search(r"^See: `bgpctl ", page, re.MULTILINE)
    assert len(page.splitlines()) < 20
