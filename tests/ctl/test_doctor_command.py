"""`bgpctl doctor` as a command: what it prints, how it ends, what it does when nothing answers."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from bgpd.agent.memory import Memory, Snapshot
from bgpd.ctl import doctorkernel, doctormetadata, doctorreach
from bgpd.ctl.doctorfacts import Answer, Way
from bgpd.ctl.doctorpage import BEGIN, END, PAGE, updated
from bgpd.ctl.doctorthreads import Looks
from bgpd.ipc.message import Answer as Reply
from bgpd.kube.documents import Key, Object
from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPPeer
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, PeerName
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import ProviderChoice, ProviderKind
from tests.ctl.fakes import Result, bgpctl, serving, shown
from tests.ctl.samples import NODE, SPEAKER
from tests.powerless import POWERLESS

ROOT = Path(__file__).parents[2]
LOOPBACK = Address("127.0.0.1")


def doctor(directory: Path, *words: str) -> Result:
    """Run doctor on a node whose sockets and state would be in *directory*."""
    where = ("--run-dir", str(directory), "--state-dir", str(directory), "--timeout", "0.5")
    return asyncio.run(bgpctl("doctor", *where, *words))


def test_a_node_on_which_nothing_runs_is_examined_all_the_same(tmp_path: Path) -> None:
    """Agent and speaker fail; the kernel is asked; the rest says what it could not look at."""
    result = doctor(tmp_path)
    assert (result.status, result.errors) == (1, "")
    lines = result.output.splitlines()
    assert lines[0].endswith("begin with agent")
    assert max(map(len, lines)) <= 80
    assert "no router is known" in result.output


def test_a_directory_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    """Neither a state directory nor a run directory needs to exist."""
    result = doctor(tmp_path / "nowhere", "-o", "json")
    found = json.loads(result.output)
    assert (result.status, result.errors) == (1, "")
    failed = {one["check"] for one in found["items"] if one["level"] == "FAIL"}
    assert {"agent", "speaker"} <= failed


def test_a_state_directory_of_somebody_elses_is_no_wrong_usage(tmp_path: Path) -> None:
    """It is root's, for nobody else to read, and doctor is for everybody."""
    closed = tmp_path / "state"
    closed.mkdir(0o000)
    where = (f"--run-dir={tmp_path}", f"--state-dir={closed}", "--timeout=0.5")
    line = [*(POWERLESS if os.geteuid() == 0 else ()), sys.executable, "-m", "bgpd.ctl", "doctor"]
    done = subprocess.run([*line, *where], capture_output=True, text=True, check=False, timeout=60)
    closed.chmod(0o700)
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL  agent" in done.stdout


def test_sockets_that_never_answer_cost_their_timeout(tmp_path: Path) -> None:
    """A stopped agent and a stopped speaker are waited for at the same time."""

    async def story() -> Result:
        async with serving(tmp_path, agent={}, speaker={}):
            return await bgpctl("doctor", "--run-dir", str(tmp_path), "--timeout", "0.3")

    result = asyncio.run(story())
    assert result.status == 1
    # A long path leaves the words on two lines.
    assert " ".join(result.output.split()).count("no answer within 0.3 s") == 2


def test_a_person_who_waits_is_told_for_what(tmp_path: Path) -> None:
    """After a second, on a terminal, on standard error; it is taken back at the end."""

    async def story() -> int | None:
        async with serving(tmp_path, agent={}, speaker={}):
            words = ("doctor", "--run-dir", str(tmp_path), "--timeout", "6")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bgpd.ctl", *words),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=terminal,
            )
            return await process.wait()

    person, terminal = os.openpty()
    try:
        assert asyncio.run(story()) == 1
        said = shown(person, terminal)
    finally:
        os.close(person)
    assert "waiting for agent, speaker" in said
    assert said.endswith("\r\x1b[K")


def test_a_node_that_answers_is_named(tmp_path: Path) -> None:
    """The sessions of the speaker are looked at, though no such router is here."""

    async def story() -> Result:
        answers = {"agent": {"status": Reply(content=NODE)}}
        answers["speaker"] = {"status": Reply(content=SPEAKER)}
        async with serving(tmp_path, **answers):
            where = ("--run-dir", str(tmp_path), "--state-dir", str(tmp_path))
            return await bgpctl("doctor", *where, "-o", "json", "--only", "agent,open")

    result = asyncio.run(story())
    found = json.loads(result.output)
    assert found["node"] == "n1"
    assert {(one["check"], one["subject"]) for one in found["items"]} == {
        ("agent", ""),
        ("open", "tor-a"),
        ("open", "tor-b"),
    }


def test_the_same_in_yaml(tmp_path: Path) -> None:
    """For whoever reads it with eyes and programs."""
    result = doctor(tmp_path, "-o", "yaml", "--only", "clock")
    assert result.output.startswith("apiVersion: bgpd.io/v1alpha1\nkind: Examination\n")
    assert result.status == 0, "what was not asked for does not count"


def test_a_check_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    """The names are told."""
    result = doctor(tmp_path, "--only", "route,mtv")
    assert result.status == 2
    assert "'mtv' is no check" in result.errors


def test_the_page_is_what_the_checks_say() -> None:
    """Whoever changes a check runs `python -m bgpd.ctl.doctorpage .`."""
    text = (ROOT / PAGE).read_text()
    assert updated(text) == text
    with pytest.raises(ValueError, match="no place for the table"):
        updated(text.replace(BEGIN, "").replace(END, ""))


