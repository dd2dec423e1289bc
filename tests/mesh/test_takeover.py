"""The small parts of the takeover, each by itself: loss, register, docket, quarantine."""

import pytest

from bgpd.mesh.loss import LossWindow, misses_allowed
from bgpd.mesh.packet import DeathRecord
from bgpd.mesh.takeover import Docket, Hearing, Quarantine, Register
from bgpd.mesh.track import Track
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address


@pytest.mark.parametrize(
    ("members", "lost", "expected"),
    [
        pytest.param(2, 0, 3, id="a clean pair has the policy's multiplier"),
        pytest.param(16, 1, 3, id="one loss in 256 is chance"),
        pytest.param(2, 3, 4, id="1 % needs four where nobody else is asked"),
        pytest.param(3, 3, 3, id="and three where a second member must agree"),
        pytest.param(2, 25, 6, id="5 % on each of two links, alone"),
        pytest.param(3, 25, 5, id="5 % on each of two links, with a witness"),
        pytest.param(16, 25, 7, id="5 % on each of two links, with fifteen to accuse"),
        pytest.param(3, 64, 7, id="never more: detection stays below 400 ms"),
        pytest.param(3, 256, 7, id="everything lost"),
    ],
)
def test_misses_follow_the_loss(members: int, lost: int, expected: int) -> None:
    """The lossier the pair, the more patience, up to a limit."""
    assert misses_allowed(multiplier=3, lost=lost, of=256, members=members) == expected


def test_loss_is_measured_over_the_last_256() -> None:
    """Gaps are losses, an outage is not, late arrivals are no losses, and all is forgotten."""
    window = LossWindow()
    for beat in range(100, 110):
        window.arrived(beat, whole=True)
    window.arrived(113, whole=True)
    assert (window.size, window.lost) == (14, 3)
    window.arrived(112, whole=True)
    assert window.lost == 2
    window.arrived(500, whole=True)
    assert window.lost == 2, "an outage"
    window.arrived(505, whole=False)
    assert window.lost == 2, "we were not meant to hear those"
    for beat in range(506, 800):
        window.arrived(beat, whole=True)
    assert (window.size, window.lost) == (256, 0)


def test_the_beat_may_wrap() -> None:
    """After 2^32 heartbeats, seven years, the count begins again at 0."""
    window = LossWindow()
    for beat in (2**32 - 2, 2**32 - 1, 0, 2):
        window.arrived(beat, whole=True)
    assert (window.size, window.lost) == (5, 1)


@pytest.mark.parametrize(
    ("resets", "generation", "hears_us", "expected", "then"),
    [
        pytest.param(0, 10, True, Hearing.OLD, (0, 10), id="the same"),
        pytest.param(0, 9, True, Hearing.OLD, (0, 10), id="nothing is lowered"),
        pytest.param(0, 11, True, Hearing.ADOPTED, (0, 11), id="one more"),
        pytest.param(0, 1010, True, Hearing.ADOPTED, (0, 1010), id="the largest step"),
        pytest.param(0, 1011, True, Hearing.JUMP, (0, 10), id="a jump"),
        pytest.param(0, 11, False, Hearing.WITHHELD, (0, 10), id="who tells does not hear us"),
        pytest.param(1, 2, True, Hearing.ADOPTED, (1, 2), id="a person's reset"),
        pytest.param(17, 2, True, Hearing.JUMP, (0, 10), id="too many resets"),
    ],
)
def test_the_register(
    *, resets: int, generation: int, hears_us: bool, expected: Hearing, then: tuple[int, int]
) -> None:
    """The generation grows by what is believable, from members that hear us."""
    register = Register(generation=10, resets=0)
    register.learned = True
    assert register.hear(resets, generation, hears_us=hears_us) is expected
    assert (register.resets, register.generation) == then


def test_a_raise_goes_beyond_everything_known() -> None:
    """What was told but not adopted counts, too: two numbers for one raise would not meet."""
    register = Register(generation=10, resets=0)
    register.learned = True
    register.hear(0, 15, hears_us=False)
    assert register.raise_once(1.0) == 16


def test_who_knows_nothing_yet_believes_any_generation() -> None:
    """A node whose disk was wiped joins a cluster at generation 5000."""
    register = Register(generation=1, resets=0)
    assert register.hear(0, 5000, hears_us=True) is Hearing.ADOPTED


def test_a_record_covers_until_the_member_is_heard_at_it() -> None:
    """And whoever still carries it then is not believed."""
    track = Track(
        Member(name=NodeName("x"), address=Address("192.0.2.1")), now=0.0, mark=0, multiplier=3
    )
    track.welcome(77)
    docket = Docket()
    record = DeathRecord(track.id, 77, 5)
    assert docket.add(record, track)
    assert docket.covers(track)
    docket.survived(track.id, 4)
    assert docket.covers(track)
    docket.survived(track.id, 5)
    track.generation = 5
    assert not docket.covers(track)
    assert not docket.add(record, track)
    assert docket.add(record._replace(generation=6), track)
    track.welcome(78)
    assert not docket.covers(track), "another incarnation dies its own death"


def test_quarantine_begins_with_the_third_death_and_ends_when_steady() -> None:
    """Two numbers for one death are one accusation; ten quiet minutes end it."""
    quarantine = Quarantine(started=0.0)
    assert not quarantine.accuse(1, 2, 100.0)
    assert not quarantine.accuse(1, 3, 100.2)
    assert not quarantine.accuse(1, 4, 200.0)
    assert quarantine.accuse(1, 5, 300.0)
    assert 1 in quarantine
    quarantine.changed(1, 400.0)
    assert quarantine.ended(999.0) == []
    assert quarantine.ended(1000.0) == [1]
    assert 1 not in quarantine
    assert not quarantine.hearsay(1, 1001.0), "we know better than whoever still says so"


def test_accusations_grow_old() -> None:
    """Three deaths in an hour are bad luck, not a flapping node."""
    quarantine = Quarantine(started=0.0)
    assert not any(quarantine.accuse(1, n, n * 400.0) for n in range(1, 9))
