"""Facts about the socket of the mesh: what the kernel tells, and what it cannot break."""

import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.mesh.route import route_source
from bgpd.mesh.transport import Transport, offender
from bgpd.model.errors import ConfigError, TransientError
from bgpd.model.prefix import Address
from tests.mesh.loopback import (
    HERE,
    LOOPBACK_V6,
    OTHER,
    await_stamps,
    can_probe,
    closed_port,
    opened,
    told,
)
from tests.mesh.wire import Diary, settle

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
            await_stamps(HERE)
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


def test_the_route_to_a_destination_has_a_source_and_an_interface() -> None:
    """What we say about the way to a peer is what the kernel would do."""
    assert route_source(Address("127.0.0.9")) == (HERE, "lo")


@calm
@given(st.binary(max_size=40))
def test_any_bytes_behind_an_error_are_an_offender_or_none(data: bytes) -> None:
    """An error whose origin cannot be read is an error of nobody."""
    assert offender(data) is None or len(data) >= 8