def test_a_look_that_hangs_or_fails_costs_no_other() -> None:
    """What is known when the time is over is what counts."""
    looks = Looks(2.0)
    forever = threading.Event()

    def fail() -> str:
        raise RuntimeError("nobody thought of that")

    looks.start("hangs", forever.wait)
    looks.start("fails", fail)
    looks.start("works", lambda: "well")
    began = time.monotonic()
    assert looks.result("hangs", "late") == "late"
    assert looks.result("fails", "unknown") == "unknown"
    assert looks.result("works", "unknown") == "well"
    assert time.monotonic() - began < 10
    forever.set()
    looks.end()


def test_a_port_says_who_is_behind_it() -> None:
    """A listener, nobody, and a source that this host does not have."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert doctorreach.connect(LOOPBACK, port, LOOPBACK, 5).answer is Answer.YES
        missing = doctorreach.connect(LOOPBACK, port, Address("192.0.2.1"), 5)
        assert missing.answer is Answer.FAILED
        assert "cannot assign requested address" in missing.detail
    assert doctorreach.connect(LOOPBACK, port, None, 5).answer is Answer.REFUSED


def test_a_mesh_port_without_a_speaker_is_refused() -> None:
    """Its kernel says so; a speaker, which never answers an empty datagram, is silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        speaker.bind((LOOPBACK, 0))
        port = speaker.getsockname()[1]
        assert doctorreach.knock(LOOPBACK, port, 0.2).answer is Answer.SILENT
    assert doctorreach.knock(LOOPBACK, port, 5).answer is Answer.REFUSED


def test_the_kernel_tells_routes_and_addresses_to_anybody() -> None:
    """Loopback is there on every host, in every container."""
    host = doctorkernel.host(5)
    assert host.problem == ""
    assert "127.0.0.1" in {one.address for one in host.addresses or () if one.loopback}
    way = doctorkernel.ways([(LOOPBACK, None)], 5)[LOOPBACK]
    assert isinstance(way, Way)
    assert (way.interface, way.ours) == ("lo", True)


def test_the_kernel_tells_of_connections_to_a_port() -> None:
    """By the address of the other end, with the size of packets; others are not mistaken for it."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert doctorkernel.connections(port, 5) == {}
        with socket.create_connection((LOOPBACK, port)):
            found = doctorkernel.connections(port, 5)
        assert set(found) == {LOOPBACK}
        assert (found[LOOPBACK].path_mtu or 0) > 1000
        assert 500 < (found[LOOPBACK].segment or 0) < (found[LOOPBACK].path_mtu or 0)


def test_counters_are_read_pair_by_pair(tmp_path: Path) -> None:
    """Names and numbers are on lines of their own; what is neither is left out."""
    path = tmp_path / "netstat"
    path.write_text("TcpExt: A B\nTcpExt: 1 2\nIpExt: C\nIpExt: 3\nOdd: D\n")
    assert doctorkernel.counters(path) == {"A": 1, "B": 2, "C": 3}
    assert doctorkernel.counters(tmp_path / "nowhere") == {}


class _Metadata(BaseHTTPRequestHandler):
    body: ClassVar[bytes] = b""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def metadata(body: bytes) -> Iterator[str]:
    """Serve *body* as a provider would, and yield its URL."""
    _Metadata.body = body
    with ThreadingHTTPServer((LOOPBACK, 0), _Metadata) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}/metadata"
        finally:
            server.shutdown()
            thread.join()


def remembered(directory: Path, url: str) -> None:
    """Have an agent remember one BGPPeer whose provider is at *url*."""
    document = BGPPeer(
        name=PeerName("packet"),
        address=Address("0.0.0.0"),
        peer_asn=Asn(1),
        local_asn=Asn(1),
        families=(Family.IPV4,),
        provider=ProviderChoice(kind=ProviderKind.PACKET, url=url),
    )
    node = Node(name=NodeName("n1"), labels={}, addresses=(Address("10.0.0.5"),))
    objects: dict[Key, Object] = {
        Key("BGPPeer", "", "packet"): document,
        Key("Node", "", "n1"): node,
    }
    Memory(directory, origin="directory:/x").remember(Snapshot(objects=objects))


@pytest.mark.parametrize(
    ("body", "level", "words"),
    [
        pytest.param(b"{", "FAIL", "provider packet: ", id="not a document"),
        pytest.param(b"{}", "FAIL", "provider packet", id="a document without sessions"),
    ],
)
def test_a_provider_is_asked_without_an_agent(
    tmp_path: Path, body: bytes, level: str, words: str
) -> None:
    """What the agent accepted last says which provider that is."""
    with metadata(body) as url:
        remembered(tmp_path, url)
        where = ("--run-dir", str(tmp_path), "--state-dir", str(tmp_path))
        line = ("doctor", *where, "-o", "json", "--only", "metadata")
        result = asyncio.run(bgpctl(*line, BGPD_NODE="n1"))
    (found,) = json.loads(result.output)["items"]
    assert (found["level"], found["subject"]) == (level, "packet")
    assert words in found["sentence"]
    assert found["next"]


def test_a_provider_that_refuses_connections_is_told(tmp_path: Path) -> None:
    """The document is asked for from here, now."""
    remembered(tmp_path, f"http://{LOOPBACK}:1/metadata")
    asked, problem = doctormetadata.documents(tmp_path, "n1")
    assert problem == ""
    ((document, node),) = asked
    facts = doctormetadata.ask(document, node, 2.0)
    assert facts.peers is None
    assert "127.0.0.1:1" in facts.problem
    assert doctormetadata.documents(tmp_path, "n2")[1].endswith("has no Node n2")
