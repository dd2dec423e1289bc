"""One session: the state machine, the intervals, and the Poll Sequences between them."""

import itertools
from dataclasses import replace

import pytest

from bgpd.bfd.packet import ControlPacket, Diag, Refusal, State, decode, encode
from bgpd.bfd.seal import Key
from bgpd.bfd.session import NEXT_STATE, Session
from tests.bfd.pair import Pair, settings

A, D, I, U = State  # noqa: E741 - the letters of the RFC's own figure


def _session(**wanted: int | bool) -> Session:
    return Session(settings(**wanted), my_discr=5, random=lambda: 0.5, now=0.0)  # type: ignore[arg-type]


def _hear(session: Session, at: float, **what: object) -> Refusal | None:
    fields: dict[str, object] = {
        "state": D,
        "detect_mult": 3,
        "my_discr": 9,
        "your_discr": 5,
        "desired_min_tx": 50_000,
        "required_min_rx": 50_000,
        **what,
    }
    packet = ControlPacket(**fields)  # type: ignore[arg-type]
    return session.receive(packet, encode(packet), at)


def _said(session: Session) -> list[ControlPacket]:
    found = [decode(data) for data in session.packets()]
    assert all(isinstance(one, ControlPacket) for one in found)
    return [one for one in found if isinstance(one, ControlPacket)]


def _up(**wanted: int | bool) -> Session:
    session = _session(**wanted)
    _hear(session, 0.0, your_discr=0)
    _hear(session, 0.1, state=I)
    assert session.state is U
    _said(session)
    session.events()
    return session


def test_the_table_of_states_is_the_figure_of_the_rfc() -> None:
    """Section 6.2: every pair, restated from the figure's arrows."""
    for local, heard in itertools.product((D, I, U), (A, D, I, U)):
        match local, heard:
            case (State.DOWN, State.DOWN):
                expected = I
            case (State.DOWN, State.INIT):
                expected = U
            case (State.INIT, State.INIT | State.UP):
                expected = U
            case (State.INIT, State.DOWN):
                expected = I
            case (State.UP, State.INIT | State.UP):
                expected = U
            case _:
                expected = D
        assert NEXT_STATE[local][heard] is expected, (local, heard)


@pytest.mark.parametrize("heard", [A, D], ids=["AdminDown", "Down"])
def test_an_up_session_believes_the_peer_that_says_down(heard: State) -> None:
    """Diagnostic 3, at once, and the peer hears of it at once."""
    session = _up()
    _hear(session, 1.0, state=heard, diag=1)
    (event,) = session.events()
    assert (event.old, event.new, event.diag) == (U, D, Diag.NEIGHBOR_SIGNALED_DOWN)
    assert (event.remote_state, event.remote_diag, event.at) == (heard, 1, 1.0)
    assert [one.state for one in _said(session)] == [D]


def test_until_it_is_up_a_session_speaks_once_a_second() -> None:
    """Section 6.8.3: never faster, whatever is configured; a quarter less for jitter."""
    session = _session(tx=10)
    times = []
    for _ in range(5):
        due = session.deadline()
        assert due is not None
        session.handle_timer(due)
        times.append(due)
        assert [one.desired_min_tx for one in _said(session)] == [1_000_000]
    assert all(0.75 <= later - sooner <= 1.0 for sooner, later in itertools.pairwise(times))


def _with(number: float, mult: int) -> Session:
    return Session(settings(tx=100, mult=mult), my_discr=5, random=lambda: number, now=0.0)


@pytest.mark.parametrize(
    ("mult", "most"),
    [
        pytest.param(3, 1.0, id="a quarter of jitter"),
        pytest.param(1, 0.9, id="with Detect Mult 1 at least a tenth"),
    ],
)
def test_the_jitter_of_section_6_8_7(mult: int, most: float) -> None:
    """Between the two extremes of the random number."""
    for number, share in ((0.0, 0.75), (1.0, most)):
        session = _with(number, mult)
        _hear(session, 0.0, your_discr=0)
        _hear(session, 0.0, state=I, desired_min_tx=2_000_000)
        session.handle_timer(0.2)
        due = session.deadline()
        assert due == pytest.approx(0.2 + 0.1 * share)


