"""Every cell of docs/interop.md, with the shipped speaker and the real router."""

import functools
import tempfile
from pathlib import Path

import pytest

from tests.exabgp.space import need
from tests.interop.bench import Result, run
from tests.interop.cases import CASES, UNABLE, Case, Make
from tests.interop.page import PAGE, page, sentences, table
from tests.interop.routers import ROUTERS, missing
from tests.lacking import lacking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

every_router = pytest.mark.parametrize("make", list(Make), ids=str)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)


@functools.cache
def result(make: Make) -> Result:
    """Let *make* go through all cases once, whatever is asked of the outcome."""
    unproven = f"sessions of the shipped speaker with {make}"
    if missing(make):
        lacking(missing(make), unproven=unproven)
    need("ip", "unshare", "nsenter", *ROUTERS[make].programs, unproven=unproven)
    with tempfile.TemporaryDirectory() as directory:
        return run(make, Path(directory))


@every_router
@every_case
def test_a_cell_is_what_happens(make: Make, case: Case) -> None:
    """`yes` where the router can, and `n/a` only where it really cannot."""
    seen = result(make).cases[case.number]
    if (make, case.number) not in UNABLE:
        assert seen.holds(case), seen
    elif not case.refused:
        assert not seen.holds(case), "it can: the page is to say so"
    else:
        assert seen.established or seen.error, seen


def test_the_page_says_what_was_measured() -> None:
    """Rows, columns, cells and sentences are those of the page; versions may have moved on."""
    results = {make: result(make) for make in Make}
    written = PAGE.read_text()
    if all(f"{make} {results[make].version} " in written for make in Make):
        assert table(results) in written, "run `python -m tests.interop.page`"
        assert sentences(results) in written, "run `python -m tests.interop.page`"
    assert [line for line in written.splitlines() if not line.startswith("|")] == [
        line for line in page(results).splitlines() if not line.startswith("|")
    ], "run `python -m tests.interop.page`"
