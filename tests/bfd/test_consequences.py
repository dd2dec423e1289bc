"""What BFD means for a peer's BGP session: held back after a failure, and for nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.bfd.packet import ControlPacket, State, decode, encode
from bgpd.exabgp.command import BFD_DOWN, Hold
from bgpd.ipc.message import Silent
from bgpd.model.peer import BFD, Asn, BFDState, Peer, PeerName, Takeover
from bgpd.model.prefix import Address
from bgpd.speaker.bfd import TAKEOVER_MARGIN, BFDSessions
from bgpd.speaker.bfdpeer import CALM_SECONDS, FIRST_PAUSE, HOLD_SECONDS
from bgpd.speaker.effect import Note, Send, Tell
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.timeline import Timeline

ONE, TWO = Address("10.9.0.2"), Address("10.9.0.3")
FAST = BFD(receive_milliseconds=50, transmit_milliseconds=50)


def _peer(address: Address = ONE, bfd: BFD | None = FAST, **fields: Any) -> Peer:
    return Peer(
        name=PeerName(f"tor-{address[-1]}"),
        address=address,
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=Address("10.9.0.1"),
        router_id=Address("10.9.0.1"),
        bfd=bfd,
        **fields,
    )


class World:
    """Sessions, and routers whose packets a test writes."""

    def __init__(self, *peers: Peer) -> None:
        """Begin at time 0."""
        self.outbox = Outbox()
        self.timeline = Timeline()
        self.timeline.wall_offset = 1000.0
        self.sessions = BFDSessions(outbox=self.outbox, timeline=self.timeline, random=lambda: 0.5)
        self.now = 0.0
        self.notes: list[Note] = []
        self.holds: list[tuple[Address, ...]] = []
        self.gone: tuple[Address, ...] = ()
        """Whom the agent was told to be gone."""
        self.sessions.want(peers, 0.0)
        self.sessions.shown((), 0.0)

    def hear(self, state: State, address: Address = ONE, **fields: Any) -> None:
        """Have the router at *address* say *state*, knowing us."""
        line = next(line for line in self.sessions.endpoint if line.way.address == address)
        packet = ControlPacket(
            **{
                "state": state,
                "detect_mult": 3,
                "my_discr": 9,
                "your_discr": line.session.my_discr,
                "desired_min_tx": 50_000,
                "required_min_rx": 50_000,
                **fields,
            }
        )
        self.sessions.endpoint.receive(
            encode(packet), source=address, ttl=255, multihop=False, at=self.now
        )
        self.settle()

    def up(self, address: Address = ONE) -> None:
        """Bring a session up."""
        for state in (State.DOWN, State.INIT, State.UP):
            self.hear(state, address)

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass without a packet."""
        self.now += seconds
        # The judgement comes when it is due: nobody slept here.
        for line in self.sessions.endpoint:
            due = line.session.silent_at()
            if due is not None and due <= self.now:
                self.sessions.endpoint.handle_timer(due)
        self.sessions.endpoint.handle_timer(self.now)
        self.settle()

    def settle(self) -> None:
        """Take what follows."""
        self.sessions.settle(self.now)
        for item in self.outbox.empty():
            if isinstance(item, Send):
                assert isinstance(item.command, Hold)
                assert item.command.subcode == BFD_DOWN
                self.holds.append(item.command.peers)
            elif isinstance(item, Tell):
                assert isinstance(item.message, Silent)
                self.gone = item.message.peers
            elif isinstance(item, Note):
                self.notes.append(item)

    def held(self) -> tuple[Address, ...]:
        """Whom ExaBGP holds back now."""
        return self.holds[-1] if self.holds else ()

    def said(self, event: str) -> int:
        """Return how often the log said *event*."""
        return sum(note.event == event for note in self.notes)

    def status(self, peer: Peer | None = None) -> Any:
        """Return the status of a peer's session."""
        return self.sessions.status(peer or _peer(), self.now, wall_offset=1000.0)


def test_a_router_that_never_spoke_bfd_keeps_its_session() -> None:
    """Nothing is held back, however long it is silent."""
    world = World(_peer())
    world.wait(100)
    assert world.holds == []
    assert world.status().state is BFDState.DOWN


def test_a_silent_peer_is_held_back_until_it_is_up_again() -> None:
    """RFC 5882, section 4.2; one command for each change, and a line of the log."""
    world = World(_peer(), _peer(TWO))
    world.up()
    world.up(TWO)
    world.now += 0.1
    world.hear(State.UP, TWO)
    world.wait(0.06)
    assert world.holds == [(ONE,)]
    assert world.status().last_error == "10.9.0.2 was silent for 150 ms"
    assert world.status().transitions == 2
    world.hear(State.DOWN)
    assert world.held() == (ONE,)
    world.hear(State.INIT)
    assert world.holds == [(ONE,), ()]
    assert (world.said("session_held"), world.said("session_released")) == (1, 1)


