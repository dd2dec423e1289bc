"""The routers whose own tables are read, because no packets follow them: GoBGP and OpenBGPD."""

import pwd
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab.configurations import gobgp_configuration, openbgpd_configuration
from tests.lab.plan import EX_CONFIG, LabError
from tests.lab.router import Router, Session, alone, by_address, read_json


class Gobgp(Router):
    """GoBGP, a control-plane peer: its table is read, packets do not follow it."""

    programs = ("gobgpd", "gobgp")

    def start(self) -> None:
        """Start gobgpd."""
        configuration = self._write("gobgpd.toml", gobgp_configuration(self.plan))
        self._spawn("gobgpd", "gobgpd", "-f", configuration, "--pprof-disable")

    def states(self) -> dict[Session, bool]:
        """Ask gobgp."""
        states = {}
        for peer in read_json(self._ask("gobgp", "-j", "neighbor"), []):
            state = peer.get("state", {})
            states[state.get("neighbor_address", "")] = state.get("session_state") == 6
        return by_address(self.plan, states)

    def paths(self) -> dict[str, frozenset[str]]:
        """Ask gobgp for its global table: a path in use has the best attributes."""
        found: dict[str, frozenset[str]] = {}
        for version in self.plan.family.versions:
            names = {address: name for name, address in self.plan.gateways(version).items()}
            table = read_json(self._ask("gobgp", "-j", "global", "rib", "-a", f"ipv{version}"))
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
        if alone():
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

    def states(self) -> dict[Session, bool]:
        """Ask OpenBGPD's own bgpctl."""
        states = {}
        for peer in self._bgpctl("show", "neighbor").get("neighbors", []):
            states[peer.get("remote_addr", "")] = peer.get("state") == "Established"
        return by_address(self.plan, states)

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
        answer: dict[str, Any] = read_json(
            self._ask("/usr/sbin/bgpctl", "-s", self.socket, "-j", *words)
        )
        return answer


def _hop(attributes: list[dict[str, Any]]) -> str:
    return next((str(a["nexthop"]) for a in attributes if "nexthop" in a), "")


def _med(attributes: list[dict[str, Any]]) -> int:
    return next((int(a["metric"]) for a in attributes if a.get("type") == 4), 0)


def _best(offers: Iterable[tuple[str, int]]) -> frozenset[str]:
    known = list(offers)
    least = min(med for _, med in known)
    return frozenset(name for name, med in known if med == least)
