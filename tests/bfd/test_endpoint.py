"""Which session a packet is for, and what strangers can do: be counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from bgpd.bfd.endpoint import Endpoint, Line, Way
from bgpd.bfd.packet import ControlPacket, Refusal, State, decode, encode
from bgpd.bfd.session import Session
from bgpd.model.prefix import Address
from tests.bfd.pair import settings

ROUTER, OTHER, OURS = Address("10.9.0.2"), Address("10.9.0.3"), Address("10.9.0.1")
FIELDS: dict[str, Any] = {
    "detect_mult": 3,
    "my_discr": 9,
    "desired_min_tx": 50_000,
    "required_min_rx": 50_000,
}


def _endpoint(*, multihop: bool = False, minimum_ttl: int = 255) -> tuple[Endpoint, Line]:
    endpoint = Endpoint()
    line = Line(
        way=Way(address=ROUTER, local_address=OURS, multihop=multihop, minimum_ttl=minimum_ttl),
        session=Session(settings(), my_discr=5, random=lambda: 0.5, now=0.0),
    )
    endpoint.add(line)
    return endpoint, line


def _state(line: Line) -> State:
    return line.session.state


def _packet(state: State = State.DOWN, your_discr: int = 0, **fields: int) -> bytes:
    return encode(ControlPacket(state=state, your_discr=your_discr, **{**FIELDS, **fields}))


def _hear(
    endpoint: Endpoint,
    data: bytes,
    source: Address = ROUTER,
    *,
    ttl: int = 255,
    multihop: bool = False,
    at: float = 0.0,
) -> bool:
    return endpoint.receive(data, source=source, ttl=ttl, multihop=multihop, at=at)


def test_the_first_packet_is_known_by_its_source_and_the_others_by_their_discriminator() -> None:
    """A router may answer from another address of its own (RFC 5880, section 6.3)."""
    endpoint, line = _endpoint()
    assert _hear(endpoint, _packet())
    assert _state(line) is State.INIT
    assert _hear(endpoint, _packet(State.INIT, 5), OTHER)
    assert _state(line) is State.UP
    assert not endpoint.counters


@pytest.mark.parametrize(
    ("data", "source", "ttl", "multihop", "refusal"),
    [
        pytest.param(_packet(), OTHER, 255, False, Refusal.UNKNOWN_SESSION, id="a stranger"),
        pytest.param(
            _packet(State.UP, 6), ROUTER, 255, False, Refusal.UNKNOWN_SESSION, id="not our number"
        ),
        pytest.param(_packet(), ROUTER, 254, False, Refusal.TTL, id="from one hop further away"),
        pytest.param(_packet(), ROUTER, 0, False, Refusal.TTL, id="a kernel that tells no TTL"),
        pytest.param(
            _packet(), ROUTER, 255, True, Refusal.UNKNOWN_SESSION, id="to the port of many hops"
        ),
        pytest.param(
            _packet(State.UP, 5),
            ROUTER,
            255,
            True,
            Refusal.UNKNOWN_SESSION,
            id="our number at the port of many hops",
        ),
        pytest.param(_packet()[:20], ROUTER, 255, False, Refusal.TOO_SHORT, id="cut"),
    ],
)
def test_what_is_refused_changes_nothing_and_is_counted(
    data: bytes, source: Address, ttl: int, multihop: bool, refusal: Refusal
) -> None:
    """By its reason; and nobody gets an answer."""
    endpoint, line = _endpoint()
    assert not _hear(endpoint, data, source, ttl=ttl, multihop=multihop)
    assert endpoint.counters == {refusal: 1}
    assert _state(line) is State.DOWN
    assert not line.session.packets()


def test_over_several_hops_the_least_ttl_is_the_configured_one() -> None:
    """RFC 5883 leaves it to the configuration."""
    endpoint, line = _endpoint(multihop=True, minimum_ttl=250)
    assert not _hear(endpoint, _packet(), ttl=249, multihop=True)
    assert "TTL is 249, and at least 250" in line.refused
    assert _hear(endpoint, _packet(), ttl=250, multihop=True)
    assert not line.refused


def test_a_refusal_is_explained_until_a_packet_is_accepted() -> None:
    """In words that say what to compare."""
    endpoint, line = _endpoint()
    _hear(endpoint, _packet(State.UP, 77))
    assert line.refused == (
        "a packet from 10.9.0.2 was refused: its Your Discriminator is not ours"
    )
    assert line.counters == {Refusal.UNKNOWN_SESSION: 1}
    _hear(endpoint, _packet())
    assert not line.refused


def test_a_session_that_is_gone_is_nobody() -> None:
    """Its packets are a stranger's."""
    endpoint, line = _endpoint()
    endpoint.remove(line)
    assert not _hear(endpoint, _packet(State.UP, 5))
    assert endpoint.counters == {Refusal.UNKNOWN_SESSION: 1}
    assert endpoint.deadline() is None
    assert len(endpoint) == 0


