"""Facts about programs that undo each other's work."""

from bgpd.host.quarrel import FEW, MOST, PAUSE_SECONDS, SECONDS, Quarrel


def quarreling() -> tuple[Quarrel, float]:
    """Return a quarrel that has just begun, and when that was."""
    quarrel, now = Quarrel(), 100.0
    for _ in range(MOST + 1):
        now += 0.01
        quarrel.corrected(now)
    return quarrel, now


def test_ten_corrections_in_ten_seconds_are_no_quarrel() -> None:
    """So much is put back at once."""
    quarrel = Quarrel()
    for number in range(MOST):
        quarrel.corrected(number * 0.1)
        assert quarrel.wait(number * 0.1) == 0.0
    assert not quarrel.on


def test_more_are_put_back_once_a_second() -> None:
    """The eleventh waits, and a person is told."""
    quarrel, now = quarreling()
    assert quarrel.on
    assert quarrel.wait(now) == PAUSE_SECONDS
    assert quarrel.wait(now + PAUSE_SECONDS) == 0.0


def test_corrections_once_a_second_keep_it_going() -> None:
    """It does not come and go while the other program goes on."""
    quarrel, now = quarreling()
    for _ in range(60):
        now += PAUSE_SECONDS
        quarrel.corrected(now)
        assert quarrel.look(now)


def test_it_is_over_when_the_other_gives_up() -> None:
    """Ten quiet seconds are enough, and it is known when to look."""
    quarrel, now = quarreling()
    due = quarrel.deadline()
    assert due is not None
    assert now < due <= now + SECONDS
    assert not quarrel.look(now + SECONDS)
    assert quarrel.deadline() is None
    assert quarrel.wait(now + SECONDS) == 0.0


def test_spread_out_corrections_never_are_one() -> None:
    """One every two seconds, for an hour."""
    quarrel = Quarrel()
    for number in range(1800):
        quarrel.corrected(number * SECONDS / FEW)
        assert not quarrel.on
