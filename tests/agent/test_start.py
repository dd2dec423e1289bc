"""The agent's start and its sockets, as a process: what a person gets wrong, said in a sentence."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, AnyMessage, Ask, Beat, Desired, Hello, Message, Welcome
from bgpd.ipc.server import Server
from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName
from tests.agent.running import running as kept_up
from tests.agent.test_planner import CONFIGURATION, Document, endpoints, node, ours, service

EX_CONFIG = 78
PEER = ours("BGPPeer", "twin", myASN=65000, peerASN=65530, peerAddress="10.0.0.0")
PATIENCE = 40.0
_M = TypeVar("_M", bound=Message)


def write(directory: Path, *documents: Document) -> Path:
    """Put *documents* into one file of *directory*."""
    directory.mkdir(exist_ok=True)
    beside = directory / ".new"
    beside.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    return beside.rename(directory / "all.json")


def command(directory: Path, *, state: bool = False) -> list[str]:
    """Return the command line of an agent that reads *directory*/documents.

    With *state* it remembers in *directory* what it accepted.
    """
    options = {"state-dir": str(directory)} if state else {}
    options |= {
        "node": "n1",
        "source": f"directory:{directory / 'documents'}",
        "cluster-uid": "c",
        "run-dir": str(directory),
    }
    return [
        *(sys.executable, "-m", "bgpd.agent"),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


@contextmanager
def running(directory: Path, *, state: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent until the block ends."""
    line = command(directory, state=state)
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as agent:
        try:
            yield agent
        finally:
            agent.terminate()
            agent.wait(PATIENCE)


