"""How nodes share traffic on a real router: one active node, or each by its endpoints.

`python -m tests.lab.spread ROUTER SHAPE` builds a lab whose advertisement says so, looks at the
routes in the router's kernel, lets something happen, looks again, and prints what it saw as JSON.
"""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tests.lab import documents, strikes, world
from tests.lab.attempt import MOST_MACHINE_LATE_MS
from tests.lab.nodes import until
from tests.lab.pace import Pace
from tests.lab.plan import LabError, Plan, RouterName, node_address
from tests.lab.routers import missing_programs
from tests.lab.run import Lab
from tests.tool import end

_PATIENCE: Final = 60.0
_REST: Final = 3.0
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "standby": {"distribution": "activeStandby"},
    "standby-without-ranks": {"distribution": "activeStandby"},
    "weight": {"weight": "endpoints"},
}
# Three steps would do, too, but not for a node that dies on the last of them.
_LEVERS: Final = {"standby-without-ranks": "none"}
_HOLD: Final = {"standby-without-ranks": 9}
"""Seconds after which the router itself lets go of a dead node's path."""
Seen = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    router, shape = RouterName(arguments[0]), arguments[1]
    if missing := missing_programs(router):
        raise LabError(f"{router} is not installed: {', '.join(missing)}")
    if world.INSIDE not in os.environ:
        return world.run_inside(arguments, module="tests.lab.spread")
    lab = Lab(Plan(router=router, services=6, hold=_HOLD.get(shape, 90)), world.become_world())
    lab.lay()
    _reconfigure(lab, shape)
    lab.start_nodes()
    until(lab.mesh_whole, _PATIENCE, f"the mesh is not whole (logs: {lab.directory})")
    _until(lab, lambda: all(lab.router.sessions().values()), "all sessions are up")
    print(json.dumps((_weight if shape == "weight" else _standby)(lab)), flush=True)
    lab.stop()
    return 0


def _reconfigure(lab: Lab, shape: str) -> None:
    """Write the advertisement of *shape*, and the lever of its peers."""
    found = documents.configuration(lab.plan)
    for one in found:
        if one["kind"] == "BGPAdvertisement":
            one["spec"] |= _SHAPES[shape]
        if one["kind"] == "BGPPeer" and shape in _LEVERS:
            one["spec"]["takeover"] = {"lever": _LEVERS[shape]}
    documents.replace(lab.directory / "documents" / "cluster.yaml", found)


# One active node


def _standby(lab: Lab) -> Seen:
    """See who is active, let one of them lose power and return."""
    before = _rested(lab)
    victim = next(name for name in lab.plan.names if name in before.values())
    began = time.monotonic()
    pace = Pace()
    strikes.power_loss(lab, (lab.nodes[victim],))
    after = before

    def moved() -> bool:
        nonlocal after
        after = _actives(lab)
        if not _settled(after) or victim in after.values():
            return False
        # Nodes that stood still suspect each other rightly: then others' prefixes move, and return.
        stood_still = pace.worst_ms() > MOST_MACHINE_LATE_MS
        return not stood_still or all(after[p] == n for p, n in before.items() if n != victim)

    _until(lab, moved, f"every prefix has an active node that is not {victim}")
    took = round((time.monotonic() - began) * 1000)
    pace.stop()
    strikes.undrop(lab, (lab.nodes[victim],))
    returned = _returned(lab, before)
    return {
        "returned": returned,
        "before": before,
        "after": after,
        "victim": victim,
        "moved_ms": took,
    }


def _returned(lab: Lab, before: Mapping[str, str]) -> bool:
    """Wait until all is as before; a member in quarantine, on a slow machine, is not waited for."""
    quarantined: tuple[str, ...] = ()

    def over() -> bool:
        nonlocal quarantined
        if _actives(lab) == before:
            return True
        quarantined = lab.quarantined()
        return bool(quarantined)

    _until(lab, over, "the active nodes are as before")
    return not quarantined


def _actives(lab: Lab) -> dict[str, str]:
    """Return the node that the router's kernel sends each prefix to; several are joined by `+`."""
    paths = lab.router.paths()
    return {prefix: "+".join(sorted(paths.get(prefix, ()))) for prefix in lab.plan.prefixes()}


