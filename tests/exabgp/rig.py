"""Two network namespaces, the launcher in one, BIRD in the other, and a socket to the reflex.

Everything runs below two `cat` processes that are the first of their pid namespaces and end
when this process does, however it ends: nothing is left behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from bgpd.exabgp import command, message
from bgpd.exabgp.command import Command, PeerUpdate, Reload, RouteGroup, Update
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import Done, Message, Reloaded, SessionChanged
from bgpd.model.peer import Asn, Peer, PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Attributes

ROOT = Path(__file__).parents[2]
RELAY = Path(__file__).parent / "relay.py"
NODE_V4, ROUTER_V4 = Address("10.9.0.1"), Address("10.9.0.2")
NODE_V6, ROUTER_V6 = Address("fd09::1"), Address("fd09::2")
GHOST = Address("10.9.0.66")
"""An address on the link that nobody has."""

Found = TypeVar("Found")


def need(*programs: str) -> None:
    """Skip the test, or fail it where CI=true, unless it can run."""
    missing = [name for name in programs if not shutil.which(name)]
    reason = f"not installed: {', '.join(missing)}" if missing else ""
    if not reason and os.geteuid():
        reason = "network namespaces need root"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def eventually(look: Callable[[], Found | None], what: str, seconds: float = 15.0) -> Found:
    """Return what *look* finds, looking until it does; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


class Space:
    """A network, mount and pid namespace."""

    def __init__(self) -> None:
        """Make it."""
        self.holder = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "cat",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.pid = eventually(children.read_text, "namespaces").split()[0]
        # unshare makes its child before the namespaces' links can be seen through it.
        own = Path("/proc/self/ns/net").readlink()
        made = Path(f"/proc/{self.pid}/ns/net")
        eventually(lambda: made.readlink() != own, "network namespace")
        self.run("ip", "link", "set", "lo", "up")

    def wrap(self, *arguments: str) -> list[str]:
        """Return the command line that runs *arguments* inside."""
        return ["nsenter", "-t", self.pid, "-n", "-m", "-p", "--", *arguments]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command inside, return its output."""
        done = subprocess.run(self.wrap(*arguments), capture_output=True, text=True, check=False)
        if check and done.returncode:
            pytest.fail(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command inside, its output going to *log*."""
        with log.open("ab") as file:
            return subprocess.Popen(self.wrap(*arguments), stdout=file, stderr=file, cwd=ROOT)

    def close(self) -> None:
        """End everything inside."""
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdin
        self.holder.stdin.close()


class Router:
    """BIRD, and the kernel that it writes routes to."""

    def __init__(self, space: Space, directory: Path) -> None:
        """Prepare a router in *space*."""
        self.space = space
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = directory / "bird.ctl"

    def start(self, protocols: str, *, session: str = "") -> None:
        """Start BIRD with *protocols*, or with one session that has the options *session*."""
        body = protocols or bird_session(options=session)
        (self.directory / "bird.conf").write_text(
            f"""
            log "{self.directory}/bird.log" all;
            router id 10.9.0.2;
            protocol device {{ scan time 1; }}
            protocol direct {{ ipv4; ipv6; }}
            protocol kernel k4 {{ ipv4 {{ export where source = RTS_BGP; }}; }}
            protocol kernel k6 {{ ipv6 {{ export where source = RTS_BGP; }}; }}
            {body}
            """
        )
        self._process = self.space.start(
            *("bird", "-f", "-c", str(self.directory / "bird.conf"), "-s", str(self._socket)),
            log=self.directory / "bird.out",
        )
        eventually(self._socket.exists, "BIRD's control socket")

    def kill(self) -> None:
        """End BIRD with SIGKILL."""
        for pid in self.space.run("pgrep", "-x", "bird").split():
            self.space.run("kill", "-KILL", pid)
        self.close()
        with suppress(FileNotFoundError):
            self._socket.unlink()

    def close(self) -> None:
        """Wait for its end."""
        if self._process:
            # nsenter stops when the program does, and would then not see it end.
            self._process.send_signal(signal.SIGCONT)
            self._process.wait()

    def ask(self, question: str) -> str:
        """Return what birdc answers."""
        return self.space.run("birdc", "-s", str(self._socket), *question.split(), check=False)

    def log(self) -> str:
        """Return BIRD's log."""
        return (self.directory / "bird.log").read_text()

    def prefixes(self) -> set[str]:
        """Return the BGP prefixes in the kernel."""
        found = set()
        for family, length in (("-4", "32"), ("-6", "128")):
            for line in self.space.run("ip", family, "route", "show", "proto", "bird").splitlines():
                if not line.startswith((" ", "\t")):
                    text = line.split()[0]
                    found.add(text if "/" in text else f"{text}/{length}")
        return found

    def established(self, name: str = "node") -> bool:
        """Whether the session is established at this end."""
        return "Established" in self.ask(f"show protocols {name}")


