"""The fates of prefixes while a node is drained: a table, and two nodes that drain at once."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.liveness import GRACE_LIMIT
from bgpd.model.member import DrainTrigger, MeshPolicy, SpeakerPolicy
from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase
from bgpd.speaker.drain import MOVE_SECONDS, Drain, Fate, Kept, Terms, least_wait, next_fate, waits

ONE, TWO = Prefix("203.0.113.1/32"), Prefix("203.0.113.2/32")
NOW = 100.0


def busy(*prefixes: Prefix, until: float = NOW + 1) -> Terms:
    """Return terms under which *prefixes* have open connections."""
    return Terms(busy=frozenset(prefixes), busy_until=until, wait=1.0)


PLAIN = Terms(wait=1.0)
FORCED = Terms(wait=1.0, forced=True)


@pytest.mark.parametrize(
    ("before", "carried", "on_wire", "terms", "expected"),
    [
        pytest.param(None, True, True, PLAIN, Fate.DEMOTED, id="carried elsewhere: led away"),
        pytest.param(None, False, True, PLAIN, Fate.ALONE, id="nobody else: it stays"),
        pytest.param(None, True, False, PLAIN, Fate.WITHDRAWN, id="never there: no farewell"),
        pytest.param(None, False, False, PLAIN, Fate.ALONE, id="new, and nobody else: it comes"),
        pytest.param(Kept(Fate.DEMOTED, NOW - 0.9), True, True, PLAIN, Fate.DEMOTED,
                     id="routers have their time"),
        pytest.param(Kept(Fate.DEMOTED, NOW - 1), True, True, PLAIN, Fate.WITHDRAWN,
                     id="which is over"),
        pytest.param(Kept(Fate.DEMOTED, NOW - 9), False, True, PLAIN, Fate.ALONE,
                     id="the other died before we went"),
        pytest.param(Kept(Fate.WITHDRAWN, NOW - 9), False, False, PLAIN, Fate.ALONE,
                     id="the other died when we had gone: it returns"),
        pytest.param(Kept(Fate.WITHDRAWN, NOW - 9), True, False, PLAIN, Fate.WITHDRAWN,
                     id="gone, and well looked after"),
        pytest.param(Kept(Fate.ALONE, NOW - 9), True, True, PLAIN, Fate.DEMOTED,
                     id="somebody came: led away from now on"),
        pytest.param(None, False, True, FORCED, Fate.DEMOTED, id="forced, though nobody else"),
        pytest.param(Kept(Fate.ALONE, NOW - 9), False, True, FORCED, Fate.DEMOTED,
                     id="forced in the end"),
        pytest.param(Kept(Fate.WITHDRAWN, NOW - 9), False, False, FORCED, Fate.WITHDRAWN,
                     id="forced stays gone"),
        pytest.param(None, True, True, busy(ONE), Fate.AS_IS, id="connections are open"),
        pytest.param(None, False, True, busy(ONE), Fate.AS_IS, id="also where we are alone"),
        pytest.param(Kept(Fate.AS_IS, NOW - 1), True, True, busy(TWO), Fate.DEMOTED,
                     id="the last connection ended"),
        pytest.param(Kept(Fate.AS_IS, NOW - 1), True, True, busy(ONE, until=NOW), Fate.DEMOTED,
                     id="they took too long"),
        pytest.param(Kept(Fate.DEMOTED, NOW), True, True, busy(ONE), Fate.DEMOTED,
                     id="a connection that comes later is on its way elsewhere"),
        pytest.param(None, True, True, Terms(busy=None, busy_until=NOW + 1), Fate.AS_IS,
                     id="nobody has counted yet"),
    ],
)  # fmt: skip
def test_the_next_fate(
    before: Kept | None, carried: bool, on_wire: bool, terms: Terms, expected: Fate
) -> None:
    """One prefix, one step."""
    after = next_fate(before, prefix=ONE, carried=carried, on_wire=on_wire, terms=terms, now=NOW)
    assert after.fate is expected
    again = next_fate(after, prefix=ONE, carried=carried, on_wire=on_wire, terms=terms, now=NOW)
    assert again == after, "the same facts change nothing twice"


def test_a_drain_names_when_time_changes_something() -> None:
    """The deadline moves on with the fates, and ends with them."""
    drain = Drain()
    drain.begin(NOW)
    carried = {ONE: True, TWO: False}
    drain.review(carried, on_wire={ONE, TWO}, terms=PLAIN, now=NOW)
    assert (drain.deadline, drain.phase) == (NOW + 1, DrainPhase.WAITING)
    assert drain.due(NOW + 1)
    drain.review({ONE: True}, on_wire={ONE}, terms=PLAIN, now=NOW + 1)
    assert (drain.deadline, drain.phase) == (None, DrainPhase.DRAINED)
    drain.end()
    assert (drain.phase, drain.of(Fate.WITHDRAWN)) == (DrainPhase.NOT_DRAINING, frozenset())


def test_how_long_a_drain_waits() -> None:
    """Whoever stays makes sure that others know; whoever waits for connections moves quickly."""
    quick = SpeakerPolicy(drain_milliseconds=0)
    assert waits(quick, ends=True) == (0.0, 0.0)
    assert waits(quick, ends=False) == (0.0, least_wait(quick.mesh))
    patient = SpeakerPolicy(drain=DrainTrigger.WAIT_FOR_CONNECTIONS, drain_milliseconds=600_000)
    assert waits(patient, ends=False) == (600.0, MOVE_SECONDS)
    assert waits(SpeakerPolicy(drain_milliseconds=5000), ends=False) == (5.0, 5.0)


@pytest.mark.parametrize("mesh", [MeshPolicy(), MeshPolicy(interval_milliseconds=1000)])
def test_the_least_wait_is_longer_than_a_silence_that_passes(mesh: MeshPolicy) -> None:
    """Who has not heard of our drain by then has not heard of us, and calls us suspect."""
    most_misses = 2 * mesh.multiplier + 1
    assert least_wait(mesh) > most_misses * mesh.interval_milliseconds / 1000


# Several nodes that drain, return and die, with news that travel for a while.

LEAST = least_wait(MeshPolicy())
NEWS = 0.29
"""The longest silence that is not yet a suspicion."""
STEP = 0.01


@dataclass
class Carrier:
    """A node that carries the prefix, as long as it lives."""

    drain: Drain = field(default_factory=Drain)
    died: float = math.inf
    said: list[tuple[float, bool]] = field(default_factory=lambda: [(-math.inf, False)])
    """When it began to say that it is drained, or that it is not."""
    on_wire: bool = True

    def stays(self, at: float) -> bool:
        """Return whether it lived and was not drained at *at*, by its own word."""
        return at < self.died and not next(d for since, d in reversed(self.said) if since <= at)

    def flip(self, now: float) -> None:
        """Drain it, or take that back."""
        self.said.append((now, not self.drain.active))
        (self.drain.end if self.drain.active else lambda: self.drain.begin(now))()

    def turn(self, others: list["Carrier"], now: float, delay: float) -> None:
        """Decide by what was heard of *others*."""
        if now >= self.died:
            self.on_wire = False
            return
        if self.drain.active:
            carried = any(other.stays(now - delay) for other in others)
            there = {ONE} if self.on_wire else set()
            self.drain.review({ONE: carried}, on_wire=there, terms=Terms(wait=LEAST), now=now)
        self.on_wire = ONE not in self.drain.of(Fate.WITHDRAWN)


acts = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.35, 1.0]),
        st.integers(0, 2),
        st.sampled_from(["flip", "flip", "flip", "die"]),
    ),
    min_size=3,
    max_size=12,
)


@given(acts=acts, delay=st.sampled_from([0.001, 0.04, 0.15, NEWS]))
def test_what_somebody_can_carry_is_not_taken_back_by_everybody(
    acts: list[tuple[float, int, str]], delay: float
) -> None:
    """Three nodes carry a prefix; drains, their ends and deaths come in any order, at any pace.

    The prefix is missing only after a death, and only for as long as that is news.
    """
    nodes = [Carrier() for _ in range(3)]
    now, last_death = 0.0, -math.inf
    for pause, who, what in [*acts, (3.0, 0, "end")]:
        until = now + pause
        while now < until:
            now += STEP
            for one in nodes:
                one.turn([other for other in nodes if other is not one], now, delay)
            recent = now - last_death <= delay + 2 * STEP
            assert recent or any(one.on_wire for one in nodes)
        alive = sum(now < one.died for one in nodes)
        if what == "flip" and now < nodes[who].died:
            nodes[who].flip(now)
        elif what == "die" and now < nodes[who].died and alive > 1:
            nodes[who].died = last_death = now
            nodes[who].on_wire = False


PAGE = Path(__file__).parents[2] / "docs" / "drain.md"


def test_the_page_says_what_the_code_does() -> None:
    """Fates and figures that are written down are those of the code."""
    page = PAGE.read_text()
    for fate in Fate:
        assert f"| {'as it is' if fate is Fate.AS_IS else fate.value} |" in page
    assert f"{least_wait(MeshPolicy()):.2f} s at the default pace" in page
    assert f"({SpeakerPolicy().drain_milliseconds / 1000:.0f} s by default)" in " ".join(
        page.replace("`drainMilliseconds`; ", "").split()
    )
    assert f"{GRACE_LIMIT:.0f} s at most" in page
