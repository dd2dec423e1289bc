"""What the router's kernel holds: the table that packets follow, and the ports that listen."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.lab.plan import Plan, router_space
from tests.lab.topology import inside


def kernel_paths(plan: Plan, router: int = 1) -> dict[str, frozenset[str]]:
    """Return prefix -> nodes that the kernel of *router* sends it to."""
    found: dict[str, frozenset[str]] = {}
    for version in plan.family.versions:
        names = {address: name for name, address in plan.gateways(version, router).items()}
        found |= paths_in(router_space(router), plan.pool(version), names)
    return found


def paths_in(namespace: str, wanted: str, names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return prefix -> *names* of the next hops, for what lies in *wanted*, in a namespace."""
    version = 6 if ":" in wanted else 4
    found: dict[str, frozenset[str]] = {}
    text = subprocess.run(
        ["ip", "-n", namespace, "-j", f"-{version}", "route", "show", "root", wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for route in json.loads(text or "[]"):
        hops = route.get("nexthops") or [route]
        prefix = (
            route["dst"] if "/" in route["dst"] else f"{route['dst']}/{32 if version == 4 else 128}"
        )
        nodes = frozenset(names.get(_via(hop), "") for hop in hops)
        found[prefix] = found.get(prefix, frozenset()) | nodes
    return found


def listening(port: int, namespace: str = "router") -> bool:
    """Tell whether something in a router's namespace accepts TCP connections on *port*."""
    text = subprocess.run(
        [*inside(namespace), "cat", "/proc/net/tcp", "/proc/net/tcp6"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return any(
        words[1].endswith(f":{port:04X}") and words[3] == "0A"
        for words in (line.split() for line in text.splitlines())
        if len(words) > 3
    )


def _via(hop: dict[str, Any]) -> str:
    return str(hop.get("gateway") or hop.get("via", {}).get("host", ""))