def _rested(lab: Lab) -> dict[str, str]:
    """Return the active nodes once they have been the same for a while."""
    last: dict[str, str] = {}
    since = time.monotonic()

    def rests() -> bool:
        nonlocal last, since
        found = _actives(lab)
        if found != last:
            last, since = found, time.monotonic()
        return _settled(found) and time.monotonic() - since > _REST

    _until(lab, rests, "every prefix has one active node")
    return last


def _settled(actives: Mapping[str, str]) -> bool:
    return all(name and "+" not in name for name in actives.values())


# Each by its endpoints


def _weight(lab: Lab) -> Seen:
    """See the weights of Service 1 in the router's kernel, before and after its endpoints move."""
    shares = ({"n1": 3, "n2": 1, "n3": 2}, {"n1": 1, "n2": 4, "n3": 1}, {"n1": 1, "n3": 1})
    seen: list[Seen] = []
    for wanted in shares:
        lab.source.write_endpoints(1, tuple(n for n, count in wanted.items() for _ in range(count)))
        _until(lab, partial(_follows, lab, wanted), f"the router follows {wanted}")
        seen.append({"told": _told(lab), "kernel": _kernel_weights(lab)})
    return {"seen": seen}


def _follows(lab: Lab, wanted: Mapping[str, int]) -> bool:
    """Tell whether the router was told *wanted*, and uses it as it can."""
    return _told(lab) == wanted and _kernel_weights(lab) == weights_of(lab.plan.router, wanted)


def weights_of(router: RouterName, endpoints: Mapping[str, int]) -> dict[str, int]:
    """Return the weights of next hops that *router* makes of *endpoints*: FRR percents, BIRD 1."""
    if router is RouterName.BIRD:
        return dict.fromkeys(endpoints, 1)
    whole = sum(endpoints.values())
    return {name: max(1, 100 * count // whole) for name, count in endpoints.items()}


def _told(lab: Lab) -> dict[str, int]:
    """Return the endpoints of Service 1 as each node told the router, in its own words."""
    prefix = lab.plan.prefix(1, 4)
    names = {node_address(name, 4): name for name in lab.plan.names}
    if lab.plan.router is RouterName.FRR:
        return _told_to_frr(prefix, names)
    found: dict[str, int] = {}
    name = ""
    for line in _in_router("birdc", "-r", "show", "route", "all", "for", prefix).splitlines():
        words = line.split()
        if words[:1] == ["via"]:
            name = names.get(words[1], "")
        if "ext_community" in line and name:
            # BIRD shows what it does not know by its numbers: (unknown TYPE, AS, VALUE).
            value = line.rpartition("(")[2].strip(" )").split(",")[-1].strip()
            found[name] = _endpoints(int(value, 0))
    return found


def _told_to_frr(prefix: str, names: Mapping[str, str]) -> dict[str, int]:
    text = _in_router("vtysh", "-d", "bgpd", "-c", f"show bgp ipv4 unicast {prefix} json")
    found: dict[str, int] = {}
    for path in json.loads(text or "{}").get("paths", []):
        community = path.get("extendedCommunity", {}).get("string", "")
        if community.startswith("LB:"):
            octets = int(community.split(":")[2].split()[0])
            found[names[path["peer"]["peerId"]]] = round(octets / 1_000_000)
    return found


def _endpoints(value: int) -> int:
    number: float = struct.unpack("!f", value.to_bytes(4, "big"))[0]
    return round(number / 1_000_000)


def _kernel_weights(lab: Lab) -> dict[str, int]:
    """Return node -> weight of its next hop for Service 1 in the router's kernel."""
    names = {node_address(name, 4): name for name in lab.plan.names}
    text = _in_router("ip", "-j", "route", "show", lab.plan.prefix(1, 4))
    return {
        names[hop["gateway"]]: int(hop.get("weight", 1))
        for route in json.loads(text or "[]")
        for hop in route.get("nexthops") or [route]
    }


def _in_router(*words: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", "router", *words],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout


def _until(lab: Lab, true: Callable[[], bool], what: str) -> None:
    until(true, _PATIENCE, f"it did not come about that {what} (logs: {lab.directory})")


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