def test_the_slower_of_the_two_decides() -> None:
    """What we send is as slow as the peer must have it; what we expect likewise."""
    session = _session(tx=50, rx=100, mult=4)
    _hear(session, 0.0, your_discr=0, required_min_rx=200_000, desired_min_tx=300_000)
    _hear(session, 0.1, state=I, required_min_rx=200_000, desired_min_tx=300_000, detect_mult=5)
    assert session.transmit_interval == pytest.approx(0.2)
    assert session.detection_time == pytest.approx(5 * 0.3)
    assert session.remote_detection_time == pytest.approx(4 * 0.2)


def test_a_session_that_comes_up_polls_until_the_peer_answers() -> None:
    """From one second to the configured interval: the peer must know, and does by the Final."""
    session = _session()
    _hear(session, 0.0, your_discr=0)
    _hear(session, 0.1, state=I)
    packet = _said(session)[-1]
    assert (packet.state, packet.poll, packet.desired_min_tx) == (U, True, 50_000)
    session.handle_timer(0.2)
    assert _said(session)[-1].poll
    _hear(session, 0.21, state=U, final=True)
    session.handle_timer(0.3)
    assert not _said(session)[-1].poll


def test_a_poll_is_answered_at_once_and_only_by_a_final() -> None:
    """Section 6.8.7: without regard to the timer, and never both bits."""
    session = _up()
    before = session.deadline()
    _hear(session, 0.11, state=U, poll=True)
    (answer,) = _said(session)
    assert (answer.final, answer.poll) == (True, False)
    assert session.deadline() == before


def test_faster_sending_holds_at_once() -> None:
    """A shorter interval of ours harms nobody who does not know it yet."""
    session = _up(tx=200, rx=50)
    session.configure(settings(tx=50, rx=50), 1.0)
    assert session.polling
    assert session.transmit_interval == pytest.approx(0.05)


def test_slower_sending_waits_for_the_final() -> None:
    """Section 6.8.3: else the peer would miss us."""
    session = _up(tx=50)
    _hear(session, 0.2, state=U, final=True)
    session.configure(settings(tx=400), 1.0)
    assert _said(session)[-1].desired_min_tx == 400_000
    assert session.transmit_interval == pytest.approx(0.05)
    _hear(session, 1.01, state=U, final=True)
    assert session.transmit_interval == pytest.approx(0.4)


def test_a_shorter_detection_waits_for_the_final() -> None:
    """Section 6.8.3: the peer goes on in the old rhythm until it knows the new one."""
    session = _up(rx=300)
    _hear(session, 0.2, state=U, final=True)
    session.configure(settings(rx=50), 1.0)
    assert session.detection_time == pytest.approx(0.9)
    _hear(session, 1.01, state=U, final=True)
    assert session.detection_time == pytest.approx(0.15)


def test_a_longer_detection_holds_at_once() -> None:
    """The peer may slow down as soon as it hears of it."""
    session = _up(rx=50)
    _hear(session, 0.2, state=U, final=True)
    session.configure(settings(rx=300), 1.0)
    assert session.detection_time == pytest.approx(0.9)


def test_a_change_during_a_poll_gets_a_poll_of_its_own() -> None:
    """The Final that is on its way may answer the first."""
    session = _up(tx=50)
    assert session.polling
    session.configure(settings(tx=400), 0.2)
    _hear(session, 0.21, state=U, final=True)
    assert session.polling
    assert session.transmit_interval == pytest.approx(0.05)
    _hear(session, 0.3, state=U, final=True)
    assert not session.polling
    assert session.transmit_interval == pytest.approx(0.4)


def test_a_silent_peer_is_down_after_the_detection_time() -> None:
    """Not before, and then at once; its discriminator is forgotten (section 6.8.1)."""
    session = _up()
    at = session.silent_at()
    assert at is not None
    assert at == pytest.approx(0.1 + 0.15)
    session.handle_timer(at - 0.001)
    assert session.state is U
    session.handle_timer(at + 0.001)
    (event,) = session.events()
    assert (event.new, event.diag, event.at) == (D, Diag.DETECTION_TIME_EXPIRED, at)
    assert event.silence == pytest.approx(0.15)
    assert _said(session)[-1].your_discr == 0
    assert session.transmit_interval == 1.0


def test_the_one_who_slept_puts_its_judgement_off_once() -> None:
    """A machine that stood still has received nothing: that is not the peer's silence."""
    session = _up()
    session.handle_timer(0.9)
    assert session.state is U
    silent_at = session.silent_at()
    assert silent_at == pytest.approx(0.95)
    session.handle_timer(2.0)
    assert session.state is D


