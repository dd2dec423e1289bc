"""From where a probe asks, and who may answer: addresses of both families."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from bgpd.health.job import Job
from bgpd.model.health import NTP, Health, HTTPGet, TCPSocket
from bgpd.model.prefix import Address
from tests.health.asking import (
    LOCALHOST,
    QUICK,
    asking,
    healthy,
    job,
    serving,
)
from tests.lacking import lacking


def story(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *body* in a loop of its own."""
    asyncio.run(body())


def test_the_source_address_is_used() -> None:
    """The server sees the address that was configured."""

    async def body() -> None:
        seen: list[str] = []

        async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(writer.get_extra_info("peername")[0])
            await healthy(reader, writer)

        async with (
            serving(noting) as port,
            asking(job(HTTPGet(), port, source="127.0.0.9")) as asked,
        ):
            await asked.until_health(Health.HEALTHY)
        assert set(seen) == {"127.0.0.9"}

    story(body)


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        pytest.param(
            job(HTTPGet(), 80, source="192.0.2.77"),
            "127.0.0.1:80 could not be asked: the source address is not of this node, or no local"
            " port is free",
            id="a source address of another node",
        ),
        pytest.param(
            job(HTTPGet(), 80, source="2001:db8::1"),
            "127.0.0.1:80 was not asked: sourceAddress 2001:db8::1 and 127.0.0.1 are of different"
            " families",
            id="a source address of another family",
        ),
        pytest.param(
            job(HTTPGet(path="x"), 80),
            "127.0.0.1:80 was not asked: path: 'x' must begin with / and hold no space",
            id="a request that cannot be written",
        ),
        pytest.param(
            job(TCPSocket(), 0),
            "127.0.0.1:0 was not asked: port 0 must be 1..65535",
            id="no port",
        ),
    ],
)
def test_what_cannot_be_asked_stays_unknown(asked_for: Job, said: str) -> None:
    """A mistake in a document is a sentence and a count, and never Unhealthy."""

    async def body() -> None:
        async with asking(asked_for) as asked:
            state = await asked.until_asked(3)
        assert state.message == said
        assert (state.health, state.failures, state.probes) == (Health.UNKNOWN, 0, 0)

    story(body)


def test_an_answer_from_another_address_is_named() -> None:
    """A server that answers from the wrong address does not work, and the sentence says why."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong,
        ):
            right.bind((LOCALHOST, 0))
            wrong.bind(("127.0.0.2", 0))
            right.setblocking(False)

            def answer() -> None:
                data, sender = right.recvfrom(512)
                wrong.sendto(data, sender)

            loop.add_reader(right.fileno(), answer)
            port = right.getsockname()[1]
            rhythm = replace(QUICK, timeout_milliseconds=500)
            async with asking(job(NTP(), port, rhythm=rhythm)) as asked:
                state = await asked.until_health(Health.UNHEALTHY)
            loop.remove_reader(right.fileno())
            stranger = wrong.getsockname()[1]
        assert state.message == (
            f"127.0.0.1:{port} did not answer, but 127.0.0.2 (port {stranger}) did within 500 ms"
        )

    story(body)


def test_ipv6() -> None:
    """Addresses of version 6 are asked, and written in brackets."""
    if not _speaks_ipv6():
        lacking("this host has no ::1", unproven="probes of IPv6", in_ci=True)

    async def body() -> None:
        async with (
            serving(healthy, "::1") as port,
            asking(job(HTTPGet(), port, address=Address("::1"))) as asked,
        ):
            state = await asked.until_health(Health.HEALTHY)
            assert state.message == f"[::1]:{port} answered 200"

    story(body)


def _speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as opened:
            opened.bind(("::1", 0))
    except OSError:
        return False
    return True
