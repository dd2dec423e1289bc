"""A peer that says anything at all, at any time: nothing is raised, and the rules hold."""

from typing import Any

from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from bgpd.bfd.packet import ControlPacket, State, decode, encode
from bgpd.bfd.session import Session
from tests.bfd.pair import settings

_INTERVALS = st.sampled_from([0, 1, 10_000, 50_000, 1_000_000, 2**32 - 1])
_PACKETS = st.builds(
    ControlPacket,
    state=st.sampled_from(list(State)),
    detect_mult=st.sampled_from([1, 3, 255]),
    my_discr=st.sampled_from([1, 9, 2**32 - 1]),
    your_discr=st.sampled_from([0, 5]),
    desired_min_tx=_INTERVALS,
    required_min_rx=_INTERVALS,
    diag=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    demand=st.booleans(),
)
_STEPS = st.one_of(
    st.tuples(st.just("hear"), _PACKETS),
    st.tuples(st.just("wait"), st.floats(0.0, 5.0)),
    st.tuples(
        st.just("configure"),
        st.builds(settings, tx=st.integers(10, 2000), rx=st.integers(10, 2000)),
    ),
    st.tuples(st.just("sleep"), st.none()),
    st.tuples(st.just("disable"), st.none()),
)


def _step(session: Session, what: str, value: Any, now: float) -> float:
    match what:
        case "hear":
            data = encode(value)
            if not session.repeats(data, now):
                session.receive(value, data, now)
        case "wait":
            due = session.deadline()
            now = now + value if due is None else min(now + value, max(now, due))
            session.handle_timer(now)
        case "configure":
            session.configure(value, now)
        case "sleep":
            session.slept(now)
        case _:
            session.disable(now)
    return now


@given(st.lists(_STEPS, max_size=60), st.booleans())
@how(deadline=None, max_examples=300)
def test_whatever_a_peer_says(steps: list[tuple[str, Any]], passive: bool) -> None:
    """Every packet of ours can be read, says who we are, and is slow unless we are up."""
    session = Session(settings(passive=passive), my_discr=5, random=lambda: 0.5, now=0.0)
    now, state = 0.0, session.state
    for what, value in steps:
        now = _step(session, what, value, now)
        for data in session.packets():
            packet = decode(data)
            assert isinstance(packet, ControlPacket)
            assert packet.my_discr == 5
            assert not (packet.poll and packet.final)
            assert packet.state is State.UP or packet.desired_min_tx >= 1_000_000
            assert not passive or packet.your_discr
        for event in session.events():
            # Events tell a connected story: none is left out.
            assert event.old is state
            state = event.new
        assert session.state is state
        assert session.state is not State.UP or session.remote_discr
        interval = session.transmit_interval
        assert interval is None or session.state is State.UP or interval >= 1.0
