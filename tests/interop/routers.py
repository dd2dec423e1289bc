"""The four routers, each in a namespace: started, asked for routes, told to end a session."""

import json
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.exabgp.space import Space, eventually
from tests.interop import configurations
from tests.interop.cases import Case, Make

_FRR: Final = Path("/usr/lib/frr")
_OPENBGPD: Final = "/usr/sbin/bgpd"
_OPENBGPCTL: Final = "/usr/sbin/bgpctl"


class Router(ABC):
    """A routing daemon with a neighbor for each case."""

    programs: tuple[str, ...] = ()

    def __init__(self, space: Space, directory: Path, cases: Sequence[Case]) -> None:
        """Prepare; nothing is started yet."""
        self.space = space
        self.directory = directory
        self.cases = tuple(cases)
        self.processes: list[subprocess.Popen[bytes]] = []
        directory.mkdir(exist_ok=True)

    @abstractmethod
    def start(self) -> None:
        """Start it, and return when it takes questions."""

    @abstractmethod
    def routes(self) -> dict[str, str]:
        """Return prefix -> next hop of all that it has accepted."""

    @abstractmethod
    def end(self, case: Case, words: str) -> None:
        """End the session of *case* as its operator would: down, or reset."""

    @abstractmethod
    def version(self) -> str:
        """Return what it calls itself."""

    def close(self) -> None:
        """Wait for the processes, whose namespace has ended."""
        for process in self.processes:
            process.wait()

    def _spawn(self, name: str, *command: str) -> None:
        self.processes.append(self.space.start(*command, log=self.directory / f"{name}.out"))

    def _write(self, name: str, text: str, mode: int = 0o644) -> str:
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def _json(self, *command: str) -> Any:
        try:
            return json.loads(self.space.run(*command, check=False))
        except json.JSONDecodeError:
            return {}

    def _answers(self, *command: str) -> bool:
        done = subprocess.run(self.space.wrap(*command), capture_output=True, check=False)
        return done.returncode == 0


class Bird(Router):
    """BIRD 2, one process."""

    programs = ("bird", "birdc")

    def start(self) -> None:
        """Start BIRD."""
        text = self._write("bird.conf", configurations.bird(self.cases, self.directory))
        self._spawn("bird", "bird", "-f", "-c", text, "-s", self._socket)
        eventually(lambda: self._answers("birdc", "-s", self._socket, "show", "status"), "BIRD")

    @property
    def _socket(self) -> str:
        return str(self.directory / "bird.ctl")

    def ask(self, *words: str) -> str:
        """Return what birdc says to *words*."""
        return self.space.run("birdc", "-s", self._socket, *words, check=False)

    def routes(self) -> dict[str, str]:
        """Read its tables."""
        found = {}
        prefix = ""
        for line in self.ask("show", "route", "all").splitlines():
            if line and not line[0].isspace():
                prefix = line.split()[0]
            elif line.strip().startswith("BGP.next_hop:"):
                found[prefix] = line.split(":", 1)[1].split()[0]
        return found

    def end(self, case: Case, words: str) -> None:
        """Disable or restart the protocol, with a text for the peer."""
        verb = "disable" if case.told == "down" else "restart"
        self.ask(verb, case.name, f'"{words}"')

    def version(self) -> str:
        """Ask the program."""
        done = subprocess.run(["bird", "--version"], capture_output=True, text=True, check=True)
        return (done.stdout + done.stderr).removeprefix("BIRD version").strip()


