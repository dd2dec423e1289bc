"""Facts about the socket of the mesh: what the kernel tells, and what it cannot break."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.mesh import ports
from bgpd.mesh.echo import Reply, internet_checksum, read_reply
from bgpd.mesh.packet import MAGIC, VERSION, Flag
from bgpd.mesh.route import route_source
from bgpd.mesh.timestamp import Clock
from bgpd.mesh.transport import Transport, offender
from bgpd.model.errors import ConfigError, TransientError
from bgpd.model.prefix import Address
from tests.mesh.wire import Diary, play, settle

HERE = Address("127.0.0.1")
OTHER = Address("127.0.0.2")
LOOPBACK_V6 = Address("::1")
SO_TIMESTAMPNS = 35

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def opened(address: Address, port: int = 0) -> Iterator[tuple[Diary, Transport, int]]:
    """Return the diary, an open transport and its port."""
    diary = Diary()
    transport = Transport(diary)
    transport.open(address, port)
    queues = transport._queues
    assert queues is not None
    try:
        yield diary, transport, queues.urgent.getsockname()[1]
    finally:
        transport.close()


def closed_port(address: Address) -> int:
    """Return a port of *address* on which nobody listens just now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


async def woke(fact: Callable[[], object], patience: float = 10.0) -> bool:
    """Return whether *fact* becomes true within *patience* seconds by what wakes the loop."""
    deadline = time.monotonic() + patience
    while not fact():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


def can_probe(transport: Transport) -> bool:
    """Return whether the kernel lets *transport* send echoes."""
    return transport.probe_mode != "none"


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *story* in a loop that reports what asyncio would only log."""

    async def strict() -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await story()
        assert errors == []

    asyncio.run(strict())


@pytest.mark.parametrize("address", [HERE, LOOPBACK_V6])
def test_a_datagram_arrives_with_its_sender(address: Address) -> None:
    """What one transport sends, another one's receiver gets, over both families."""

    async def story() -> None:
        with opened(address) as (diary, receiving, port), opened(address) as (_, sending, _):
            sending.send(address, port, b"heartbeat")
            assert await settle(receiving, lambda: diary.datagrams)
            assert [(data, source) for data, source, _ in diary.datagrams] == [
                (b"heartbeat", address)
            ]

    told(story)


def test_a_datagram_is_as_old_as_the_kernel_says() -> None:
    """A process that slept does not take what waited for it as fresh."""

    async def story() -> None:
        with opened(HERE) as (diary, receiving, port), opened(HERE) as (_, sending, _):
            before = time.monotonic()
            sending.send(HERE, port, b"heartbeat")
            time.sleep(0.5)  # noqa: ASYNC251 - the loop sleeps, that is the story
            receiving.drain()
            ((_, _, at),) = diary.datagrams
            woken = time.monotonic()
            assert at - before < woken - at

    told(story)


def test_a_drain_delivers_everything_that_is_queued() -> None:
    """Silence is judged only after all that has arrived was heard."""

    async def story() -> None:
        with opened(HERE) as (diary, receiving, port), opened(HERE) as (_, sending, _):
            for number in range(1000):
                sending.send(HERE, port, struct.pack("!H", number))
            # A sender that moves to another CPU leaves datagrams in the first one's backlog:
            # they arrive a little later, and behind what was sent after them.
            time.sleep(0.2)  # noqa: ASYNC251 - the loop would read them
            receiving.drain()
            numbers = [struct.unpack("!H", data)[0] for data, _, _ in diary.datagrams]
            assert sorted(numbers) == list(range(1000))
            times = [at for _, _, at in diary.datagrams]
            assert times == sorted(times)

    told(story)


def routine(number: int) -> bytes:
    """Return a datagram that is routine as far as the kernel can see."""
    return MAGIC + bytes((VERSION, Flag.ROUTINE, number))


def urgent(number: int) -> bytes:
    """Return one that is not."""
    return MAGIC + bytes((VERSION, Flag.AGENT_ALIVE | Flag.LEARNED, number))


