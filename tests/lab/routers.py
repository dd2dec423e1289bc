"""The routers of the lab: how each is started, restarted, and asked for its sessions.

All are passive and hold nothing back: BIRD and FRR put every best path into the kernel's table
(ECMP), GoBGP and OpenBGPD are read through their own tools.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.lab import providerrouters
from tests.lab.configurations import (
    bird_configuration,
    frr_bfd_configuration,
    frr_configuration,
    gobgp_configuration,
    openbgpd_configuration,
    upstream_configuration,
)
from tests.lab.kernel import kernel_paths, paths_in
from tests.lab.plan import EX_CONFIG, LabError, Plan, RouterName, router_space, uplink
from tests.lab.topology import inside

_EVERYWHERE = ("chrt", "ip", "nft", "nsenter", "setpriv", "unshare")
_FRR = Path("/usr/lib/frr")


@cache
def _first() -> tuple[str, ...]:
    """Return what makes a program run before ours, where we may: a router is another machine."""
    command = ("chrt", "--rr", "1")
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return () if done.returncode else command


class Router(ABC):
    """One routing daemon (or several that belong together) in a namespace of its own."""

    programs: tuple[str, ...] = ()

    def __init__(self, plan: Plan, directory: Path, number: int = 1) -> None:
        """Prepare router *number*; nothing is started yet."""
        self.plan = plan
        self.number = number
        self.space = router_space(number)
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.passwords: dict[str, str] = {}
        """Node -> its password, where it is not the provider's usual one."""

    @abstractmethod
    def start(self) -> None:
        """Start the daemon; it accepts connections soon after."""

    @abstractmethod
    def sessions(self) -> dict[str, bool]:
        """Return node name -> whether all its sessions are established."""

    @abstractmethod
    def paths(self) -> dict[str, frozenset[str]]:
        """Return prefix -> nodes whose path is in use, as this router tells it."""

    def take_password(self, name: str, password: str) -> None:
        """Have another password for the sessions of node *name*, and for no others."""
        del password
        raise LabError(f"{name}: the lab cannot change a password of {self.plan.router}")

    @property
    def speaking(self) -> str:
        """The name of the process that holds the BGP sessions."""
        return next(iter(self.processes))

    def kill(self) -> None:
        """End the speaking process as a crash would."""
        process = self.processes[self.speaking]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything that this router started."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def _spawn(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*inside(self.space), *_first(), *command],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _ask(self, *command: str) -> str:
        done = subprocess.run(
            [*inside(self.space), *command], capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout

    def _write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)


class Bird(Router):
    """BIRD 2, one process, ECMP by `merge paths`."""

    programs = ("bird", "birdc")

    def start(self) -> None:
        """Start BIRD; the first router has its default socket, so that plain `birdc` works."""
        Path("/run/bird").mkdir(exist_ok=True)
        path = self._write("bird.conf", self._text())
        self._spawn("bird", "bird", "-f", "-s", self._socket, "-c", path)

    def _text(self) -> str:
        if self.plan.site is None:
            return bird_configuration(self.plan, self.directory, self.number)
        return providerrouters.bird_configuration(
            self.plan, self.directory, self.number, self.passwords
        )

    def take_password(self, name: str, password: str) -> None:
        """Have another password for the sessions of node *name*, and for no others."""
        self.passwords[name] = password
        self._write("bird.conf", self._text())
        self._ask("birdc", "-s", self._socket, "configure")

    @property
    def _socket(self) -> str:
        return "/run/bird/bird.ctl" if self.number == 1 else f"/run/bird/{self.space}.ctl"

    def sessions(self) -> dict[str, bool]:
        """Ask birdc."""
        states = {}
        for line in self._ask("birdc", "-s", self._socket, "-r", "show", "protocols").splitlines():
            words = line.split()
            if len(words) > 1 and words[1] == "BGP":
                states[words[0]] = words[-1] == "Established"
        return _by_node(self.plan, states, self.number)

    def paths(self) -> dict[str, frozenset[str]]:
        """Read the kernel's table, which is what counts."""
        return kernel_paths(self.plan, self.number)


