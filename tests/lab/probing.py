"""`bgpctl probe` between two real nodes, on routers that ignore what others compare.

`python -m tests.lab.probing ROUTER STORY…` builds a lab, gives its router one oddity after the
other and probes each, or ends a probe in the middle (`BREAKS`); it prints as JSON what
bgpctl said and what is left. With `v6` the lab is one of IPv6; with `racks` it has two of them, and
the client sends; with `two-routers` every node has sessions with both;
with `packet` it is that provider's network.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.lab import world
from tests.lab.nodes import PROGRAMS, Node, until
from tests.lab.plan import FamilyChoice, LabError, Plan, RouterName
from tests.lab.provider import ProviderName
from tests.lab.routers import Bird, Frr, missing_programs
from tests.lab.run import Lab
from tests.lab.topology import inside
from tests.tool import end

_PACKET: Final = ProviderName.PACKET
_PATIENCE: Final = 60.0
_AT_MOST: Final = 400.0
_FOLLOW: Final = "8"
"""Seconds that traffic is given to follow; in five of them this machine may have stood still."""

BREAKS: Final = {
    "interrupt": signal.SIGINT,
    "kill": signal.SIGKILL,
    "kill-partner": signal.SIGKILL,
}
"""How a probe is ended in the middle; nsenter has become bgpctl, so the signal finds it."""
Change = Callable[[str], str]


def _bird(text: str, med: str, path: str) -> str:
    return text.replace("import all;", med).replace("passive on;", f"passive on; {path}")


_NO_MED_FRR: Final = "route-map nomed permit 10\n set metric 0\n"
_FRR_HEAD: Final = " no bgp default ipv4-unicast\n"


def _frr(text: str, *, med: bool, path: bool) -> str:
    lines = text.splitlines(keepends=True)
    if not med:
        activated = [line for line in lines if line.rstrip().endswith(" activate")]
        for line in activated:
            name = line.split()[1]
            lines.insert(lines.index(line) + 1, f"  neighbor {name} route-map nomed in\n")
        lines.append(_NO_MED_FRR)
    found = "".join(lines)
    return found if path else found.replace(_FRR_HEAD, f"{_FRR_HEAD} bgp bestpath as-path ignore\n")


_NO_MED: Final = "import filter { bgp_med = 0; accept; };"
ODDITIES: Final[dict[str, dict[RouterName, Change]]] = {
    "plain": {
        RouterName.BIRD: lambda text: text,
        RouterName.FRR: lambda text: text,
    },
    "ignores-med": {
        RouterName.BIRD: lambda text: _bird(text, _NO_MED, ""),
        RouterName.FRR: lambda text: _frr(text, med=False, path=True),
    },
    "ignores-path": {
        RouterName.BIRD: lambda text: _bird(text, "import all;", "path metric off;"),
        RouterName.FRR: lambda text: _frr(text, med=True, path=False),
    },
    "ignores-both": {
        RouterName.BIRD: lambda text: _bird(text, _NO_MED, "path metric off;"),
        RouterName.FRR: lambda text: _frr(text, med=False, path=False),
    },
}
"""What a router's configuration becomes; each compares ORIGIN."""


class OddBird(Bird):
    """BIRD with an oddity."""

    oddity = "plain"

    def _write(self, name: str, text: str) -> str:
        return super()._write(name, ODDITIES[self.oddity][RouterName.BIRD](text))


class OddFrr(Frr):
    """FRR with an oddity."""

    oddity = "plain"

    def _write(self, name: str, text: str) -> str:
        changed = ODDITIES[self.oddity][RouterName.FRR](text) if name == "bgpd.conf" else text
        return super()._write(name, changed)


def odd(lab: Lab) -> OddBird | OddFrr:
    """Return the router of *lab* as one that may have an oddity."""
    kind: type[OddBird | OddFrr] = OddFrr if lab.plan.router is RouterName.FRR else OddBird
    return kind(lab.plan, lab.directory / "router")


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    router, stories = RouterName(arguments[0]), arguments[1:]
    if missing := missing_programs(router):
        raise LabError(f"{router} is not installed: {', '.join(missing)}")
    if world.INSIDE not in os.environ:
        return world.run_inside(arguments, module="tests.lab.probing")
    if stories == ["racks"]:
        return _between_racks(Plan(router=router, services=6, racks=True, routers=2))
    if stories == ["two-routers"]:
        return _on_two_routers(Plan(router=router, services=6, routers=2))
    if stories == ["packet"]:
        return _at_a_provider(Plan(router=router, services=6, routers=2, provider=_PACKET))
    family = FamilyChoice.V6 if "v6" in stories else FamilyChoice.V4
    lab = Lab(Plan(router=router, services=6, family=family), world.become_world())
    lab.router = machine = odd(lab)
    lab.routers = (machine,)
    machine.oddity = _oddity(stories[0])
    lab.start()
    found = {}
    for number, story in enumerate(stories):
        if number and machine.oddity != _oddity(story):
            machine.oddity = _oddity(story)
            machine.kill()
            machine.start()
        # A router that was killed leaves routes in its kernel: they prove nothing yet.
        until(lambda: all(machine.sessions().values()), _PATIENCE, "sessions are not up")
        lab.steady(_PATIENCE)
        found[story] = _told(lab, story)
    print(json.dumps(found), flush=True)
    lab.stop()
    return 0


