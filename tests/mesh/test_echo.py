"""An echo that comes back is a kernel that lives."""

import struct

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.mesh.echo import Reply, internet_checksum, read_reply
from bgpd.mesh.transport import Transport
from bgpd.model.prefix import Address
from tests.mesh.loopback import HERE, OTHER, can_probe, need_probes, opened, told
from tests.mesh.wire import Diary, settle

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_an_echo_comes_back() -> None:
    """Where the kernel lets us send echoes, our own come back to us and to nobody else."""

    async def story() -> None:
        with opened(HERE) as (diary, transport, _), opened(HERE) as (stranger, other, _):
            need_probes(transport)
            transport.probe(OTHER)
            assert await settle(transport, lambda: diary.replies)
            other.drain()
            assert [address for address, _ in diary.replies] == [OTHER]
            assert stranger.replies == []

    told(story)


def test_a_receiver_may_close_the_transport_on_an_echo_reply() -> None:
    """A decision in the middle of the replies ends their reading, not the process."""

    class Closing(Diary):
        transport: Transport

        def echo_reply(self, address: Address, at: float) -> None:
            super().echo_reply(address, at)
            self.transport.close()

    async def story() -> None:
        closing = Closing()
        closing.transport = Transport(closing)
        closing.transport.open(HERE, 0)
        need_probes(closing.transport)
        for _ in range(3):
            closing.transport.probe(OTHER)
        assert await settle(closing.transport, lambda: closing.replies)
        assert len(closing.replies) == 1
        assert not can_probe(closing.transport)

    told(story)


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
