"""The routers of the lab: how each is started, restarted, and asked for its sessions.

All are passive and hold nothing back: BIRD and FRR put every best path into the kernel's table
(ECMP), GoBGP and OpenBGPD are read through their own tools.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.lab import providerrouters
from tests.lab.configurations import (
    bird_configuration,
    frr_bfd_configuration,
    frr_configuration,
    upstream_configuration,
)
from tests.lab.kernel import kernel_paths, paths_in
from tests.lab.plan import LabError, Plan, RouterName, router_space, uplink
from tests.lab.router import Router, Session, alone, by_address, read_json
from tests.lab.tablerouters import Gobgp, Openbgpd

_EVERYWHERE = ("chrt", "ip", "nft", "nsenter", "setpriv", "unshare")
_FRR = Path("/usr/lib/frr")


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

    def states(self) -> dict[Session, bool]:
        """Ask birdc."""
        names = {
            name + ("" if version == 4 else "_6"): (name, version)
            for name in self.plan.names_at(self.number)
            for version in self.plan.session_versions
        }
        states = {}
        for line in self._ask("birdc", "-s", self._socket, "-r", "show", "protocols").splitlines():
            words = line.split()
            if len(words) > 1 and words[1] == "BGP" and words[0] in names:
                states[names[words[0]]] = words[-1] == "Established"
        return states

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

    def states(self) -> dict[Session, bool]:
        """Ask vtysh."""
        words = ("-d", "bgpd", "-c", "show bgp summary json")
        families = read_json(self._ask("vtysh", *self._named, *words))
        states = {
            address: peer.get("state") == "Established"
            for family in families.values()
            for address, peer in family.get("peers", {}).items()
        }
        return by_address(self.plan, states, self.number)

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

    def states(self) -> dict[Session, bool]:
        """Return none: it has no session with a node."""
        return {}

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


def _frr_owner() -> str:
    """Return the user that FRR may become: only root where one user is mapped."""
    with suppress(KeyError):
        if not alone():
            return pwd.getpwnam("frr").pw_name
    return "root"


def _until(true: Callable[[], bool], sentence: str, directory: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise LabError(f"{sentence}; its log is in {directory}")
        time.sleep(0.02)