def test_the_one_who_slept_hears_what_waited() -> None:
    """One packet is enough, and the next silence counts in full."""
    session = _up()
    session.handle_timer(0.9)
    _hear(session, 0.91, state=U)
    session.handle_timer(1.0)
    assert session.state is U
    session.handle_timer(1.062)
    assert session.state is D


def test_a_peer_that_wants_nothing_is_sent_nothing() -> None:
    """Required Min RX Interval 0 (section 6.8.7), until it changes its mind."""
    session = _up()
    _hear(session, 0.2, state=U, required_min_rx=0, final=True)
    assert session.transmit_interval is None
    _hear(session, 0.21, state=U, required_min_rx=50_000)
    due = session.deadline()
    assert due is not None
    assert due <= 0.21 + 0.05


def test_a_peer_in_demand_mode_is_polled_and_then_left_in_peace() -> None:
    """Section 6.8.7: no periodic packets while both are up."""
    session = _up()
    _hear(session, 0.2, state=U, demand=True)
    assert session.transmit_interval == pytest.approx(0.05)
    _hear(session, 0.21, state=U, demand=True, final=True)
    assert session.transmit_interval is None


def test_a_passive_session_waits_for_the_first_packet() -> None:
    """Section 6.1: the other end begins."""
    session = _session(passive=True)
    session.handle_timer(10.0)
    assert not session.packets()
    _hear(session, 10.0, your_discr=0)
    assert [one.state for one in _said(session)] == [I]


def test_admin_down_is_said_and_nothing_is_heard() -> None:
    """Section 6.8.6: the peer's packets are discarded; its timer tells it nothing of a failure."""
    session = _up()
    session.disable(1.0)
    assert [(one.state, one.diag) for one in _said(session)] == [(A, 7)]
    assert _hear(session, 1.01, state=U) is Refusal.ADMIN_DOWN
    assert session.state is A
    session.handle_timer(30.0)
    assert session.state is A


def test_only_a_session_that_is_down_may_name_nobody() -> None:
    """Section 6.8.6: Your Discriminator 0 in Init or Up is refused, and changes nothing."""
    session = _up()
    assert _hear(session, 0.2, state=I, your_discr=0) is Refusal.YOUR_DISCR
    assert session.silent_at() == pytest.approx(0.25)


def test_authentication_is_all_or_nothing() -> None:
    """Section 6.8.6: neither a packet without it nor one with it where none is in use."""
    plain, keyed = (
        Session(replace(settings(), key=key), my_discr=5, random=lambda: 0.5, now=0.0)
        for key in (None, Key(id=1, secret=b"secret"))
    )
    assert _hear(keyed, 0.0, your_discr=0) is Refusal.AUTH_MISSING
    keyed.handle_timer(0.0)
    (data,) = keyed.packets()
    packet = decode(data)
    assert isinstance(packet, ControlPacket)
    assert plain.receive(packet, data, 0.0) is Refusal.AUTH_UNEXPECTED


def test_a_packet_that_says_nothing_new_is_heard_all_the_same() -> None:
    """The short way and the long way lead to the same silence."""
    session = _up()
    packet = ControlPacket(
        state=U,
        detect_mult=3,
        my_discr=9,
        your_discr=5,
        desired_min_tx=50_000,
        required_min_rx=50_000,
    )
    data = encode(packet)
    assert not session.repeats(data, 0.2)
    session.receive(packet, data, 0.2)
    assert session.repeats(data, 0.25)
    assert session.silent_at() == pytest.approx(0.4)
    assert not session.repeats(encode(replace(packet, poll=True)), 0.26)


def test_another_process_goes_on_without_the_peer_noticing() -> None:
    """It restarts with the same discriminator, says Up, and polls to be sure of the intervals."""
    pair = Pair(settings(), settings())
    pair.run(5)
    memory = pair.ends["a"].memory
    assert memory is not None
    pair.deaf.add("a")
    pair.run(0.08)
    pair.deaf.clear()
    pair.ends["a"] = pair.session(settings(), 99, memory)
    before = len(pair.sent["a"])
    pair.run(5)
    first = pair.sent["a"][before].packet
    assert (first.state, first.my_discr, first.your_discr, first.poll) == (U, 11, 22, True)
    assert [event.new for event in pair.events["b"]] == [I, U] or [
        event.new for event in pair.events["b"]
    ] == [U]
    assert pair.ends["a"].state is pair.ends["b"].state is U
