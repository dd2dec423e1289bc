"""Facts about the client that stays connected, and about one question and its answer."""

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.client import FIRST_DELAY, FIRST_TRIES, LAST_DELAY, Client, delays
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import (
    VERSION,
    Answer,
    AnyMessage,
    Applied,
    Ask,
    Beat,
    Hello,
    Welcome,
    encode,
)
from bgpd.ipc.server import Server
from bgpd.model.errors import ProtocolError, TransientError
from bgpd.model.member import NodeName
from tests.ipc.fakes import Listening, Recorder, running, until


def test_a_client_says_hello_and_is_welcomed(tmp_path: Path) -> None:
    """Both ends know each other's version before anything else is said."""

    async def story() -> None:
        handler, listener = Recorder(), Listening()
        async with Server(tmp_path / "speaker.sock", handler) as server:
            client = Client(server.path, listener, program="bgpd-agent/0.1.0")
            async with running(client):
                await until(lambda: listener.connections)
                assert client.welcome == Welcome(version=VERSION, node=NodeName("n1"))
                assert client.connection is listener.connections[0]
                client.connection.send(Beat())
                await until(lambda: len(handler.messages) == 2)
            hello = Hello(version=VERSION, role="agent", program="bgpd-agent/0.1.0")
            assert handler.messages == [hello, Beat()]

    asyncio.run(story())


def longer(items: Sized, than: int) -> Callable[[], bool]:
    """Return whether *items* holds more than it did."""
    return lambda: len(items) > than


def test_a_client_comes_back_after_the_speaker_restarted(tmp_path: Path) -> None:
    """Each connection is announced, so that the whole desired state is sent again."""

    async def story() -> None:
        path, listener = tmp_path / "speaker.sock", Listening()
        async with running(Client(path, listener)):
            await until(lambda: listener.reasons)
            assert "No such file" in listener.reasons[0]
            for restarts in range(1, 4):
                async with Server(path, Recorder()):
                    await until(longer(listener.connections, restarts - 1))
                await until(longer(listener.reasons, len(listener.reasons)))
        assert not any(connection.open for connection in listener.connections)

    asyncio.run(story())


def test_a_speaker_that_stays_away_is_reported_once(tmp_path: Path) -> None:
    """A log that repeats one sentence each second hides the others."""

    async def story() -> None:
        listener = Listening()
        client = Client(tmp_path / "speaker.sock", listener)
        async with running(client):
            await until(lambda: client.counters["attempts"] >= 4)
        assert len(listener.reasons) == 1

    asyncio.run(story())


def test_messages_reach_the_listener_in_order(tmp_path: Path) -> None:
    """What the speaker sends after its welcome arrives as it was sent."""

    class Eager(Recorder):
        def received(self, connection: Connection, message: AnyMessage) -> None:
            super().received(connection, message)
            for number in range(50):
                connection.send(Applied(sequence=number))

    async def story() -> None:
        listener = Listening()
        async with (
            Server(tmp_path / "speaker.sock", Eager()) as server,
            running(Client(server.path, listener)),
        ):
            await until(lambda: len(listener.messages) == 50)
        assert listener.messages == [Applied(sequence=number) for number in range(50)]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        pytest.param(VERSION - 2, False, id="two versions back is refused"),
        pytest.param(VERSION - 1, True, id="the version before is served"),
        pytest.param(VERSION + 1, True, id="a newer one decides for itself"),
    ],
)
def test_versions_one_apart_work_together(tmp_path: Path, version: int, *, accepted: bool) -> None:
    """During an upgrade n and n-1 sit at the two ends of one socket."""

    async def story() -> None:
        listener = Listening()
        async with (
            Server(tmp_path / "speaker.sock", Recorder(version=version)) as server,
            running(Client(server.path, listener)),
        ):
            await until(lambda: listener.connections or listener.reasons)
        assert bool(listener.connections) is accepted
        if not accepted:
            assert "upgrade the speaker" in listener.reasons[0]

    asyncio.run(story())


