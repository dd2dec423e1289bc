"""The shipped speaker against real routers: stopped and started again, and drained.

What counts is the router's kernel table, and every change of it is recorded while things happen.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.message import VERSION, Ask, Desired, Hello, Standing, encode
from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.route import Advertisement
from bgpd.model.status import SpeakerStatus
from tests.exabgp.link import EIP, NODE_V4, OTHER, peer
from tests.exabgp.rig import Rig, rig
from tests.exabgp.router import bird_session
from tests.exabgp.space import eventually
from tests.exabgp.standstill import standstill
from tests.lacking import lacking

pytestmark = pytest.mark.integration

FRR = Path("/usr/lib/frr")
KEEPS = peer(graceful_restart=60)
GENERATION_1 = 2**31 - 256
PATIENCE = 30.0
"""Seconds that an answer may take: a noisy machine stands still for some of them."""


class Upgraded:
    """A node with the shipped speaker, an agent that says one thing, and a router."""

    def __init__(self, lab: Rig, directory: Path) -> None:
        self.lab = lab
        self.run_dir, self.state_dir = directory / "run", directory / "state"
        self.run_dir.mkdir()
        self.state_dir.mkdir()
        (directory / "key").write_text("k" * 32)
        (directory / "key").chmod(0o600)
        self._directory = directory
        self._speaker: subprocess.Popen[bytes] | None = None
        self._agent: socket.socket | None = None
        self._monitor: subprocess.Popen[bytes] | None = None
        self._frr: list[subprocess.Popen[bytes]] = []

    # The node

    def start(self) -> None:
        """Start the speaker, as a container or systemd would."""
        self._speaker = self.lab.node_space.start(
            *(sys.executable, "-m", "bgpd.ctl.daemon", "speaker", "--node", "n1"),
            *("--mesh-key-file", str(self._directory / "key")),
            *("--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir)),
            log=self._directory / "speaker.log",
        )

    def connect_agent(self, standing: Standing | None = None) -> None:
        """Let an agent say what is wanted; it lives as long as its connection."""
        wishes = tuple(
            Advertisement(peer=KEEPS.name, prefix=Prefix(prefix)) for prefix in (EIP, OTHER)
        )
        desired = Desired(
            sequence=1,
            node=NodeName("n1"),
            cluster_uid="c",
            members=(),
            peers=(KEEPS,),
            pools=(Prefix("203.0.113.0/24"),),
            advertisements=wishes,
            standing=standing or Standing(),
        )
        path = self.run_dir / "speaker.sock"

        def connected() -> socket.socket | None:
            one = socket.socket(socket.AF_UNIX)
            try:
                one.connect(str(path))
            except OSError:
                one.close()
                return None
            return one

        self._agent = eventually(connected, "the speaker's socket")
        self._agent.sendall(encode(Hello(version=VERSION, role="agent")))
        self._agent.sendall(encode(desired))

    def status(self) -> SpeakerStatus:
        """Return what the speaker says of itself."""
        answer = ask(self.run_dir / "speaker.sock", Ask(question="status"), timeout=PATIENCE)
        return msgspec.convert(answer.content, SpeakerStatus)

    def stop(self) -> int:
        """End the speaker with SIGTERM, and its agent's connection; return the exit status."""
        assert self._speaker
        self._send(signal.SIGTERM)
        status = self._speaker.wait(timeout=30.0)
        self._speaker = None
        self._hang_up()
        return status

    def crash(self) -> None:
        """End ExaBGP with SIGKILL: nobody can say anything."""
        assert self._speaker
        self._send(signal.SIGKILL)
        self._speaker.wait(timeout=30.0)
        self._speaker = None
        self._hang_up()
        # The reflex follows by itself; a new one must not meet its socket.
        left = ("pgrep", "-f", "bgpd.speaker")
        eventually(lambda: not self.lab.node_space.run(*left, check=False), "the reflex's end")

    def _send(self, number: signal.Signals) -> None:
        found = self.lab.node_space.run("pgrep", "-o", "-f", "bgpd.exabgp.launcher --conf")
        self.lab.node_space.run("kill", f"-{number.value}", found.split()[0])

    def _hang_up(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    # The router

    def bird(self) -> None:
        """Let BIRD be the router, as it comes: it keeps routes for those who ask for it."""
        self.lab.router.start(bird_session(options="error wait time 1, 2;"))

    def frr(self) -> None:
        """Let FRR be the router."""
        if not (FRR / "bgpd").exists():
            lacking("FRR is not installed", unproven="restarts of the speaker with FRR")
        space = self.lab.router_space
        space.run("mkdir", "-p", "/run/frr")
        space.run("mount", "-t", "tmpfs", "tmpfs", "/run/frr")
        # FRR insists on this membership; it holds in this mount namespace only.
        lines = Path("/etc/group").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("frrvty:")]
        group = self._directory / "group"
        group.write_text("\n".join([*kept, "frrvty:x:0:root"]) + "\n")
        space.run("mount", "--bind", str(group), "/etc/group")
        session = f"""router bgp 65530
 bgp router-id 10.9.0.2
 no bgp ebgp-requires-policy
 neighbor {NODE_V4} remote-as 65000
 neighbor {NODE_V4} passive
 neighbor {NODE_V4} graceful-restart-helper
"""
        for daemon, text in (("zebra", ""), ("bgpd", session)):
            path = self._directory / f"{daemon}.conf"
            path.write_text(f"log file {self._directory}/{daemon}.log\n{text}")
            arguments = ("-f", str(path), "-A", "127.0.0.1", "-u", "root", "-g", "root")
            self._frr.append(
                space.start(str(FRR / daemon), *arguments, log=self._directory / f"{daemon}.out")
            )
            ready = "/run/frr/zserv.api" if daemon == "zebra" else "/run/frr/bgpd.vty"
            eventually(lambda ready=ready: self._there(ready), ready)  # type: ignore[misc]

    def _there(self, path: str) -> bool:
        return bool(self.lab.router_space.run("sh", "-c", f"test -S {path} && echo yes || true"))

    def table(self) -> set[str]:
        """Return the elastic IPs in the router's kernel."""
        found = self.lab.router_space.run("ip", "route", "show", "via", NODE_V4)
        return {f"{line.split()[0]}/32" for line in found.splitlines() if line.startswith("203.")}

    def watch(self) -> None:
        """Record every change of the router's kernel table from now on."""
        log = self._directory / "routes.log"
        log.unlink(missing_ok=True)
        self._monitor = self.lab.router_space.start("ip", "-o", "monitor", "route", log=log)

        def sees() -> bool:
            """Change something of ours: the monitor takes a while to listen."""
            for verb in ("replace", "delete"):
                self.lab.router_space.run("ip", "route", verb, "192.0.2.1/32", "dev", "lo")
            return "192.0.2.1" in log.read_text()

        eventually(sees, "the monitor")

    def gone(self) -> list[str]:
        """Return the routes that the kernel lost since `watch`, and for how long it was watched."""
        text = (self._directory / "routes.log").read_text()
        return [line for line in text.splitlines() if "203.0.113" in line and "Deleted" in line]

    def close(self) -> None:
        """Wait for what the namespaces' end has ended."""
        self._hang_up()
        for process in (self._speaker, self._monitor, *self._frr):
            if process is not None:
                process.wait()

    def log(self) -> str:
        """Return what the speaker wrote."""
        return (self._directory / "speaker.log").read_text()

    def advertising(self) -> None:
        """Wait until the router has all routes and the speaker its session."""
        eventually(lambda: self.table() == {EIP, OTHER}, f"routes; {self.log()}", seconds=30.0)
        eventually(lambda: self.status().sessions[0].state is PeerState.ESTABLISHED, "the session")