class Frr(Router):
    """FRR: zebra and bgpd, started by hand, ECMP by `maximum-paths`."""

    programs = (str(_FRR / "bgpd"), str(_FRR / "zebra"), str(_FRR / "bfdd"), "vtysh")

    def start(self) -> None:
        """Start zebra, wait for its socket, start bfdd where it is needed, and bgpd."""
        self._run.mkdir(parents=True, exist_ok=True)
        owner = _frr_owner()
        if owner == "frr":
            for path in {self._run, self._run.parent if self.number > 1 else self._run}:
                shutil.chown(path, "frr", "frr")
            shutil.chown(self.directory, "frr", "frr")
        elif "zebra" not in self.processes and self.number == 1:
            self._join_vty_group()
        if "zebra" not in self.processes:
            # With next-hop groups in the kernel, zebra 8.4 leaves a next hop out for good once
            # its link was down: BGP has three valid paths, the route keeps two.
            configuration = "no zebra nexthop kernel enable\n"
            if self.plan.zebra_work_queue is not None:
                configuration += f"zebra work-queue {self.plan.zebra_work_queue}\n"
            self._daemon("zebra", owner, configuration, "-s", "90000000")
            _until((self._run / "zserv.api").exists, "zebra did not start", self.directory)
        if (self.plan.bfd or self.plan.routers > 1) and "bfdd" not in self.processes:
            self._daemon("bfdd", owner, frr_bfd_configuration(self.plan))
            _until((self._run / "bfdd.vty").exists, "bfdd did not start", self.directory)
        text = (
            providerrouters.frr_configuration(self.plan, self.number, self.passwords)
            if self.plan.site
            else frr_configuration(self.plan, self.number)
        )
        self._daemon("bgpd", owner, text)

    def take_password(self, name: str, password: str) -> None:
        """Have another password for the sessions of node *name*, and for no others."""
        self.passwords[name] = password
        words = ["configure terminal", "router bgp"]
        words += [
            f"neighbor {self.plan.session_address(name, version)} password {password}"
            for version in self.plan.session_versions
        ]
        self._ask("vtysh", *self._named, "-d", "bgpd", *(x for w in words for x in ("-c", w)))

    @property
    def _run(self) -> Path:
        """Where its sockets are: a directory of its own for each but the first router."""
        return Path("/run/frr") if self.number == 1 else Path("/run/frr") / self.space

    @property
    def _named(self) -> tuple[str, ...]:
        return () if self.number == 1 else ("-N", self.space)

    def _join_vty_group(self) -> None:
        """Make root a member of FRR's group, in this world only: FRR insists on it."""
        lines = Path("/etc/group").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("frrvty:")]
        path = self._write("group", "\n".join([*kept, "frrvty:x:0:root"]) + "\n")
        subprocess.run(["mount", "--bind", path, "/etc/group"], check=True)

    def _daemon(self, name: str, owner: str, text: str, *more: str) -> None:
        configuration = self._write(
            f"{name}.conf",
            f"log file {self.directory}/{name}.events\nlog timestamp precision 3\n{text}",
        )
        self._spawn(
            name,
            str(_FRR / name),
            "-f",
            configuration,
            "-A",
            "127.0.0.1",
            "-u",
            owner,
            "-g",
            owner,
            *self._named,
            *more,
        )

    @property
    def speaking(self) -> str:
        """Zebra stays when bgpd is killed."""
        return "bgpd"

    def sessions(self) -> dict[str, bool]:
        """Ask vtysh."""
        states = {}
        for version in (4, 6):
            text = self._ask(
                "vtysh",
                *self._named,
                "-d",
                "bgpd",
                "-c",
                f"show bgp ipv{version} unicast summary json",
            )
            for address, peer in _json(text).get("peers", {}).items():
                states[address] = peer.get("state") == "Established"
        return _by_address(self.plan, states, self.number)

    def paths(self) -> dict[str, frozenset[str]]:
        """Read the kernel's table, which is what counts."""
        return kernel_paths(self.plan, self.number)