def _between_racks(plan: Plan) -> int:
    """Probe between nodes without a common router, with datagrams from beyond the spine."""
    lab = Lab(plan, world.become_world())
    lab.start()
    lab.steady(_PATIENCE)
    refused = _whole(lab)
    errors = lab.directory / "n1.err"
    probe, partner = pair(lab, "-o", "json", "--patience", _FOLLOW, "--from-client")
    until(lambda: "python3 -c" in errors.read_text(), 60, "no command is told")
    command = next(line for line in _read(lab, "n1.err") if line.startswith("python3 -c"))
    with subprocess.Popen([*inside("client"), "sh", "-c", f"exec {command}"]) as client:
        found = _ended(lab, probe, partner)
        client.kill()
    until(lab.all_routes_present, 60, f"routes are not as before (logs: {lab.directory})")
    print(json.dumps({"refused": refused, "racks": found | {"levers": _kept(lab)}}), flush=True)
    lab.stop()
    return 0


def _at_a_provider(plan: Plan) -> int:
    """Probe two routers that are several hops away, behind one gateway."""
    lab = Lab(plan, world.become_world())
    lab.start()
    lab.steady(_PATIENCE)
    found = _whole(lab)
    until(lab.all_routes_present, 60, f"routes are not as before (logs: {lab.directory})")
    print(json.dumps({"packet": found | {"levers": _kept(lab)}}), flush=True)
    lab.stop()
    return 0


def _on_two_routers(plan: Plan) -> int:
    """Probe two routers at once, of which one ignores MED."""
    lab = Lab(plan, world.become_world())
    lab.router = first = odd(lab)
    lab.routers = (first, *lab.routers[1:])
    first.oddity = "ignores-med"
    lab.start()
    lab.steady(_PATIENCE)
    found = _whole(lab)
    until(lab.all_routes_present, 60, f"routes are not as before (logs: {lab.directory})")
    print(json.dumps({"two-routers": found | {"levers": _kept(lab)}}), flush=True)
    lab.stop()
    return 0


def _oddity(story: str) -> str:
    return story if story in ODDITIES else "plain"


def _told(lab: Lab, story: str) -> dict[str, Any]:
    """Return what came of *story*; raise unless the router's routes are as before."""
    found = _broken_off(lab, story) if story in BREAKS else _whole(lab)
    until(lambda: _restored(lab), 60, f"routes are not as before (logs: {lab.directory})")
    return found | {"levers": _kept(lab)}


def _restored(lab: Lab) -> bool:
    """Tell whether the router has every route of every node, and no other."""
    every = frozenset(lab.plan.names)
    return lab.router.paths() == dict.fromkeys(lab.plan.prefixes(), every)


def _spare(lab: Lab) -> str:
    """Return an address of the pool that no Service has."""
    return lab.plan.elastic_ip(190, lab.plan.family.versions[0])


def started(lab: Lab, node: Node, *words: str, errors: Path) -> subprocess.Popen[str]:
    """Start `bgpctl probe` on *node*."""
    init = ("nsenter", "--target", str(node.pid("init")), "--mount", "--net", "--")
    key = ("--mesh-key-file", str(lab.key_file))
    with errors.open("w") as log:
        return subprocess.Popen(
            [*init, str(PROGRAMS / "bgpctl"), "probe", *words, *key],
            stdout=subprocess.PIPE, stderr=log, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def pair(lab: Lab, *more: str) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """Start a probe on n1 and its partner on n2."""
    partner = started(lab, lab.nodes["n2"], "--listen", errors=lab.directory / "n2.err")
    said = lab.directory / "n2.err"
    until(lambda: "waits on port" in said.read_text(), 60, "the partner does not listen")
    words = ("--address", _spare(lab), "--partner", "n2", *more)
    return started(lab, lab.nodes["n1"], *words, errors=lab.directory / "n1.err"), partner


def _whole(lab: Lab) -> dict[str, Any]:
    return _ended(lab, *pair(lab, "-o", "json", "--patience", _FOLLOW))


def _ended(
    lab: Lab, probe: subprocess.Popen[str], partner: subprocess.Popen[str]
) -> dict[str, Any]:
    """Wait for the end of both, and return what they said."""
    output, _ = probe.communicate(timeout=_AT_MOST)
    partner.communicate(timeout=100)
    return {
        "status": probe.returncode,
        "partner": partner.returncode,
        "result": json.loads(output or "null"),
        "said": _read(lab, "n1.err"),
    }


def _broken_off(lab: Lab, how: str) -> dict[str, Any]:
    """End a probe by a signal once the spare route is there; see that it goes."""
    probe, partner = pair(lab)
    prefix = lab.plan.prefix(190, lab.plan.family.versions[0])
    until(lambda: prefix in lab.router.paths(), 30, "the spare route is not there", 0.02)
    victim = partner if how == "kill-partner" else probe
    victim.send_signal(BREAKS[how])
    began = time.monotonic()
    until(lambda: prefix not in lab.router.paths(), 20, "the spare route stays", 0.02)
    gone = time.monotonic() - began
    probe.communicate(timeout=100)
    partner.communicate(timeout=100)
    return {
        "status": probe.returncode,
        "partner": partner.returncode,
        "gone_seconds": round(gone, 2),
        "said": _read(lab, "n1.err"),
    }


def _kept(lab: Lab) -> dict[str, Any]:
    """Return what each node's own status says of levers."""
    found = {}
    for name, node in lab.nodes.items():
        status = node.answer()
        found[name] = {
            "probed": [one.get("lever_probed") for one in status["sessions"]],
            "conditions": [
                one["message"] for one in status["conditions"] if one["type"] == "LeverDoesNotMove"
            ],
        }
    return found


def _read(lab: Lab, name: str) -> list[str]:
    return (lab.directory / name).read_text().splitlines()


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