@pytest.mark.parametrize("address", [HERE, LOOPBACK_V6])
def test_routine_wakes_nobody_and_is_read_before_what_is_urgent(address: Address) -> None:
    """What can wait does, with its own time of arrival, and nothing overtakes it."""

    async def story() -> None:
        woken: list[int] = []
        diary = Diary()
        transport = Transport(diary, delivered=lambda: woken.append(len(diary.datagrams)))
        port = closed_port(address)
        transport.open(address, port)
        with opened(address) as (_, sending, _):
            sending.send(address, port, routine(1))
            sending.send(address, port, routine(2))
            await asyncio.sleep(0.3)
            assert woken == []
            before = time.monotonic()
            sending.send(address, port, urgent(3))
            assert await woke(lambda: woken)
        assert woken == [3]
        assert [data[-1] for data, _, _ in diary.datagrams] == [1, 2, 3]
        assert diary.datagrams[1][2] < before <= diary.datagrams[2][2]
        transport.close()

    told(story)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"bM\1", id="cut before its flags"),
        pytest.param(MAGIC + bytes((VERSION, 0xFF & ~Flag.ROUTINE)), id="every other flag"),
    ],
)
def test_whatever_is_not_marked_wakes_us(data: bytes) -> None:
    """Only a datagram that says so itself can wait."""

    async def story() -> None:
        woken: list[bool] = []
        transport = Transport(Diary(), delivered=lambda: woken.append(True))
        port = closed_port(HERE)
        transport.open(HERE, port)
        with opened(HERE) as (_, sending, _):
            sending.send(HERE, port, data)
            assert await woke(lambda: woken)
        transport.close()

    told(story)


def test_routine_can_be_read_alone() -> None:
    """A heartbeat of our own is the moment to hear the others'."""

    async def story() -> None:
        with opened(HERE) as (diary, receiving, port), opened(HERE) as (_, sending, _):
            sending.send(HERE, port, routine(1))
            sending.send(HERE, port, routine(2))
            receiving.drain_routine()
            assert [data[-1] for data, _, _ in diary.datagrams] == [1, 2]

    told(story)


def test_a_kernel_that_does_not_sort_is_counted_and_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is one queue only, everything wakes us, as ever."""
    monkeypatch.setattr(ports, "_SO_ATTACH_REUSEPORT_CBPF", 0x7FFF)

    async def story() -> None:
        with opened(HERE) as (diary, receiving, port), opened(HERE) as (_, sending, _):
            assert receiving.counters["queues_refused"] == 1
            for number in range(100):
                sending.send(HERE, port, routine(number))
            receiving.drain()
            assert [data[-1] for data, _, _ in diary.datagrams] == list(range(100))

    told(story)


def test_every_refusal_wakes_us() -> None:
    """The kernel gives refusals to either queue, by the member's address; both are heard."""

    async def story() -> None:
        with opened(HERE) as (diary, transport, _):
            members = [Address(f"127.0.0.{number}") for number in range(100, 120)]
            for member in members:
                transport.send(member, closed_port(member), b"heartbeat")
            assert await woke(lambda: len(diary.refusals) == len(members))
            assert sorted(address for address, _ in diary.refusals) == members

    told(story)


def test_a_receiver_may_close_the_transport_on_an_echo_reply() -> None:
    """The same holds for the replies of kernels."""

    class Closing(Diary):
        transport: Transport

        def echo_reply(self, address: Address, at: float) -> None:
            super().echo_reply(address, at)
            self.transport.close()

    async def story() -> None:
        closing = Closing()
        closing.transport = Transport(closing)
        closing.transport.open(HERE, 0)
        if not can_probe(closing.transport):
            closing.transport.close()
            pytest.skip("this kernel lets us send no echoes: no ping group, no NET_RAW")
        for _ in range(3):
            closing.transport.probe(OTHER)
        assert await settle(closing.transport, lambda: closing.replies)
        assert len(closing.replies) == 1
        assert not can_probe(closing.transport)

    told(story)


@pytest.mark.parametrize("address", [OTHER, LOOPBACK_V6])
def test_a_refusal_names_the_member(address: Address) -> None:
    """Where nobody listens any more, a living kernel says so."""

    async def story() -> None:
        source = LOOPBACK_V6 if address == LOOPBACK_V6 else HERE
        with opened(source) as (diary, transport, _):
            transport.send(address, closed_port(address), b"heartbeat")
            assert await settle(transport, lambda: diary.refusals)
            assert [refused for refused, _ in diary.refusals] == [address]
            assert transport.counters["refused"] == 1

    told(story)


def test_one_members_refusals_cost_no_other_member_a_heartbeat() -> None:
    """An error that belongs to one destination does not swallow what goes to another."""

    async def story() -> None:
        with opened(HERE) as (diary, receiving, port), opened(HERE) as (_, sending, _):
            nobody = closed_port(OTHER)
            for _ in range(50):
                sending.send(OTHER, nobody, b"to the dead")
                sending.send(HERE, port, b"to the living")
            assert await settle(receiving, lambda: len(diary.datagrams) == 50)
            assert sending.counters["sent"] == 100

    told(story)