class Upstream(Router):
    """The router before two others: BIRD, which spreads flows over them and hears BFD of both."""

    programs = ("bird", "birdc")

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Prepare; nothing is started yet."""
        super().__init__(plan, directory)
        self.space = "upstream"

    def start(self) -> None:
        """Start BIRD with a socket of its own."""
        Path("/run/bird").mkdir(exist_ok=True)
        text = self._write("bird.conf", upstream_configuration(self.plan, self.directory))
        self._spawn("bird", "bird", "-f", "-s", self._socket, "-c", text)

    @property
    def _socket(self) -> str:
        return "/run/bird/upstream.ctl"

    def sessions(self) -> dict[str, bool]:
        """Return router -> whether the session with it is established."""
        lines = self._ask("birdc", "-s", self._socket, "-r", "show", "protocols").splitlines()
        words = [line.split() for line in lines]
        return {
            each[0].removeprefix("to_"): each[-1] == "Established"
            for each in words
            if each[1:2] == ["BGP"]
        }

    def hears_bfd(self) -> bool:
        """Tell whether BFD with both routers is up."""
        lines = self._ask("birdc", "-s", self._socket, "-r", "show", "bfd", "sessions").splitlines()
        return sum(" Up " in line for line in lines) == len(self.plan.router_numbers)

    def paths(self) -> dict[str, frozenset[str]]:
        """Return prefix -> routers that its kernel sends it to."""
        names = {uplink(router)[1]: router_space(router) for router in self.plan.router_numbers}
        return paths_in("upstream", self.plan.pool(4), names)


class Gobgp(Router):
    """GoBGP, a control-plane peer: its table is read, packets do not follow it."""

    programs = ("gobgpd", "gobgp")

    def start(self) -> None:
        """Start gobgpd."""
        configuration = self._write("gobgpd.toml", gobgp_configuration(self.plan))
        self._spawn("gobgpd", "gobgpd", "-f", configuration, "--pprof-disable")

    def sessions(self) -> dict[str, bool]:
        """Ask gobgp."""
        states = {}
        for peer in _json(self._ask("gobgp", "-j", "neighbor"), []):
            state = peer.get("state", {})
            states[state.get("neighbor_address", "")] = state.get("session_state") == 6
        return _by_address(self.plan, states)

    def paths(self) -> dict[str, frozenset[str]]:
        """Ask gobgp for its global table: a path in use has the best attributes."""
        found: dict[str, frozenset[str]] = {}
        for version in self.plan.family.versions:
            names = {address: name for name, address in self.plan.gateways(version).items()}
            table = _json(self._ask("gobgp", "-j", "global", "rib", "-a", f"ipv{version}"))
            for prefix, paths in table.items():
                if not isinstance(paths, list):  # an empty table is an error to gobgp
                    continue
                found[prefix] = _best(
                    (names.get(_hop(path["attrs"]), ""), _med(path["attrs"])) for path in paths
                )
        return found


class Openbgpd(Router):
    """OpenBGPD, a control-plane peer: its table is read, packets do not follow it."""

    programs = ("/usr/sbin/bgpd", "/usr/sbin/bgpctl")
    socket = "/run/openbgpd.sock"

    def start(self) -> None:
        """Start OpenBGPD, which locks itself into its own user's home."""
        if _alone():
            raise LabError(
                "OpenBGPD becomes its own user, which an unprivileged user namespace cannot "
                "offer: run this as root",
                EX_CONFIG,
            )
        with suppress(KeyError):
            Path(pwd.getpwnam("_openbgpd").pw_dir).mkdir(exist_ok=True)
        configuration = self._write("openbgpd.conf", openbgpd_configuration(self.plan, self.socket))
        (self.directory / "openbgpd.conf").chmod(0o600)
        self._spawn("openbgpd", "/usr/sbin/bgpd", "-d", "-f", configuration)

    def sessions(self) -> dict[str, bool]:
        """Ask OpenBGPD's own bgpctl."""
        states = {}
        for peer in self._bgpctl("show", "neighbor").get("neighbors", []):
            states[peer.get("remote_addr", "")] = peer.get("state") == "Established"
        return _by_address(self.plan, states)

    def paths(self) -> dict[str, frozenset[str]]:
        """Ask for the table; paths with the lowest MED are those in use."""
        names = {
            address: name
            for version in self.plan.family.versions
            for name, address in self.plan.gateways(version).items()
        }
        offers: dict[str, list[tuple[str, int]]] = {}
        for path in self._bgpctl("show", "rib").get("rib", []):
            name = names.get(path.get("exit_nexthop", ""), "")
            offers.setdefault(path["prefix"], []).append((name, int(path.get("metric", 0))))
        return {prefix: _best(paths) for prefix, paths in offers.items()}

    def _bgpctl(self, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = _json(
            self._ask("/usr/sbin/bgpctl", "-s", self.socket, "-j", *words)
        )
        return answer


ROUTERS: dict[RouterName, type[Router]] = {
    RouterName.BIRD: Bird,
    RouterName.FRR: Frr,
    RouterName.GOBGP: Gobgp,
    RouterName.OPENBGPD: Openbgpd,
}


def missing_programs(router: RouterName) -> tuple[str, ...]:
    """Return the programs that *router* needs and this machine has not."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    needed = (*ROUTERS[router].programs, *_EVERYWHERE)
    return tuple(name for name in needed if shutil.which(name, path=path) is None)


def _hop(attributes: list[dict[str, Any]]) -> str:
    return next((str(a["nexthop"]) for a in attributes if "nexthop" in a), "")


def _med(attributes: list[dict[str, Any]]) -> int:
    return next((int(a["metric"]) for a in attributes if a.get("type") == 4), 0)


def _best(offers: Iterable[tuple[str, int]]) -> frozenset[str]:
    known = list(offers)
    least = min(med for _, med in known)
    return frozenset(name for name, med in known if med == least)


def _json(text: str, otherwise: Any = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {} if otherwise is None else otherwise


def _by_node(plan: Plan, states: dict[str, bool], router: int = 1) -> dict[str, bool]:
    suffixes = ["" if v == 4 else "_6" for v in plan.session_versions]
    return {n: all(states.get(n + s, False) for s in suffixes) for n in plan.names_at(router)}


def _by_address(plan: Plan, states: dict[str, bool], router: int = 1) -> dict[str, bool]:
    return {
        n: all(states.get(plan.session_address(n, v, router), False) for v in plan.session_versions)
        for n in plan.names_at(router)
    }


def _frr_owner() -> str:
    """Return the user that FRR may become: only root where one user is mapped."""
    with suppress(KeyError):
        if not _alone():
            return pwd.getpwnam("frr").pw_name
    return "root"


def _alone() -> bool:
    """Tell whether this user namespace maps one user, so that nobody can become another."""
    return Path("/proc/self/uid_map").read_text().split()[2] == "1"


def _until(true: Callable[[], bool], sentence: str, directory: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise LabError(f"{sentence}; its log is in {directory}")
        time.sleep(0.02)
