"""One of two routers loses power: its session is back soon, the other one's notices nothing."""

from pathlib import Path

import pytest

from tests.exabgp.space import need
from tests.interop.cases import Make
from tests.interop.routers import ROUTERS, missing
from tests.interop.silence import run, soon
from tests.lacking import lacking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


_STILL_THERE = "before the hold time is over: we believe that it is there"
_GONE = "after the hold time: nobody answers our attempts for a while"


@pytest.mark.parametrize(
    ("make", "seconds", "hold_time"),
    [
        pytest.param(Make.BIRD, 3.0, 90, id=f"BIRD, {_STILL_THERE}"),
        pytest.param(Make.BIRD, 14.0, 9, id=f"BIRD, {_GONE}"),
        pytest.param(Make.FRR, 14.0, 9, id=f"FRR, {_GONE}"),
    ],
)
def test_a_session_is_back_within_five_seconds_of_the_routers_return(
    make: Make, seconds: float, hold_time: int, tmp_path: Path
) -> None:
    """A command shows the same after ten minutes of silence: `python -m tests.interop.silence`."""
    unproven = f"the return of a session with {make}"
    if missing(make):
        lacking(missing(make), unproven=unproven)
    programs = ("ip", "nft", "ss", "unshare", "nsenter", *ROUTERS[make].programs)
    need(*programs, unproven=unproven)
    found = run(make, tmp_path, seconds=seconds, hold_time=hold_time)
    assert soon(found), found
    assert found.other_stayed, found
    assert found.routes_back, found