def test_what_cannot_be_sent_is_counted() -> None:
    """No address and no payload makes a send raise."""

    async def story() -> None:
        with opened(HERE) as (_, transport, port):
            probing = can_probe(transport)
            transport.send(LOOPBACK_V6, port, b"another family")
            transport.probe(LOOPBACK_V6)
            transport.send(Address("198.51.100.1"), port, b"from loopback to the world")
            transport.send(HERE, port, b"x" * 70_000)
        transport.send(HERE, port, b"after the end")
        transport.probe(HERE)
        counters = transport.counters
        assert counters["send_other_family"] == 1 + probing
        assert counters["send_too_large"] == 1
        assert counters["send_closed"] == 1
        assert counters["sent"] == 0
        assert counters["send_unreachable"] + counters["send_failed"] == 1

    told(story)


def test_a_receiver_may_close_the_transport_while_it_drains() -> None:
    """A decision in the middle of a batch ends the batch, not the process."""

    class Closing(Diary):
        transport: Transport

        def datagram(self, data: bytes, source: Address, at: float) -> None:
            super().datagram(data, source, at)
            self.transport.close()

    async def story() -> None:
        closing = Closing()
        closing.transport = Transport(closing)
        port = closed_port(HERE)
        closing.transport.open(HERE, port)
        with opened(HERE) as (_, sending, _):
            for _ in range(5):
                sending.send(HERE, port, b"heartbeat")
            closing.transport.drain()
        assert len(closing.datagrams) == 1

    told(story)


def test_a_transport_may_be_opened_again() -> None:
    """An address that moves needs no new object, and leaves no socket behind."""

    async def story() -> None:
        with opened(HERE) as (diary, transport, _):
            port = closed_port(OTHER)
            transport.open(OTHER, port)
            transport.send(OTHER, port, b"to myself")
            assert await settle(transport, lambda: diary.datagrams)
            assert diary.datagrams[0][1] == OTHER

    told(story)


def test_a_second_speaker_on_the_port_is_refused() -> None:
    """Two speakers would share the heartbeats between them; the second one is told to go."""

    async def story() -> None:
        with opened(HERE) as (_, _, port):
            with pytest.raises(ConfigError, match=f"UDP port {port} of {HERE} is in use") as caught:
                Transport(Diary()).open(HERE, port)
            assert caught.value.exit_code == 78
            assert "another port" not in str(caught.value), "there is no option for one"

    told(story)


def test_an_address_of_another_host_is_worth_another_try() -> None:
    """An address may come up after us, so its absence is no error for ever."""

    async def story() -> None:
        with pytest.raises(TransientError, match=r"198\.51\.100\.1 is not on this host yet"):
            Transport(Diary()).open(Address("198.51.100.1"), 7179)

    told(story)


def test_an_echo_comes_back() -> None:
    """Where the kernel lets us send echoes, our own come back to us and to nobody else."""

    async def story() -> None:
        with opened(HERE) as (diary, transport, _), opened(HERE) as (stranger, other, _):
            if not can_probe(transport):
                pytest.skip("this kernel lets us send no echoes: no ping group, no NET_RAW")
            transport.probe(OTHER)
            assert await settle(transport, lambda: diary.replies)
            other.drain()
            assert [address for address, _ in diary.replies] == [OTHER]
            assert stranger.replies == []

    told(story)


def test_the_route_to_a_destination_has_a_source_and_an_interface() -> None:
    """What we say about the way to a peer is what the kernel would do."""
    assert route_source(Address("127.0.0.9")) == (HERE, "lo")


def stamp(at: float) -> list[tuple[int, int, bytes]]:
    """Return the control message of a datagram that arrived *at* that wall clock."""
    return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", int(at), int(at % 1 * 1e9)))]


def reading(*, floor: float, later: float = 100.0) -> Clock:
    """Return a clock read when it was 100 on our scale and 1000 on the wall."""
    moments = iter((100.0, later))
    return Clock(floor=floor, monotonic=lambda: next(moments), wall=lambda: 1000.0)


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        pytest.param(999.5, 99.5, id="half a second ago"),
        pytest.param(1000.0, 100.0, id="now"),
        pytest.param(900.0, 98.0, id="before the last empty queue: the wall clock was set"),
        pytest.param(5000.0, 100.25, id="in the future: the wall clock was set back"),
        pytest.param(1000.125, 100.125, id="while the queue was being read"),
    ],
)
def test_a_stamp_is_moved_to_our_scale_and_kept_within_reason(
    arrived: float, expected: float
) -> None:
    """A wall clock that jumps makes nobody older or younger than the queue allows."""
    assert reading(floor=98.0, later=100.25).at(stamp(arrived)) == expected