def status(directory: Path) -> dict[str, object]:
    """Return what the agent says of itself, as soon as it says anything."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            content = ask(
                directory / "agent.sock", Ask(question="status"), timeout=PATIENCE
            ).content
        except BgpdError:
            assert time.monotonic() < end, "the agent never answered"
            time.sleep(0.05)
            continue
        assert isinstance(content, dict)
        return content


def messages(directory: Path) -> list[str]:
    """Return the messages of the agent's conditions."""
    conditions = status(directory)["conditions"]
    assert isinstance(conditions, list)
    return [condition["message"] for condition in conditions]


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        pytest.param(
            [*CONFIGURATION, PEER], "spec.peerAddress 10.0.0.0 is already", id="a duplicate peer"
        ),
        pytest.param(
            [{**node("n1", "10.0.0.1"), "status": {}}, *CONFIGURATION[1:]],
            "Node n1 has no IPv4 address",
            id="a node without an address",
        ),
        pytest.param(
            CONFIGURATION[1:], "no Node document named n1", id="a node without a document"
        ),
    ],
)
def test_a_configuration_that_cannot_work_ends_the_start(
    tmp_path: Path, documents: list[Document], sentence: str
) -> None:
    """At a start a person is there to read it: one sentence and exit 78."""
    write(tmp_path / "documents", *documents)
    done = subprocess.run(
        command(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == EX_CONFIG
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("bgpd agent: ")
    assert sentence in last
    assert "Traceback" not in done.stderr


def test_a_directory_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    """The sentence names the path and the remedy."""
    done = subprocess.run(
        command(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == EX_CONFIG
    assert "documents" in done.stderr
    assert "create it" in done.stderr


def test_the_same_mistake_at_run_time_is_a_condition(tmp_path: Path) -> None:
    """A running agent keeps what works and says what it refused."""
    documents = tmp_path / "documents"
    write(documents, *CONFIGURATION)
    with running(tmp_path) as agent:
        assert status(tmp_path)["synced"]
        write(documents, *CONFIGURATION, PEER)
        end = time.monotonic() + PATIENCE
        while not any("already that of BGPPeer tor" in text for text in messages(tmp_path)):
            assert time.monotonic() < end, "the mistake was not reported"
            time.sleep(0.02)
        write(documents, *CONFIGURATION)
        while messages(tmp_path):
            assert time.monotonic() < end, "the correction was not noticed"
            time.sleep(0.02)
        assert agent.poll() is None


def test_a_second_agent_is_refused(tmp_path: Path) -> None:
    """Two agents would take turns at telling the speaker different things."""
    write(tmp_path / "documents", *CONFIGURATION)
    with running(tmp_path) as agent:
        status(tmp_path)
        done = subprocess.run(
            command(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == EX_CONFIG
        assert f"another bgpd agent is running (pid {agent.pid})" in done.stderr
        assert agent.poll() is None


def test_a_signal_ends_the_agent_cleanly(tmp_path: Path) -> None:
    """SIGTERM is no error, and the socket goes with the process."""
    write(tmp_path / "documents", *CONFIGURATION)
    with running(tmp_path) as agent:
        status(tmp_path)
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
    assert not (tmp_path / "agent.sock").exists()


class Speaker:
    """A handler that greets agents and remembers what they say."""

    def __init__(self) -> None:
        self.heard: list[AnyMessage] = []
        self._something = asyncio.Event()

    async def hear(self, kind: type[_M]) -> _M:
        """Return the first message of *kind*, as soon as there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.heard:
                    if isinstance(message, kind):
                        return message
                self._something.clear()
                await self._something.wait()

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet, or remember."""
        if isinstance(message, Hello):
            connection.send(Welcome(version=VERSION, node=NodeName("n1")))
        else:
            self.heard.append(message)
            self._something.set()

    def closed(self, connection: Connection) -> None:
        """Nothing to do."""


async def first_words(directory: Path) -> Desired:
    """Run an agent beside a speaker until it has said a whole state; return that."""
    speaker = Speaker()
    async with Server(directory / "speaker.sock", speaker):
        agent = await asyncio.create_subprocess_exec(
            *command(directory, state=True), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            return await speaker.hear(Desired)
        finally:
            with suppress(ProcessLookupError):
                agent.terminate()
            await agent.wait()


SERVED = [
    *CONFIGURATION,
    service("web", "203.0.113.1"),
    endpoints("web", "n1"),
    service("gone", "203.0.113.2"),
    endpoints("gone", "n1"),
]
LOST = [*CONFIGURATION, *SERVED[5:8], endpoints("gone", "n2")]
"""The endpoint of 203.0.113.2 moved away while the agent was down."""


def accept(directory: Path) -> None:
    """Let an agent accept `SERVED` and go."""
    write(directory / "documents", *SERVED)
    first = asyncio.run(first_words(directory))
    assert len(first.advertisements) == 2


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        pytest.param([*LOST, PEER], "is already that of BGPPeer tor", id="a duplicate peer"),
        pytest.param(
            [{**node("n1", "10.0.0.1"), "status": {}}, *LOST[1:]],
            "Node n1 has no IPv4 address",
            id="a node without an address",
        ),
        pytest.param(
            [*LOST[:4], ours("BGPPeer", "tor", myASN=0, peerASN=65530), *LOST[5:]],
            "BGPPeer tor: the version that was accepted last is in force",
            id="a peer that is no peer",
        ),
        pytest.param(
            [*LOST[:2], ours("IPAddressPool", "pool", addresses=["nonsense"]), *LOST[3:]],
            "IPAddressPool pool: the version that was accepted last is in force",
            id="a pool that is no pool",
        ),
    ],
)
def test_a_restart_onto_a_mistake_follows_the_rest(
    tmp_path: Path, documents: list[Document], said: str
) -> None:
    """The object in error stays as it was accepted; an endpoint lost meanwhile is withdrawn."""
    accept(tmp_path)
    write(tmp_path / "documents", *documents)
    desired = asyncio.run(first_words(tmp_path))
    assert [one.prefix for one in desired.advertisements] == ["203.0.113.1/32"]
    assert [peer.address for peer in desired.peers] == ["10.0.0.0"]
    with running(tmp_path, state=True):
        assert any(said in text for text in messages(tmp_path))


def test_a_restart_onto_a_file_that_is_no_document_keeps_all_of_it(tmp_path: Path) -> None:
    """What cannot be read is unknown, not empty."""
    accept(tmp_path)
    (tmp_path / "documents" / "all.json").write_text("{")
    desired = asyncio.run(first_words(tmp_path))
    assert len(desired.advertisements) == 2


def test_a_file_that_went_while_the_agent_was_down_is_gone(tmp_path: Path) -> None:
    """A removal is a fact, not a mistake: it is in the first words already."""
    accept(tmp_path)
    (tmp_path / "documents" / "all.json").unlink()
    (tmp_path / "documents" / "more.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": CONFIGURATION})
    )
    desired = asyncio.run(first_words(tmp_path))
    assert desired.advertisements == ()


async def written_to(path: Path) -> None:
    """Have a file look as one does that somebody writes: one that rests for long is read."""
    while True:
        os.utime(path)
        await asyncio.sleep(1.0)


def test_nothing_is_said_before_every_file_was_read(tmp_path: Path) -> None:
    """A file that somebody still writes at the start is unknown, not empty."""
    write(tmp_path / "documents", *CONFIGURATION)

    async def story() -> tuple[int, int]:
        speaker = Speaker()
        busy = tmp_path / "documents" / "services.json"
        with busy.open("w") as file:
            async with Server(tmp_path / "speaker.sock", speaker), kept_up(written_to(busy)):
                agent = await asyncio.create_subprocess_exec(
                    *command(tmp_path), stderr=asyncio.subprocess.DEVNULL
                )
                try:
                    await speaker.hear(Beat)
                    before = sum(isinstance(one, Desired) for one in speaker.heard)
                    json.dump({"apiVersion": "v1", "kind": "List", "items": SERVED[5:]}, file)
                    file.close()
                    first = await speaker.hear(Desired)
                finally:
                    agent.terminate()
                    await agent.wait()
        return before, len(first.advertisements)

    assert asyncio.run(story()) == (0, 2)


async def what_the_speaker_hears(directory: Path) -> tuple[int, list[AnyMessage]]:
    """Run an agent to its end beside a speaker; return its exit status and its words."""
    speaker = Speaker()
    async with Server(directory / "speaker.sock", speaker):
        agent = await asyncio.create_subprocess_exec(
            *command(directory), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(PATIENCE):
            status_code = await agent.wait()
    return status_code, speaker.heard


def test_a_refused_start_tells_the_speaker_nothing(tmp_path: Path) -> None:
    """What ends the start must not first withdraw the routes that the speaker kept alive."""
    write(tmp_path / "documents", *CONFIGURATION, PEER)
    code, heard = asyncio.run(what_the_speaker_hears(tmp_path))
    assert code == EX_CONFIG
    assert not [message for message in heard if isinstance(message, Desired)]
