"""Hostile servers: each is a failure with a sentence, and none delays the probe beside it."""

import asyncio
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.health.outcome import Fault
from bgpd.model.health import DNS, GRPC, TLS, Health, HTTPGet, Probe, TCPSocket
from tests.health.asking import (
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