def test_every_session_has_a_number_of_its_own() -> None:
    """Also where the random number is the same each time."""
    endpoint, _ = _endpoint()
    found = set()
    for number in range(50):
        discr = endpoint.unused_discr(0.999999)
        assert 1 <= discr < 2**32
        found.add(discr)
        way = Way(address=Address(f"10.1.0.{number}"), local_address=OURS)
        session = Session(settings(), my_discr=discr, random=lambda: 0.5, now=0.0)
        endpoint.add(Line(way=way, session=session))
    assert len(found) == 50
    assert endpoint.unused_discr(0.0) == 1


def _with(number: float, discr: int) -> Session:
    return Session(settings(tx=100), my_discr=discr, random=lambda: number, now=0.0)


def test_whoever_may_send_joins_who_must() -> None:
    """One wake-up for several sessions; whose jitter does not allow it yet waits."""
    endpoint = Endpoint()
    numbers = {"10.1.0.1": 0.0, "10.1.0.2": 0.9, "10.1.0.3": 0.9}
    lines = {}
    for discr, (address, number) in enumerate(numbers.items(), 1):
        session = _with(number, discr)
        for state in (State.DOWN, State.INIT):
            data = _packet(state, discr, desired_min_tx=2_000_000)
            packet = decode(data)
            assert isinstance(packet, ControlPacket)
            session.receive(packet, data, 0.05 if address.endswith("3") else 0.0)
        session.packets()
        lines[address] = Line(
            way=Way(address=Address(address), local_address=OURS), session=session
        )
        endpoint.add(lines[address])
    endpoint.handle_timer(0.0751)
    assert [len(line.session.packets()) for line in lines.values()] == [1, 1, 0]


STRANGE = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda base, at, value: bytes([*base[:at], value, *base[at + 1 :]]),
        st.sampled_from([_packet(), _packet(State.INIT, 6), _packet(State.UP, 2**32 - 1)]),
        st.integers(0, 7),
        st.integers(0, 255),
    ),
)


@given(st.lists(st.tuples(STRANGE, st.integers(0, 255)), max_size=30))
@how(deadline=None)
def test_strangers_bring_no_session_down(datagrams: list[tuple[bytes, int]]) -> None:
    """Whatever they send, unless they guess a number of 32 bits: counted, never answered."""
    endpoint, line = _endpoint()
    line.session.my_discr = 0xDEADBEEF
    endpoint = Endpoint()
    endpoint.add(line)
    for state in (State.DOWN, State.INIT):
        data = _packet(state, 0xDEADBEEF if state is State.INIT else 0)
        assert _hear(endpoint, data)
    line.session.packets()
    before = line.session.silent_at()
    for data, ttl in datagrams:
        assert not _hear(endpoint, data, OTHER, ttl=ttl, at=1.0)
    assert _state(line) is State.UP
    assert line.session.silent_at() == before
    assert not line.session.packets()
    assert sum(endpoint.counters.values()) == len(datagrams)


def test_what_is_sent_can_be_read() -> None:
    """The timer's packets, through the endpoint."""
    endpoint, line = _endpoint()
    due = endpoint.deadline()
    assert due == 0.0
    endpoint.handle_timer(due)
    (data,) = line.session.packets()
    packet = decode(data)
    assert isinstance(packet, ControlPacket)
    assert (packet.my_discr, packet.your_discr) == (5, 0)