class Frr(Router):
    """FRR: zebra and bgpd; a second bgpd where another port is asked for."""

    programs = (str(_FRR / "bgpd"), str(_FRR / "zebra"), "vtysh")

    def start(self) -> None:
        """Start zebra and, when it listens, bgpd."""
        run = Path("/run/frr")
        self.space.run("mkdir", "-p", str(run))
        self.space.run("mount", "-t", "tmpfs", "tmpfs", str(run))
        # FRR insists on this membership; it holds in this mount namespace only.
        lines = Path("/etc/group").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("frrvty:")]
        group = self._write("group", "\n".join([*kept, "frrvty:x:0:root"]) + "\n")
        self.space.run("mount", "--bind", group, "/etc/group")
        self._daemon("zebra", "")
        eventually(lambda: self._answers("test", "-S", f"{run}/zserv.api"), "zebra")
        alone, rest = _apart(self.cases)
        self._daemon("bgpd", configurations.frr(rest, self.directory))
        for case in alone:
            self.space.run("mkdir", "-p", f"{run}/{case.name}")
            text = configurations.frr([case], self.directory)
            port = configurations.OTHER_PORT if case.theirs.elsewhere else 179
            where = ("-N", case.name, "-z", f"{run}/zserv.api", "-p", str(port))
            self._daemon("bgpd", text, *where, "-l", case.router, suffix=case.name)
        for number in ("", *(case.name for case in alone)):
            eventually(lambda name=number: self._there(name), "FRR")  # type: ignore[misc]

    def _there(self, name: str) -> bool:
        return "BGP" in self._show(name, "show bgp summary") or self._answers(
            "test", "-S", f"/run/frr/{name}/bgpd.vty"
        )

    def _daemon(self, name: str, text: str, *more: str, suffix: str = "") -> None:
        path = self._write(f"{name}{suffix}.conf", text)
        arguments = ("-f", path, "-A", "127.0.0.1", "-u", "root", "-g", "root", *more)
        self._spawn(f"{name}{suffix}", str(_FRR / name), *arguments)

    def _show(self, name: str, question: str) -> str:
        which = ("-N", name) if name else ()
        return self.space.run("vtysh", *which, "-d", "bgpd", "-c", question, check=False)

    def routes(self) -> dict[str, str]:
        """Ask vtysh."""
        found = {}
        alone, _ = _apart(self.cases)
        for name in ("", *(case.name for case in alone)):
            for version in (4, 6):
                try:
                    table = json.loads(self._show(name, f"show bgp ipv{version} unicast json"))
                except json.JSONDecodeError:
                    continue
                for prefix, paths in table.get("routes", {}).items():
                    hops = [hop["ip"] for path in paths for hop in path.get("nexthops", [])]
                    found[prefix] = hops[0] if hops else ""
        return found

    def end(self, case: Case, words: str) -> None:
        """Shut the neighbor down with a message, or clear it."""
        if case.told == "reset":
            self._show("", f"clear bgp {case.node}")
            return
        lines = (
            "configure terminal",
            "router bgp",
            f"neighbor {case.node} shutdown message {words}",
        )
        commands = [word for line in lines for word in ("-c", line)]
        self.space.run("vtysh", "-d", "bgpd", *commands)

    def version(self) -> str:
        """Ask the program."""
        done = subprocess.run(
            [str(_FRR / "bgpd"), "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.split()[2]


class Gobgp(Router):
    """GoBGP; a second gobgpd where another port is asked for."""

    programs = ("gobgpd", "gobgp")

    def start(self) -> None:
        """Start gobgpd."""
        alone, rest = _apart(self.cases)
        self._daemon(rest, 179, 50051)
        for number, case in enumerate(alone, 50052):
            self._daemon([case], configurations.OTHER_PORT, number)

    def _daemon(self, cases: Sequence[Case], port: int, api: int) -> None:
        name = f"gobgpd{api}"
        text = self._write(f"{name}.toml", configurations.gobgp(cases, port=port))
        where = ("--api-hosts", f"127.0.0.1:{api}")
        self._spawn(name, "gobgpd", "-f", text, "--pprof-disable", *where)
        eventually(lambda: self._answers("gobgp", "-p", str(api), "global"), "GoBGP")

    def routes(self) -> dict[str, str]:
        """Ask gobgp for its global tables."""
        found = {}
        alone, _ = _apart(self.cases)
        for api in range(50051, 50052 + len(alone)):
            for version in (4, 6):
                table = self._json(
                    "gobgp", "-p", str(api), "-j", "global", "rib", "-a", f"ipv{version}"
                )
                for prefix, paths in table.items():
                    if isinstance(paths, list):  # an empty table is an error to gobgp
                        found[prefix] = _hop(paths[0]["attrs"])
        return found

    def end(self, case: Case, words: str) -> None:
        """Shut the neighbor down, or reset it, with a reason."""
        verb = "disable" if case.told == "down" else "reset"
        self.space.run("gobgp", "neighbor", case.node, verb, "--reason", words, check=False)

    def version(self) -> str:
        """Ask the program."""
        done = subprocess.run(["gobgpd", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split()[-1]


class Openbgpd(Router):
    """OpenBGPD, which locks itself into its own user's home."""

    programs = (_OPENBGPD, _OPENBGPCTL)
    _socket: Final = "/run/openbgpd.sock"

    def start(self) -> None:
        """Start it where /run is its own."""
        self.space.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.space.run("mkdir", "-p", "/run/openbgpd")
        text = configurations.openbgpd(self.cases, self._socket)
        self._spawn("bgpd", _OPENBGPD, "-d", "-f", self._write("openbgpd.conf", text, 0o600))
        eventually(lambda: self._answers(*self._line("show")), "OpenBGPD")

    def _line(self, *words: str) -> tuple[str, ...]:
        return (_OPENBGPCTL, "-s", self._socket, *words)

    def routes(self) -> dict[str, str]:
        """Ask its own bgpctl."""
        table = self._json(*self._line("-j", "show", "rib")).get("rib", [])
        return {path["prefix"]: path.get("exit_nexthop", "") for path in table}

    def end(self, case: Case, words: str) -> None:
        """Take the neighbor down, or clear it, with a reason."""
        verb = "down" if case.told == "down" else "clear"
        self.space.run(*self._line("neighbor", case.node, verb, words), check=False)

    def version(self) -> str:
        """Ask the program."""
        done = subprocess.run([_OPENBGPD, "-V"], capture_output=True, text=True, check=True)
        return (done.stdout + done.stderr).split()[-1]


ROUTERS: Final[Mapping[Make, type[Router]]] = {
    Make.BIRD: Bird,
    Make.FRR: Frr,
    Make.GOBGP: Gobgp,
    Make.OPENBGPD: Openbgpd,
}


def missing(make: Make) -> str:
    """Return what *make* needs and this machine has not, or the empty string."""
    lost = [name for name in ROUTERS[make].programs if not shutil.which(name)]
    if not lost and make is Make.OPENBGPD:
        done = subprocess.run([_OPENBGPD, "-V"], capture_output=True, text=True, check=False)
        if "OpenBGPD" not in done.stdout + done.stderr:
            return f"{_OPENBGPD} is not OpenBGPD's"
    return f"not installed: {', '.join(lost)}" if lost else ""


def _apart(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """Return those that need a process of their own, and the rest."""
    alone = [case for case in cases if case.theirs.elsewhere]
    return alone, [case for case in cases if case not in alone]


def _hop(attributes: Sequence[Mapping[str, Any]]) -> str:
    return next((str(a["nexthop"]) for a in attributes if "nexthop" in a), "")
