"""Hostile servers: each is a failure with a sentence, and none delays the probe beside it."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.health.outcome import Fault
from bgpd.model.health import DNS, GRPC, NTP, TLS, Health, HTTPGet, Probe, TCPSocket
from tests.health.asking import (
    LOCALHOST,
    QUICK,
    Talk,
    asking,
    closing,
    dripping,
    endless_headers,
    flooding,
    healthy,
    job,
    resetting,
    serving,
    silent,
)

_PROBES: Final[Mapping[str, Probe]] = {
    "http": HTTPGet(),
    "https": HTTPGet(tls=TLS()),
    "tcp": TCPSocket(send="hello", expect="welcome"),
    "tcp with TLS": TCPSocket(send="hello", expect="welcome", tls=TLS()),
    "dns": DNS(name="example", tcp=True),
    "grpc": GRPC(),
    "grpc with TLS": GRPC(tls=TLS()),
}
_TALKS = (silent, dripping, resetting, closing, flooding, endless_headers)


@pytest.mark.parametrize("talk", [pytest.param(talk, id=talk.__name__) for talk in _TALKS])
def test_hostile_servers(talk: Talk) -> None:
    """Every kind of probe fails on it and says so, while a good server stays Healthy."""

    async def body() -> None:
        async with serving(talk) as port, serving(healthy) as good:
            jobs = [job(probe, port, key=key, rhythm=QUICK) for key, probe in _PROBES.items()]
            async with asking(*jobs, job(HTTPGet(), good, key="good")) as asked:
                for key in _PROBES:
                    state = await asked.until_health(Health.UNHEALTHY, key)
                    assert state.fault not in {None, Fault.NOT_ASKED}, state
                    assert state.message.startswith(f"127.0.0.1:{port} ")
                await asked.until_asked(10, "good")
                assert asked.states["good"].failures == 0
                assert all(asked.states[key].unasked == 0 for key in _PROBES)

    asyncio.run(body())


@pytest.mark.parametrize(
    ("replies", "dns", "ntp"),
    [
        pytest.param(lambda _: [], "did not answer within", "did not answer within", id="silent"),
        pytest.param(
            lambda query: [query],
            "answered what is not DNS: it is a query, not an answer",
            "answered in NTP mode 3, not as a server",
            id="an echo",
        ),
        pytest.param(
            lambda query: [query[:7]],
            "answered what is not DNS: its message of 7 bytes ends too early",
            "answered 7 bytes, which is not NTP",
            id="the beginning of an echo",
        ),
        pytest.param(
            lambda query: [bytes([~query[0] & 255]) + b"\x24" * 60] * 300,
            "answered nothing but with another query's number within",
            "answered",
            id="a flood of nonsense",
        ),
        pytest.param(
            lambda query: [query[:2] + b"\x81\x80" + b"\xff" * 30_000],
            "answered what is not DNS: it holds 65535 questions and 65535 answers",
            "answered",
            id="the largest nonsense",
        ),
    ],
)
def test_hostile_datagrams(replies: Callable[[bytes], list[bytes]], dns: str, ntp: str) -> None:
    """Both kinds of datagrams fail on it and say so, while a good server stays Healthy."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.bind((LOCALHOST, 0))
            opened.setblocking(False)

            def answer() -> None:
                query, sender = opened.recvfrom(512)
                for reply in replies(query):
                    with suppress(OSError):
                        opened.sendto(reply, sender)

            loop.add_reader(opened.fileno(), answer)
            port = opened.getsockname()[1]
            rhythm = replace(QUICK, timeout_milliseconds=1000)
            jobs = [
                job(DNS(name="example"), port, key="dns", rhythm=rhythm),
                job(NTP(), port, key="ntp", rhythm=rhythm),
            ]
            async with (
                serving(healthy) as good,
                asking(*jobs, job(HTTPGet(), good, key="good")) as asked,
            ):
                for key, said in (("dns", dns), ("ntp", ntp)):
                    state = await asked.until_health(Health.UNHEALTHY, key)
                    assert said in state.message
                await asked.until_asked(5, "good")
                assert asked.states["good"].failures == 0
            loop.remove_reader(opened.fileno())

    asyncio.run(body())


@settings(max_examples=25)
@given(pieces=st.lists(st.binary(min_size=1, max_size=60), max_size=4), hang=st.booleans())
def test_any_bytes_from_a_server(pieces: list[bytes], hang: bool) -> None:
    """Whatever a server says in however many segments, no probe of any kind is left unjudged."""

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if hang:
            await silent(reader, writer)

    async def body() -> None:
        async with serving(noise) as port:
            jobs = [job(probe, port, key=key, rhythm=QUICK) for key, probe in _kinds().items()]
            async with asking(*jobs) as asked:
                for key in _kinds():
                    state = await asked.until_asked(1, key)
                    assert state.unasked == 0, state
                    assert state.message

    asyncio.run(body())


def _kinds() -> dict[str, Probe]:
    return {key: _PROBES[key] for key in ("http", "https", "tcp", "dns", "grpc")}
