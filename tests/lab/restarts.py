"""Restarts that nobody should notice, a death in the middle of one, and a machine with no time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.lab.nodes import Node, until
from tests.lab.strikes import Findings, power_loss

if TYPE_CHECKING:
    from tests.lab.run import Lab

_BUSY = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
_STRESS_SECONDS = 10.0


def restart_speaker(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """SIGTERM to the speaker, whoever supervises it starts it again: wait until all is well."""
    return _restart(lab, nodes, "speaker")


def restart_agent(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """SIGTERM to the agent, whoever supervises it starts it again: wait until all is well."""
    return _restart(lab, nodes, "agent")


def _restart(lab: "Lab", nodes: tuple[Node, ...], which: str) -> Findings:
    (node,) = nodes
    before = len(node.ends(which))
    lab.strike_time = time.monotonic()
    node.signal(which, signal.SIGTERM)
    until(lambda: len(node.ends(which)) > before, 20, f"{node.name}: the {which} did not end")
    ended = float(node.ends(which)[-1]["at"])
    until(lambda: _speaks(node), 30, f"{node.name}: the {which} did not come back", 0.05)
    return {
        "exit_seconds": round(ended - lab.strike_time, 3),
        "back_seconds": round(time.monotonic() - lab.strike_time, 2),
    }


def _speaks(node: Node) -> bool:
    """Tell whether the speaker of *node* has an agent, and its sessions with every router."""
    status = node.status()
    return (
        status is not None
        and bool(status["agent_connected"])
        and bool(status["sessions"])
        and all(one["state"] == "Established" for one in status["sessions"])
    )


def unnoticed(lab: "Lab", record: Mapping[str, Any]) -> Findings:
    """Return whether the router's kernel, and every TCP connection, saw nothing of it."""
    assert lab.watch is not None
    ours = lab.plan.prefixes()
    changed = [one for one in lab.watch.routes if one.prefix in ours and one.at >= lab.strike_time]
    breaks = [at for flow in record["tcp"] for at, _, _ in flow["breaks"] if at >= lab.strike_time]
    return {"router_changed_no_route": not changed, "no_connection_noticed": not breaks}


def die_during_restart(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Let a speaker say goodbye, and take the power as soon as its process has ended."""
    (node,) = nodes
    before = len(node.ends("speaker"))
    node.signal("speaker", signal.SIGTERM)
    until(lambda: len(node.ends("speaker")) > before, 20, f"{node.name}: it did not end", 0.002)
    power_loss(lab, nodes)
    return {}


def stress(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Keep every core busy for a while; count what bgpd's sessions made of it."""
    before = _transitions(lab)
    lab.strike_time = time.monotonic()
    busy = [
        subprocess.Popen([sys.executable, "-S", "-c", _BUSY.format(seconds=_STRESS_SECONDS)])
        for _ in range(os.cpu_count() or 1)
    ]
    for one in busy:
        one.wait()
    after = _transitions(lab)
    return {
        "no_session_lost": after["bgp"] == before["bgp"],
        "bfd_downs": (after["bfd"] - before["bfd"]) // 2,
    }


def _transitions(lab: "Lab") -> dict[str, int]:
    """Return how often sessions have changed their state, on all nodes together."""
    found = {"bgp": 0, "bfd": 0}
    for node in lab.nodes.values():
        for one in node.answer()["sessions"]:
            found["bgp"] += one.get("transitions", 0)
            found["bfd"] += (one.get("bfd") or {}).get("transitions", 0)
    return found