def bird_session(
    name: str = "node",
    neighbor: str = NODE_V4,
    local: str = ROUTER_V4,
    options: str = "",
    channels: str = "ipv4 { import all; export none; };",
    peer_asn: int = 65000,
) -> str:
    """Return one BGP protocol of BIRD."""
    return (
        f"protocol bgp {name} {{ local {local} as 65530; neighbor {neighbor} as {peer_asn}; "
        f"hold time 90; multihop; passive on; {options} {channels} }}\n"
    )


class Speaker:
    """The launcher, and the test's line to the reflex."""

    def __init__(self, space: Space, directory: Path) -> None:
        """Prepare a speaker in *space*."""
        self.space = space
        self.directory = directory
        self.configuration = directory / "exabgp.conf"
        self.states: dict[Address, SessionChanged] = {}
        self._unread: deque[Message] = deque()
        self.reflex_pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "reflex"))
        self._listener.listen(64)
        self._link: socket.socket | None = None
        self._partial = b""
        self._number = 0

    def start(
        self,
        *peers: Peer,
        without: Sequence[str] = (),
        reflex: str = "",
        arguments: Sequence[str] = (),
        accept: bool = True,
        manual_end_of_rib: bool = True,
    ) -> None:
        """Start the launcher with *peers* and wait for its reflex."""
        self.write(*peers)
        if not manual_end_of_rib:
            text = self.configuration.read_text()
            self.configuration.write_text(text.replace("manual-eor true", "manual-eor false"))
        self._process = self.space.start(
            *(sys.executable, "-m", "bgpd.exabgp.launcher"),
            *("--configuration", str(self.configuration)),
            *("--reflex", reflex or f"{sys.executable} {RELAY} {self.directory / 'reflex'}"),
            *(word for name in without for word in ("--without-mend", name)),
            *("--first-ping", "600", *arguments),  # the relay pings when a test says so
            log=self.directory / "speaker.err",
        )
        if accept:
            self.accept()

    def write(self, *peers: Peer) -> None:
        """Write the configuration file."""
        self.configuration.write_text(render(peers, reflex="/bin/true"))

    def accept(self, seconds: float = 15.0) -> None:
        """Wait for a reflex to appear, and speak with it from now on."""
        if self._link:
            self._link.close()
        self._listener.settimeout(seconds)
        self._link, _ = self._listener.accept()
        self._partial = b""
        pid = b""
        while not pid.endswith(b"\n"):
            pid += self._link.recv(1)
        self.reflex_pid = int(pid)

    def send(self, value: Command) -> None:
        """Send a command."""
        self.send_line(command.encode(value))

    def send_line(self, line: bytes) -> None:
        """Send any bytes."""
        assert self._link
        self._link.sendall(line)

    def number(self) -> int:
        """Return a new id."""
        self._number += 1
        return self._number

    def read(self, seconds: float = 0.0) -> list[Message]:
        """Return the messages that arrive within *seconds*, and remember states of sessions."""
        assert self._link
        self._link.settimeout(max(seconds, 0.001))
        found: list[Message] = []
        with suppress(TimeoutError, ConnectionError):
            *lines, self._partial = (self._partial + self._link.recv(1 << 20)).split(b"\n")
            found = [message.decode(line) for line in lines]
        for item in found:
            if isinstance(item, SessionChanged):
                self.states[item.peer] = item
        self._unread += found
        return found

    def wait(self, accept: Callable[[Message], bool], what: str, seconds: float = 15.0) -> Message:
        """Return the first message that *accept* accepts."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self._unread:
                item = self._unread.popleft()
                if accept(item):
                    return item
            self.read(0.2)
        pytest.fail(f"not within {seconds:.0f} s: {what}; stderr: {self.stderr()}")

    def until(self, peer: Address, state: PeerState, seconds: float = 15.0) -> SessionChanged:
        """Wait until the session with *peer* is in *state*."""
        deadline = time.monotonic() + seconds
        while peer not in self.states or self.states[peer].state is not state:
            if time.monotonic() > deadline:
                pytest.fail(f"{peer} not {state}: {self.states.get(peer)}; {self.stderr()}")
            self.read(0.1)
        return self.states[peer]

    def update(self, *peers: PeerUpdate) -> Done:
        """Change what peers are offered, and wait for the answer."""
        number = self.number()
        self.send(Update(id=number, peers=peers))
        return self.done(number)

    def done(self, number: int, seconds: float = 15.0) -> Done:
        """Wait for the answer to command *number*."""
        found = self.wait(
            lambda item: isinstance(item, Done) and item.id == number, "Done", seconds
        )
        assert isinstance(found, Done)
        return found

    def reload(self, *peers: Peer) -> Reloaded:
        """Write the file, and have it read."""
        self.write(*peers)
        number = self.number()
        self.send(Reload(id=number))
        found = self.wait(lambda item: getattr(item, "id", None) == number, "Reloaded")
        assert isinstance(found, Reloaded), found
        return found

    @property
    def pid(self) -> int:
        """The launcher's pid inside its namespace."""
        pids = self.space.run("pgrep", "-o", "-f", "bgpd.exabgp.launcher --conf").split()
        return int(pids[0]) if pids else 0

    def signal(self, number: signal.Signals, pid: int = 0) -> None:
        """Send a signal to the launcher, or to *pid* inside its namespace."""
        self.space.run("kill", f"-{number.value}", str(pid or self.pid))

    @property
    def running(self) -> bool:
        """Whether the launcher still runs."""
        return self._process is not None and self._process.poll() is None

    def exit_status(self, seconds: float = 15.0) -> int:
        """Wait for the launcher's end."""
        assert self._process
        return self._process.wait(timeout=seconds)

    def stderr(self) -> str:
        """Return what it wrote to stderr."""
        path = self.directory / "speaker.err"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        """Let the sockets go, and the process that waits for the launcher."""
        if self._link:
            self._link.close()
        self._listener.close()
        if self._process:
            self._process.wait()