def test_a_peer_is_not_held_back_for_ever() -> None:
    """Many routers begin with BFD when BGP is established: each end would wait for the other."""
    world = World(_peer())
    world.up()
    world.wait(0.15)
    assert world.held() == (ONE,)
    assert world.sessions.review_at == pytest.approx(0.15 + HOLD_SECONDS)
    world.wait(HOLD_SECONDS - 0.1)
    assert world.held() == (ONE,)
    world.wait(0.2)
    assert world.held() == ()
    assert world.sessions.review_at is None
    # From then on it is to BGP as if BFD had never been up, until it is.
    world.wait(100.0)
    assert world.gone == (ONE,)
    assert world.holds == [(ONE,), ()]
    world.up()
    world.wait(1.0)
    assert world.held() == (ONE,)


def test_bgp_that_comes_up_without_bfd_is_proof_enough() -> None:
    """A router that lost its BFD is there: nobody need avoid it."""
    world = World(_peer())
    world.up()
    world.wait(0.15)
    world.sessions.established(ONE, world.now)
    world.settle()
    assert (world.held(), world.gone) == ((ONE,), (ONE,))
    world.wait(HOLD_SECONDS + 1.0)
    world.sessions.established(ONE, world.now)
    world.settle()
    assert (world.held(), world.gone) == ((), ())


def test_a_failure_is_in_the_timeline() -> None:
    """With when the peer was missed, and why."""
    world = World(_peer())
    world.up()
    world.wait(0.2)
    (failover,) = world.timeline.failovers
    assert failover.kind == "bfd"
    assert failover.at == pytest.approx(1000.15)
    assert failover.cause == "BFD with tor-2: 10.9.0.2 was silent for 150 ms"


def test_a_peer_that_says_down_has_failed() -> None:
    """It heard nothing of us: the path works half, which is not at all."""
    world = World(_peer())
    world.up()
    world.hear(State.DOWN, diag=1)
    assert world.held() == (ONE,)
    assert world.status().last_error == (
        "10.9.0.2 says that it is down: it heard nothing of us for its detection time"
    )


def test_a_person_who_shuts_bfd_down_is_no_failure() -> None:
    """RFC 5882, section 3.2: AdminDown of the peer closes nothing."""
    world = World(_peer())
    world.up()
    world.hear(State.ADMIN_DOWN, diag=7)
    world.wait(100)
    assert world.holds == []
    assert "a person shut BFD down there" in world.status().last_error


def test_admin_down_ends_a_hold() -> None:
    """The session had failed; then a person took BFD off the router."""
    world = World(_peer())
    world.up()
    world.wait(1.0)
    assert world.held() == (ONE,)
    world.hear(State.ADMIN_DOWN, diag=7)
    assert world.held() == ()


def test_who_wants_no_bfd_any_more_is_not_held_back() -> None:
    """The profile is taken off the peer; the router hears AdminDown, three times."""
    world = World(_peer())
    world.up()
    world.wait(1.0)
    world.sessions.outgoing()
    world.sessions.want((_peer(bfd=None),), world.now)
    world.settle()
    assert world.held() == ()
    said = [decode(data) for _, data in world.sessions.outgoing()]
    assert [one.state for one in said if isinstance(one, ControlPacket)] == [State.ADMIN_DOWN] * 3
    assert world.status() is None


def test_a_new_process_takes_over_whom_exabgp_holds_back() -> None:
    """A reflex that died left a peer held: it stays held until BFD is up."""
    world = World(_peer(), _peer(TWO))
    world.sessions.shown((ONE,), 0.0)
    world.settle()
    assert world.holds == []
    world.up()
    assert world.holds == [()]


def test_exabgp_is_told_when_it_holds_back_whom_nobody_watches() -> None:
    """The peer's BFD was taken away while no reflex was there."""
    world = World(_peer(TWO))
    world.sessions.shown((ONE,), 0.0)
    world.settle()
    assert world.holds == [()]