def test_a_report_in_words_of_a_newer_speaker_ends_no_connection(tmp_path: Path) -> None:
    """An agent that came again each time would say its whole state fifty times a second."""
    lines = Path(__file__).with_name("version1.jsonl").read_bytes().splitlines(keepends=True)
    (report,) = (line for line in lines if b'"kind":"report"' in line)

    async def story() -> None:
        handler, listener = Recorder(), Listening()
        async with Server(tmp_path / "speaker.sock", handler) as server:
            client = Client(server.path, listener)
            async with running(client):
                await until(lambda: listener.connections)
                (connection,) = handler.connections
                connection.send_line(report.replace(b'"OutsidePools"', b'"InventedLater"'))
                connection.send(Applied(sequence=7))
                await until(lambda: listener.messages or listener.reasons)
                assert client.counters["unknown_kind"] == 1
        assert listener.messages == [Applied(sequence=7)]

    asyncio.run(story())


def test_a_speaker_that_does_not_welcome_is_left(tmp_path: Path) -> None:
    """A speaker that hangs after accepting does not hold the agent."""

    async def story() -> None:
        handler, listener = Recorder(welcomes=False), Listening()
        async with (
            Server(tmp_path / "speaker.sock", handler) as server,
            running(Client(server.path, listener, welcome_seconds=0.1)),
        ):
            await until(lambda: len(handler.connections) == 2)
        assert listener.connections == []
        assert "not welcomed in time" in listener.reasons[0]

    asyncio.run(story())


def test_pauses_grow_from_short_to_a_second() -> None:
    """While a speaker starts the retries are quick; later no pause is longer than a second."""
    longest = list(itertools.islice(delays(lambda: 1.0), FIRST_TRIES + 20))
    shortest = list(itertools.islice(delays(lambda: 0.0), FIRST_TRIES + 20))
    assert set(longest[:FIRST_TRIES]) == {FIRST_DELAY}
    assert max(longest) == LAST_DELAY
    assert sorted(longest) == longest
    assert shortest == [pause / 2 for pause in longest]


@contextmanager
def answering(path: Path, *lines: bytes) -> Iterator[None]:
    """Listen on *path*; once asked, say *lines* and close. Without lines: never answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        over = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                heard = b""
                while heard.count(b"\n") < 2:
                    heard += client.recv(4096)
                for line in lines:
                    client.sendall(line)
                if not lines:
                    over.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


STATUS = Ask(question="status")


def test_an_answer_is_found_among_other_messages(tmp_path: Path) -> None:
    """The welcome, and kinds that only a newer version knows, come first and are skipped."""
    path = tmp_path / "agent.sock"
    lines = (
        encode(Welcome(version=VERSION, node=NodeName("n1"))) + b'{"kind":"invented"}\n',
        encode(Answer(content={"node": "n1"}))[:10],
        encode(Answer(content={"node": "n1"}))[10:],
    )
    with answering(path, *lines):
        assert ask(path, STATUS, timeout=20).content == {"node": "n1"}


def test_no_answer_in_time_is_a_sentence(tmp_path: Path) -> None:
    """A process that hangs costs the person at the terminal the timeout and no more."""
    path = tmp_path / "agent.sock"
    with answering(path), pytest.raises(TransientError, match=r"no answer within 0\.2 s"):
        ask(path, STATUS, timeout=0.2)


def test_a_connection_that_closes_early_is_a_sentence(tmp_path: Path) -> None:
    """An answer that never comes is told apart from one that says nothing."""
    path = tmp_path / "agent.sock"
    welcome = encode(Welcome(version=VERSION, node=NodeName("n1")))
    with answering(path, welcome), pytest.raises(TransientError, match="closed before it answered"):
        ask(path, STATUS, timeout=20)


def test_an_answer_that_is_none_is_a_protocol_error(tmp_path: Path) -> None:
    """Something else that listens on our path is not believed."""
    path = tmp_path / "agent.sock"
    with answering(path, b"HTTP/1.1 400 Bad Request\r\n"), pytest.raises(ProtocolError):
        ask(path, STATUS, timeout=20)


def test_a_path_that_nobody_listens_on_is_a_sentence(tmp_path: Path) -> None:
    """A missing socket and a stale one are told apart."""
    path = tmp_path / "agent.sock"
    with pytest.raises(TransientError, match="no such socket"):
        ask(path, STATUS, timeout=20)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with pytest.raises(TransientError, match="nobody listens here any more"):
        ask(path, STATUS, timeout=20)