class Rig:
    """A node and a router on one link."""

    def __init__(self, directory: Path) -> None:
        """Build it."""
        need("bird", "ip", "nft", "unshare", "nsenter", "pgrep")
        self.node_space = Space()
        self.router_space = Space()
        node, router = self.node_space.pid, self.router_space.pid
        link = ("uplink", "type", "veth", "peer", "name", "downlink")
        subprocess.run(
            ["nsenter", "-t", node, "-n", "ip", "link", "add", *link, "netns", router],
            check=True,
        )
        for space, device, v4, v6 in (
            (self.node_space, "uplink", NODE_V4, NODE_V6),
            (self.router_space, "downlink", ROUTER_V4, ROUTER_V6),
        ):
            space.run("ip", "addr", "add", f"{v4}/24", "dev", device)
            space.run("ip", "addr", "add", f"{v6}/64", "dev", device, "nodad")
            space.run("ip", "link", "set", device, "up")
        self.speaker = Speaker(self.node_space, directory)
        self.router = Router(self.router_space, directory)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End everything."""
        for space in (self.node_space, self.router_space):
            space.close()
        self.speaker.close()
        self.router.close()

    def establish(self, *peers: Peer, session: str = "", without: Sequence[str] = ()) -> None:
        """Start both ends and wait for the session."""
        self.router.start("", session=session)
        self.speaker.start(*(peers or (peer(),)), without=without)
        self.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
        eventually(self.router.established, "established at BIRD")


@contextmanager
def rig(directory: Path) -> Iterator[Rig]:
    """Yield a rig; end it whatever happens."""
    with Rig(directory) as found:
        yield found


def peer(
    address: str = ROUTER_V4,
    *,
    name: str = "router",
    hold_time: int = 90,
    password: str | None = None,
    graceful_restart: int | None = None,
    families: tuple[Family, ...] = (Family.IPV4,),
    router_id: str = NODE_V4,
) -> Peer:
    """Return a peer on the link."""
    return Peer(
        name=PeerName(name),
        address=Address(address),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=NODE_V6 if ":" in address else NODE_V4,
        router_id=Address(router_id),
        hold_time=hold_time,
        password=password,
        graceful_restart=graceful_restart,
        families=families,
    )


def offer(*prefixes: str, med: int | None = None, next_hop: str = NODE_V4) -> RouteGroup:
    """Return routes to advertise."""
    return RouteGroup(
        attributes=Attributes(next_hop=Address(next_hop), med=med),
        prefixes=tuple(Prefix(prefix) for prefix in prefixes),
    )


def to(
    address: str = ROUTER_V4, *advertise: RouteGroup, withdraw: Sequence[str] = ()
) -> PeerUpdate:
    """Return what one peer is offered from now on."""
    return PeerUpdate(
        peer=Address(address),
        withdraw=tuple(Prefix(prefix) for prefix in withdraw),
        advertise=advertise,
    )
