"""What is routine waits in a queue of its own, what is urgent wakes us."""

import asyncio
import time

import pytest

from bgpd.mesh import ports
from bgpd.mesh.packet import MAGIC, VERSION, Flag
from bgpd.mesh.transport import Transport
from bgpd.model.prefix import Address
from tests.mesh.loopback import HERE, LOOPBACK_V6, await_stamps, closed_port, opened, told, woke
from tests.mesh.wire import Diary


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
        await_stamps(address)
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