@pytest.fixture(name="node", params=["bird", "frr"])
def running_node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    """Return a node whose routes are in the kernel of a router of either make."""
    with rig(tmp_path) as lab:
        node = Upgraded(lab, tmp_path)
        try:
            getattr(node, request.param)()
            node.start()
            node.connect_agent()
            node.advertising()
            yield node
        finally:
            lab.node_space.close()
            lab.router_space.close()
            node.close()


def test_a_speaker_that_is_stopped_and_started_moves_no_route(node: Upgraded) -> None:
    """SIGTERM, some seconds of nobody, the new one: the router's kernel never loses a route."""
    assert node.status().sessions[0].graceful_restart
    node.watch()
    with standstill() as lost:
        began = time.monotonic()
        assert node.stop() == 0
        assert time.monotonic() - began - lost() < 5.0, "nothing is waited for"
    time.sleep(2.0)
    assert node.table() == {EIP, OTHER}
    node.start()
    node.connect_agent()
    node.advertising()
    time.sleep(2.0)
    assert node.table() == {EIP, OTHER}
    assert node.gone() == []
    assert {route.med for route in node.status().routes} == {GENERATION_1}


def test_a_speaker_that_starts_without_its_agent_moves_no_route(node: Upgraded) -> None:
    """What is on the disk is advertised again, and only then the marker follows."""
    node.watch()
    assert node.stop() == 0
    node.start()

    def saved() -> bool:
        with suppress(BgpdError):  # it says so before it takes questions
            return "saved_state_used" in node.log() and len(node.status().routes) == 2
        return False

    eventually(saved, "the saved routes")
    time.sleep(2.0)
    assert node.table() == {EIP, OTHER}
    assert node.gone() == []


def test_a_crash_moves_no_route_either(node: Upgraded) -> None:
    """The kernel closes the connection without a word."""
    node.watch()
    node.crash()
    node.start()
    node.connect_agent()
    node.advertising()
    time.sleep(1.0)
    assert node.gone() == []


def test_what_is_wanted_no_more_after_the_restart_is_dropped_at_the_marker(
    node: Upgraded,
) -> None:
    """Stale routes do not outlive the word of the agent."""
    assert node.stop() == 0
    node.start()
    node.connect_agent()
    node.advertising()
    answer = ask(
        node.run_dir / "speaker.sock",
        Ask(question="drain", arguments={"force": "true"}),
        timeout=PATIENCE,
    )
    assert answer.ok
    eventually(lambda: node.table() == set(), "the withdrawals")
    assert node.status().sessions[0].state is PeerState.ESTABLISHED
    assert node.stop() == 0
    node.start()
    node.connect_agent()
    eventually(lambda: node.status().draining, "the request is kept")
    time.sleep(2.0)
    assert node.table() == set()
    assert ask(node.run_dir / "speaker.sock", Ask(question="undrain"), timeout=PATIENCE).ok
    node.advertising()


def test_a_node_that_shuts_down_says_so(node: Upgraded) -> None:
    """Its agent knows; the routes go, and no router waits for a return."""
    node._hang_up()
    node.connect_agent(Standing(drain="the node shuts down", forced=True))
    eventually(lambda: node.status().draining, "the drain")
    assert node.stop() == 0
    eventually(lambda: node.table() == set(), "no route is kept for a restart")
