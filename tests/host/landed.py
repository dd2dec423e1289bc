"""A node whose elastic IPs are on the host, and a router: what the kernel sees of both, in order.

The router has its routes in a kernel table of its own in the same namespace, so that one stream of
the kernel's messages tells whether an address or its route came first.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bgpd.mesh import keys
from tests.agent.test_planner import Document, endpoints, node, ours, service
from tests.agent.test_start import write
from tests.exabgp.space import Space, eventually

NODE, ROUTER = "192.0.2.11", "192.0.2.1"
_TABLE: Final = "100"
_BIRD: Final = f"""
router id {ROUTER};
protocol device {{}}
protocol kernel {{ kernel table {_TABLE}; ipv4 {{ import none; export all; }}; }}
protocol bgp node {{
  local {ROUTER} as 65530; strict bind; neighbor {NODE} as 65000; multihop; passive;
  ipv4 {{ import filter {{ dest = RTD_BLACKHOLE; accept; }}; export none; }};
}}
"""
POOL: Final = ours("IPAddressPool", "ntp", addresses=["203.0.113.0/24"], bindOnHost=True)
CONFIGURATION: Final = (
    node("n1", address=NODE),
    ours("BGPAdvertisement", "all"),
    ours("BGPPeer", "router", myASN=65000, peerASN=65530, peerAddress=ROUTER),
    ours("SpeakerPolicy", "default", health={"kubelet": "", "kubeProxy": ""}),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of the kernel."""

    at: float
    what: str
    """`address` or `route`."""
    there: bool


def served(number: int) -> tuple[Document, Document]:
    """Return a Service with the elastic IP of a *number*, and its endpoint here."""
    return service(f"ntp-{number}", f"203.0.113.{number}"), endpoints(f"ntp-{number}", "n1")


class Landed:
    """The node, its router, and what the kernel says."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        self.space = Space()
        key = directory / "mesh-key"
        key.write_text(f"{keys.generate()}\n")
        key.chmod(0o600)
        (directory / "bird.conf").write_text(_BIRD)
        for address in (NODE, ROUTER):
            self.space.run("ip", "address", "add", address, "dev", "lo")
        self._run("monitor", "ip", "-ts", "-o", "monitor", "address", "route")
        self._bird = str(directory / "bird.ctl")
        self._run("bird", "bird", "-f", "-c", str(directory / "bird.conf"), "-s", self._bird)
        self._bgpd("speaker", "--mesh-key-file", str(key))

    def _run(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        found = self.space.start(*words, log=self._directory / f"{name}.log")
        self._started.append(found)
        return found

    def _bgpd(
        self, program: str, *options: str, within: Iterable[str] = (), state: str = "state"
    ) -> None:
        places = ("--run-dir", str(self._directory), "--state-dir", str(self._directory / state))
        self._run(
            program,
            *within,
            *(sys.executable, "-m", "bgpd.ctl.daemon", program, "--node", "n1"),
            *("--log-level", "debug", *places, *options),
        )

    def start_agent(self, *, within: Iterable[str] = (), state: str = "state") -> None:
        """Start an agent *within* another command; what it remembers is in *state*."""
        source = f"directory:{self._directory / 'documents'}"
        options = ("--source", source, "--cluster-uid", "test")
        self._bgpd("agent", *options, within=within, state=state)

    def end_agent(self) -> None:
        """Kill the agent."""
        found = self.space.run("pgrep", "-f", "bgpd.agent|bgpd agent|daemon agent").split()
        self.space.run("kill", f"-{signal.SIGKILL.name[3:]}", *found)
        self._started.pop().wait()

    def write(self, *documents: Document) -> None:
        """Have these documents beside the configuration, in place of the ones before."""
        write(self._directory / "documents", *CONFIGURATION, *documents)

    def established(self) -> None:
        """Wait for the session."""
        words = ("birdc", "-s", self._bird, "show", "protocols", "node")
        self.wait(lambda: "Established" in self.space.run(*words, check=False), "a session")

    def seen(self, number: int) -> list[Seen]:
        """Return what the kernel said of an elastic IP, the oldest first."""
        return list(_read(self.log("monitor").splitlines(), f"203.0.113.{number}"))

    def story(self, number: int, length: int) -> list[tuple[str, bool]]:
        """Wait until the kernel said *length* things of an elastic IP, and return them all."""
        self.wait(lambda: len(self.seen(number)) >= length, f"{length} of 203.0.113.{number}")
        return [(one.what, one.there) for one in self.seen(number)]

    def routes(self) -> set[str]:
        """Return the elastic IPs that the router has a route to."""
        shown = self.space.run("ip", "route", "show", "table", _TABLE, check=False)
        return {line.split()[1] for line in shown.splitlines()}

    def can_bind(self) -> bool:
        """Return whether the agent has loaded what it takes, and made its interface."""
        return "bgpd0" in self.space.run("ip", "link")

    def log(self, name: str) -> str:
        """Return what a process wrote."""
        return (self._directory / f"{name}.log").read_text()

    def wait(self, there: Callable[[], bool], what: str) -> None:
        """Wait until *there* is true; say what all say where it never is."""
        try:
            eventually(there, what, 60)
        except BaseException as error:
            names = ("monitor", "agent", "speaker", "bird")
            error.add_note("\n".join(f"{name}: {self.log(name)[-3000:]}" for name in names))
            raise

    def close(self) -> None:
        """End everything."""
        self.space.close()
        for process in self._started:
            process.wait()


@contextmanager
def landed(directory: Path) -> Iterator[Landed]:
    """Have a node for a while."""
    host = Landed(directory)
    try:
        yield host
    finally:
        host.close()


def _read(lines: Iterable[str], address: str) -> Iterator[Seen]:
    for line in lines:
        stamp, _, rest = line.removeprefix("[").partition("] ")
        words = rest.split()
        there = "Deleted" not in words
        if f"{address}/32" in words and "inet" in words:
            yield Seen(_seconds(stamp), "address", there)
        elif address in words and f"table {_TABLE}" in rest:
            yield Seen(_seconds(stamp), "route", there)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
