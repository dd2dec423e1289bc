"""TLS: who is trusted, what name is asked for, and what is said when it goes wrong."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.health.conversation import Destination
from bgpd.health.outcome import Fault, Outcome, failed
from bgpd.health.poller import Poller
from bgpd.health.stream import Stream
from bgpd.health.tcpsocket import TCPRecipe
from bgpd.health.trust import Secure, Trust
from bgpd.model.health import TLS, Health, HTTPGet, TCPSocket
from tests.health.asking import PATIENT, QUICK, asking, healthy, job, serving, until
from tests.health.certificates import make_certificates

Story = Callable[[int, Path, list[str | None]], Awaitable[None]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with certificates."""
    directory = tmp_path_factory.mktemp("tls")
    make_certificates(directory)
    return directory


def story(certificates: Path, body: Story) -> None:
    """Run *body* with the port of an HTTPS server and the names that it is asked for."""

    async def run() -> None:
        names: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        context.sni_callback = lambda _, name, __: names.append(name)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await healthy(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
        try:
            await body(server.sockets[0].getsockname()[1], certificates, names)
        finally:
            server.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("tls", "asked_name"),
    [
        pytest.param(TLS(), None, id="whoever it is"),
        pytest.param(TLS(server_name="shop.example"), "shop.example", id="whoever it is, by name"),
        pytest.param(TLS(verify=True, ca_file="ca.pem"), None, id="trusted, by its address"),
        pytest.param(
            TLS(verify=True, ca_file="ca.pem", server_name="shop.example"),
            "shop.example",
            id="trusted, by name",
        ),
    ],
)
def test_healthy(certificates: Path, tls: TLS, asked_name: str | None) -> None:
    """A server is asked with TLS, by the name that was configured."""

    async def body(port: int, directory: Path, names: list[str | None]) -> None:
        ca_file = str(directory / tls.ca_file) if tls.ca_file else ""
        probe = HTTPGet(tls=replace(tls, ca_file=ca_file))
        async with asking(job(probe, port)) as asked:
            await asked.until_health(Health.HEALTHY)
            await asked.until_asked(3)
        assert set(names) == {asked_name}
        assert asked.states["job"].failures == 0

    story(certificates, body)


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        pytest.param(TLS(verify=True), "certificate that is not trusted: self", id="a stranger's"),
        pytest.param(
            TLS(verify=True, ca_file="ca.pem", server_name="bank.example"),
            "certificate that is not trusted: Hostname mismatch",
            id="for another name",
        ),
    ],
)
def test_not_trusted(certificates: Path, tls: TLS, said: str) -> None:
    """A certificate that must be trusted and is not is a failure that says why."""

    async def body(port: int, directory: Path, names: list[str | None]) -> None:
        del names
        ca_file = str(directory / tls.ca_file) if tls.ca_file else ""
        async with asking(job(HTTPGet(tls=replace(tls, ca_file=ca_file)), port)) as asked:
            state = await asked.until_health(Health.UNHEALTHY)
        assert state.fault is Fault.TLS
        assert said in state.message or "unable to get local issuer" in state.message

    story(certificates, body)


def test_authorities_that_cannot_be_read_are_our_fault() -> None:
    """A file that is not there makes nothing Unhealthy; its name is in the sentence."""

    async def body() -> None:
        tls = TLS(verify=True, ca_file="/nonexistent/ca.pem")
        async with asking(job(HTTPGet(tls=tls), 443)) as asked:
            await asked.until(lambda: "there is no such file" in asked.states["job"].message)
            state = asked.states["job"]
        assert (state.health, state.failures) == (Health.UNKNOWN, 0)
        assert "tls.caFile /nonexistent/ca.pem cannot be used" in state.message

    asyncio.run(body())


@pytest.mark.parametrize("name", [".example", "a..b", "x" * 64, "a\0b"])
def test_what_is_no_name_is_our_fault(name: str) -> None:
    """A slip in `serverName` makes nothing Unhealthy; it is named in the sentence."""

    async def body() -> None:
        rhythm = replace(QUICK, timeout_milliseconds=5000)
        wrong = job(HTTPGet(tls=TLS(server_name=name)), 443, rhythm=rhythm)
        async with asking(wrong) as asked:
            state = await asked.until_asked(2)
        assert (state.health, state.failures) == (Health.UNKNOWN, 0)
        assert f"was not asked: tls.serverName: {name!r} is no name of a host" in state.message

    asyncio.run(body())


class _Reset(Secure):
    """As `ssl` is where the connection ends while it looks at it."""

    def wrap(self, connected: socket.socket) -> ssl.SSLSocket:
        connected.close()
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_tls_that_cannot_begin_leaves_nobody_waiting() -> None:
    """The connection takes a moment and is reset: whoever wraps it has closed the descriptor."""
    secure = _Reset(context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server_name=None)
    outcomes: list[Outcome] = []

    async def body(listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        poller = Poller(asyncio.get_running_loop())
        where, recipe = Destination.of(job(TCPSocket(), port)), TCPRecipe(TCPSocket())
        stream = Stream(poller, where, recipe.exchange(0), outcomes.append, secure)
        assert stream.start() is None
        listener.accept()[0].close()
        await until(lambda: bool(outcomes), lambda: "nobody said that TLS cannot begin")
        poller.close()

    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        asyncio.run(body(listener))
    assert outcomes == [failed(Fault.CLOSED, "reset the connection")]


def test_a_file_that_hangs_takes_one_thread() -> None:
    """All that the agent does in threads shares a few: nobody reads it again before its end."""

    class Hanging(asyncio.SelectorEventLoop):
        threads = 0

        def time(self) -> float:
            return super().time() + 1000.0 * self.threads

        def run_in_executor(self, *_: object) -> asyncio.Future[Any]:
            self.threads += 1
            return self.create_future()

    loop = Hanging()
    try:
        trust = Trust(loop)
        for _ in range(10):
            found = trust.secure(TLS(verify=True, ca_file="/hangs/ca.pem"), "127.0.0.1")
            assert isinstance(found, Outcome)
            assert found.success is None
        assert loop.threads == 1
    finally:
        loop.close()


def test_a_server_without_tls() -> None:
    """Plain HTTP where TLS is expected is named."""

    async def body() -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1024)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with (
            serving(plain) as port,
            asking(job(TCPSocket(tls=TLS()), port, rhythm=replace(PATIENT))) as asked,
        ):
            state = await asked.until_health(Health.UNHEALTHY)
        assert state.fault is Fault.TLS
        assert state.message == f"127.0.0.1:{port} does not speak TLS with us: wrong version number"

    asyncio.run(body())


def test_a_body_of_many_records_is_read(certificates: Path) -> None:
    """Text beyond the first record of 16 KiB is found."""

    async def body() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        page = b"x" * 50_000 + b"ready"

        async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50005\r\n\r\n" + page)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(large, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        probe = HTTPGet(body="ready", tls=TLS())
        async with asking(job(probe, port), job(probe, port, key="b", rhythm=QUICK)) as asked:
            await asked.until_health(Health.HEALTHY)
        server.close()

    asyncio.run(body())
