"""What the evidence about one member says, line by line."""

import math

import pytest

from bgpd.mesh.liveness import GRACE_LIMIT, NEXT_STATE, Sign, read_sign
from bgpd.mesh.track import Track
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState

NOW = 1000.0
INTERVAL = 0.04
LONG = GRACE_LIMIT + 1


def track(
    *,
    heard: float,
    refused: float = math.inf,
    ponged: float = math.inf,
    away: float = -math.inf,
    goodbye: float | None = None,
    listed: bool = True,
    hears: bool = True,
) -> Track:
    """Return a member that was last *heard*, *refused* and so on that many seconds ago."""
    one = Track(
        Member(name=NodeName("n"), address=Address("192.0.2.1")), now=0.0, mark=0, multiplier=3
    )
    one.incarnation = 7
    one.heard_at = NOW - heard
    one.refused_at = NOW - refused
    one.ponged_at = NOW - ponged
    one.left_since = NOW - away
    one.goodbye_until = -math.inf if goodbye is None else NOW + goodbye
    one.listed = listed
    one.hears_us = hears
    return one


@pytest.mark.parametrize(
    ("evidence", "sign"),
    [
        pytest.param({"heard": 0.01}, Sign.BEATING, id="heard a moment ago"),
        pytest.param({"heard": 0.01, "hears": False}, Sign.DEAF, id="heard, but it hears nobody"),
        pytest.param({"heard": 1.0}, Sign.SILENT, id="silent"),
        pytest.param({"heard": 1.0, "ponged": 0.01}, Sign.SILENT, id="silent, its kernel is not"),
        pytest.param({"heard": 1.0, "refused": 0.5}, Sign.LEAVING, id="its port refuses"),
        pytest.param(
            {"heard": 1.0, "refused": 0.5, "ponged": 1.0},
            Sign.SILENT,
            id="its port refused, but a kernel that answered pings does not any longer",
        ),
        pytest.param({"heard": 0.01, "goodbye": 9.0}, Sign.LEAVING, id="it says goodbye"),
        pytest.param(
            {"heard": LONG, "refused": 0.5, "ponged": 0.01, "away": LONG},
            Sign.LEAVING,
            id="killed long ago, its kernel answers: watched",
        ),
        pytest.param(
            {"heard": LONG, "refused": 0.5, "ponged": 1.0, "away": LONG},
            Sign.SILENT,
            id="killed long ago, its kernel falls silent: dead",
        ),
        pytest.param(
            {"heard": LONG, "refused": 0.5, "ponged": 0.01, "away": LONG, "goodbye": -9.0},
            Sign.LEFT,
            id="said goodbye long ago: left",
        ),
        pytest.param(
            {"heard": LONG, "refused": 0.5, "ponged": 0.01, "away": LONG, "listed": False},
            Sign.LEFT,
            id="killed long ago, and unlisted: left",
        ),
        pytest.param(
            {"heard": 9.0, "refused": 0.5, "ponged": 0.01, "away": 8.0, "goodbye": 9.0},
            Sign.LEAVING,
            id="said goodbye a moment ago",
        ),
    ],
)
def test_what_the_evidence_says(evidence: dict[str, float], sign: Sign) -> None:
    """One sign for each kind of evidence, and the worse one where two speak."""
    one = track(**evidence)  # type: ignore[arg-type]
    assert read_sign(one, NOW, INTERVAL, covered=False, flapping=False) is sign


def test_a_raise_covers_silence_and_deafness_alone() -> None:
    """Whoever beats, or is away with a live kernel, is not dead because a raise says so."""
    signs = [
        read_sign(one, NOW, INTERVAL, covered=True, flapping=False)
        for one in (
            track(heard=1.0),
            track(heard=0.01, hears=False),
            track(heard=0.01),
            track(heard=1.0, refused=0.5),
        )
    ]
    assert signs == [Sign.RAISED, Sign.RAISED, Sign.BEATING, Sign.LEAVING]


def test_the_table_is_total() -> None:
    """Every state has an answer to every sign, and only evidence of life leads back to life."""
    assert set(NEXT_STATE) == set(MemberState)
    for state, row in NEXT_STATE.items():
        assert set(row) == set(Sign)
        if state not in {MemberState.ALIVE, MemberState.SUSPECT}:
            back = {sign for sign, after in row.items() if after is MemberState.ALIVE}
            assert back == {Sign.BEATING}
