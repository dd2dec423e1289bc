"""Open transports on loopback, and wait for what they are told."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from bgpd.mesh.transport import Transport
from bgpd.model.prefix import Address
from bgpd.timestamp import ANCILLARY_SIZE, Clock, enable_timestamps
from tests.lacking import lacking
from tests.mesh.wire import Diary

HERE = Address("127.0.0.1")
OTHER = Address("127.0.0.2")
LOOPBACK_V6 = Address("::1")


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


def await_stamps(address: Address) -> None:
    """Return once the kernel stamps what arrives; call it while some transport is open.

    The first socket of a host that asks for stamps has them a moment later only (a work item of
    the kernel turns them on for all); until then a datagram's time is that of its reading.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        enable_timestamps(sock)
        sock.bind((address, 0))
        sock.settimeout(10.0)
        for _ in range(500):
            sock.sendto(b"when?", sock.getsockname())
            time.sleep(0.02)
            before = time.monotonic()
            _, ancillary, _, _ = sock.recvmsg(64, ANCILLARY_SIZE)
            if Clock(floor=0.0).at(ancillary) < before:
                return
    raise AssertionError("the kernel stamps nothing")


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


def need_probes(transport: Transport) -> None:
    """Skip where the kernel lets *transport* send no echoes."""
    if not can_probe(transport):
        transport.close()
        lacking(
            "no right to send echoes (a ping group, or NET_RAW)",
            unproven="an echo tells that a kernel lives",
            in_ci=True,
        )


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *story* in a loop that reports what asyncio would only log."""

    async def strict() -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await story()
        assert errors == []

    asyncio.run(strict())