def test_a_session_that_flaps_loses_its_word_for_a_while() -> None:
    """After three failures in 30 s BGP's own timers decide, for longer each time."""
    world = World(_peer())
    for _ in range(2):
        world.up()
        world.wait(1.0)
    assert world.held() == (ONE,)
    world.up()
    world.wait(1.0)
    assert world.held() == ()
    assert world.status().dampened
    assert world.said("bfd_dampened") == 1
    world.up()
    assert world.sessions.patience(_peer(), world.now) is None
    world.wait(1.0)
    assert world.held() == ()
    world.wait(FIRST_PAUSE)
    assert not world.status().dampened
    assert world.held() == ()
    world.up()
    assert world.sessions.patience(_peer(), world.now) is not None
    world.wait(1.0)
    assert world.held() == (ONE,)


def test_the_pause_grows() -> None:
    """Twice as long for a session that flaps on."""
    world = World(_peer())
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE):
        for _ in range(3):
            world.up()
            world.wait(1.0)
        assert world.status().dampened
        world.wait(pause - 0.1)
        assert world.status().dampened
        world.wait(0.2)
        assert not world.status().dampened


def test_flapping_is_forgiven_after_ten_calm_minutes() -> None:
    """What happens then is as if it were the first time."""
    world = World(_peer())
    for _ in range(3):
        world.up()
        world.wait(1.0)
    world.wait(FIRST_PAUSE + CALM_SECONDS)
    for _ in range(3):
        world.up()
        world.wait(1.0)
    assert world.status().dampened
    world.wait(FIRST_PAUSE + 0.1)
    assert not world.status().dampened


def test_how_long_a_router_may_take_to_notice_a_dead_node() -> None:
    """Its own detection time and a margin, where the peer's takeover is Auto and BFD is up."""
    world = World(_peer())
    assert world.sessions.patience(_peer(), 0.0) is None
    world.up()
    assert world.sessions.patience(_peer(), 0.0) == pytest.approx(0.15 + TAKEOVER_MARGIN)
    for takeover in (Takeover.ALWAYS, Takeover.NEVER):
        assert world.sessions.patience(_peer(takeover=takeover), 0.0) is None
    world.wait(1.0)
    assert world.sessions.patience(_peer(), world.now) is None


def test_new_intervals_are_a_poll_and_no_new_session() -> None:
    """The router sees the same discriminator; a password, though, needs a new session."""
    world = World(_peer())
    world.up()
    (line,) = world.sessions.endpoint
    world.sessions.outgoing()
    slow = replace(FAST, transmit_milliseconds=300)
    world.sessions.want((_peer(bfd=slow),), world.now)
    ((same, data),) = world.sessions.outgoing()
    assert same is line
    packet = decode(data)
    assert isinstance(packet, ControlPacket)
    assert (packet.poll, packet.desired_min_tx, packet.state) == (True, 300_000, State.UP)
    world.sessions.want((_peer(bfd=replace(slow, password="secret")),), world.now)  # noqa: S106
    (other,) = world.sessions.endpoint
    assert other is not line
    assert other.session.state is State.DOWN


def test_what_is_kept_for_the_process_after_us() -> None:
    """Sessions that are up; it goes on with their discriminators."""
    world = World(_peer(), _peer(TWO))
    world.up()
    memories = world.sessions.memories
    assert list(memories) == [ONE]
    after = BFDSessions(outbox=Outbox(), timeline=Timeline(), random=lambda: 0.9, memories=memories)
    after.want((_peer(), _peer(TWO)), 50.0)
    states = {line.way.address: line.session for line in after.endpoint}
    assert states[ONE].state is State.UP
    assert states[ONE].my_discr == memories[ONE].my_discr
    assert states[TWO].state is State.DOWN


@pytest.mark.parametrize(
    ("state", "held"),
    [
        pytest.param(State.DOWN, False, id="a router that says Down missed us: its own affair"),
        pytest.param(None, True, id="a router that is silent is gone"),
    ],
)
def test_a_resumed_session_that_fails(state: State | None, held: bool) -> None:
    """We took too long to restart, or the router died meanwhile."""
    world = World(_peer())
    world.up()
    memories = world.sessions.memories
    world.sessions = BFDSessions(
        outbox=world.outbox, timeline=Timeline(), random=lambda: 0.9, memories=memories
    )
    world.sessions.want((_peer(),), world.now)
    if state is not None:
        world.hear(state, diag=1)
    world.wait(1.0)
    assert bool(world.held()) is held


def test_leaving_is_said_and_holds_nobody() -> None:
    """AdminDown to everybody; what was held is no matter any more."""
    world = World(_peer(), _peer(TWO))
    world.up()
    world.sessions.outgoing()
    world.sessions.say_goodbye(world.now)
    said = [decode(data) for _, data in world.sessions.outgoing()]
    assert len(said) == 6
    assert all(isinstance(one, ControlPacket) and one.state is State.ADMIN_DOWN for one in said)
    assert world.sessions.memories == {}