def test_without_a_stamp_a_datagram_is_as_old_as_its_reading() -> None:
    """A kernel that does not stamp costs precision, not correctness."""
    assert reading(floor=98.0).at([]) == 100.0


@calm
@given(st.binary(max_size=80), st.booleans(), st.booleans())
def test_any_bytes_are_an_echo_reply_or_not(data: bytes, v6: bool, raw: bool) -> None:
    """Whatever the network sends to an echo socket, reading it does not fail."""
    reply = read_reply(data, v6=v6, with_ip_header=raw)
    assert reply is None or data.endswith(reply.payload)


def test_an_echo_reply_is_read_behind_its_ip_header() -> None:
    """A raw socket shows the header, whose options make it longer."""
    message = struct.pack("!BBHHH", 0, 0, 0, 7, 1) + b"token"
    assert read_reply(message, v6=False, with_ip_header=False) == Reply(7, b"token")
    for words in (5, 15):
        packet = bytes((0x40 | words,)) + bytes(words * 4 - 1) + message
        assert read_reply(packet, v6=False, with_ip_header=True) == Reply(7, b"token")


@calm
@given(st.binary(max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_a_message_with_its_checksum_sums_to_nothing(data: bytes) -> None:
    """The receiver's check of RFC 1071 holds for whatever we send."""
    assert internet_checksum(data + struct.pack("!H", internet_checksum(data))) == 0


@calm
@given(st.binary(max_size=40))
def test_any_bytes_behind_an_error_are_an_offender_or_none(data: bytes) -> None:
    """An error whose origin cannot be read is an error of nobody."""
    assert offender(data) is None or len(data) >= 8


@pytest.mark.integration
def test_a_living_kernel_refuses_in_its_own_name() -> None:
    """A refusal through a router counts when it comes from the member itself."""
    assert play("refusal_from_the_member_itself") == {
        "10.0.2.2": ["10.0.2.2"],
        "fd00:2::2": ["fd00:2::2"],
    }


@pytest.mark.integration
def test_a_router_cannot_speak_for_a_dead_member() -> None:
    """The same refusal from a router's address is counted, and proves no life."""
    assert play("refusal_from_a_router") == {"10.0.2.2": [0, 1], "fd00:2::2": [0, 1]}


@pytest.mark.integration
def test_a_network_that_forbids_is_counted_by_cause() -> None:
    """No route and a firewall rule are told apart, and neither raises."""
    assert play("no_route") == {
        "counters": {
            "send_unreachable": 1,
            "probe_failed": 1,
            "send_denied": 1,
            "send_closed": 1,
        },
        "route": "no route to 198.51.100.1: Network is unreachable",
    }


@pytest.mark.integration
def test_echoes_tell_a_living_kernel_from_a_dead_one() -> None:
    """Over both families, with and without the right to ping sockets, nothing is overheard."""
    fine = {"answered": True, "silent": True, "overheard": 0}
    assert play("echoes") == {
        f"{mode} {there}": {"mode": mode, **fine}
        for mode in ("ping", "raw")
        for there in ("10.0.2.2", "fd00:2::2")
    }


@pytest.mark.integration
def test_without_any_right_to_echoes_the_mesh_still_works() -> None:
    """Then the mode says so, probing does nothing, and refusals are still heard."""
    assert play("no_privilege") == {"result": ["none", 1]}


@pytest.mark.integration
def test_heartbeats_and_echoes_are_marked_as_network_control() -> None:
    """On the wire the traffic class is CS6, so that a full queue drops others first."""
    assert play("marks") == {
        "10.0.2.2": 0xC0,
        "echo 10.0.2.2": 0xC0,
        "fd00:2::2": 0xC0,
        "echo fd00:2::2": 0xC0,
    }


@pytest.mark.integration
def test_the_source_of_a_route_follows_the_routing_table() -> None:
    """A route with a source of its own is reported as the kernel will use it."""
    assert play("routes") == {
        "before": [["10.0.1.1", "eth0"], ["fd00:1::1", "eth0"]],
        "after": ["10.0.1.77", "eth0"],
    }


@pytest.mark.integration
def test_an_address_that_comes_later_can_be_opened_then() -> None:
    """A transport that could not open may try again, and then works."""
    assert play("address_comes_later")["first"].startswith("TransientError: the mesh address")
