"""What people and Kubernetes do to a node on purpose: drain it, upgrade it, reboot it.

Nothing may be lost in any of these, so each is done as carefully as its owner would do it: the next
step waits for the one before it, and a node counts as back when the router uses all its routes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.lab.documents import Document
from tests.lab.extras import shutting_down
from tests.lab.healthstrikes import hearing, probes_agree
from tests.lab.nodes import HELD, HERE, Node, until
from tests.lab.plan import ECHO_PORT, LabError, Plan
from tests.lab.strikes import Findings, Strike, power_loss, undrop
from tests.lab.topology import inside

if TYPE_CHECKING:
    from tests.lab.run import Lab

_PATIENCE: Final = 60.0
_REST: Final = 2.0
_REQUESTS: Final = 20
_REQUEST_SECONDS: Final = 4
_OFF_SECONDS: Final = 2.0
_LATE: Final = 2.0
"""Seconds after the boot at which kube-proxy, and again later the workload, is there."""


def drain(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """`bgpctl drain NODE --wait`, a rest without traffic, `bgpctl undrain NODE`."""
    (node,) = nodes
    lab.strike_time = time.monotonic()
    _ask(node, "drain", node.name, "--wait")
    drained = time.monotonic()
    away = lab.routes_avoid((node.name,))
    time.sleep(_REST)
    kept = lab.router.sessions()[node.name]
    phase = _phase(node)
    undrained = time.monotonic()
    _ask(node, "undrain", node.name)
    until(lab.all_routes_present, _PATIENCE, f"{node.name} carries no traffic after undrain", 0.05)
    return {
        "drain_seconds": round(drained - lab.strike_time, 2),
        "routes_moved_when_told": away,
        "told_drained": phase == "Drained",
        "session_kept_while_drained": kept,
        "back_seconds": round(time.monotonic() - undrained, 2),
    }


def end_agent(_lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: the agent is gone, and nothing starts it again."""
    for node in nodes:
        node.end("agent")


def start_agent(_lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Let the agent be there again."""
    for node in nodes:
        node.order("start", "agent")


def marking(mark: Callable[[Plan, str], Document]) -> Strike:
    """Return a strike that changes the Node by *mark*, waits for the drain, and changes it back."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        (node,) = nodes
        lab.strike_time = time.monotonic()
        lab.source.write_nodes([mark(lab.plan, node.name)])
        what = f"{node.name} was marked, and is not drained"
        until(lambda: _phase(node) == "Drained", _PATIENCE, what, 0.02)
        drained = time.monotonic() - lab.strike_time
        away = lab.routes_avoid((node.name,))
        time.sleep(_REST)
        unmarked = time.monotonic()
        lab.source.write_nodes([])
        until(lab.all_routes_present, _PATIENCE, f"{node.name} does not come back", 0.05)
        return {
            "drain_seconds": round(drained, 2),
            "routes_moved_when_told": away,
            "back_seconds": round(time.monotonic() - unmarked, 2),
        }

    return strike


def drain_with_requests(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Drain the active node of Service 1 while requests to it are in flight."""
    assert lab.watch is not None
    node = lab.nodes[_active(lab)]
    address = lab.plan.elastic_ip(1, lab.plan.family.versions[0])
    words = (address, str(ECHO_PORT), str(_REQUESTS), str(_REQUEST_SECONDS))
    client = subprocess.Popen(
        [*inside("client"), sys.executable, "-S", "-E", str(HERE / "inflight.py"), *words],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert client.stdout is not None
        if client.stdout.readline().strip() != "ready":
            raise LabError(f"the client's requests did not begin; see {lab.directory}")
        lab.strike_time = time.monotonic()
        _ask(node, "drain", node.name, "--wait")
        drained = time.monotonic()
        answered: list[dict[str, Any]] = json.loads(client.communicate(timeout=_PATIENCE)[0])
    finally:
        client.kill()
        client.communicate()
    last = max(each["ended"] for each in answered)
    prefix = lab.plan.prefix(1, lab.plan.family.versions[0])
    moved = [c.at for c in lab.watch.routes if c.prefix == prefix and c.at > lab.strike_time]
    away = lab.routes_avoid((node.name,))
    _ask(node, "undrain", node.name)
    return {
        "requests": len(answered),
        "every_request_finished": all(not each["wrong"] for each in answered),
        "last_request_seconds": round(last - lab.strike_time, 2),
        "route_stayed_for_them": bool(moved) and min(moved) >= last,
        "routes_moved_when_told": away,
        "drain_seconds": round(drained - lab.strike_time, 2),
    }


def one_active_each(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Prepare: every elastic IP has one active node, and that has come to rest."""
    seen: list[Mapping[str, frozenset[str]]] = []

    def rested() -> bool:
        seen.append(lab.router.paths())
        prefixes = lab.plan.prefixes()
        return len(seen) > 10 and all(
            paths == seen[-1] and all(len(paths.get(prefix, ())) == 1 for prefix in prefixes)
            for paths in seen[-10:]
        )

    until(rested, _PATIENCE, "not every elastic IP has one active node", 0.1)


def rolling_upgrade(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Replace agent and speaker of every node as a DaemonSet with maxUnavailable 1 does."""
    lab.strike_time = time.monotonic()
    took = []
    for node in lab.nodes.values():
        began = time.monotonic()
        node.end("agent")
        node.end("speaker")
        node.order("start", "speaker")
        node.order("start", "agent")
        until(lab.all_routes_present, _PATIENCE, f"{node.name} did not come back", 0.05)
        until(lab.mesh_whole, _PATIENCE, f"{node.name} is not in the mesh", 0.05)
        took.append(time.monotonic() - began)
    return {"nodes_upgraded": len(took), "seconds_a_node": round(max(took), 2)}


def before_reboot(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: kube-proxy of the node was heard, and every probe succeeds."""
    hearing("kube-proxy")(lab, nodes)
    probes_agree(lab, nodes)


def reboot(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """End a node as kubelet's graceful shutdown does, cut its power, boot it.

    After the boot everything is new but the disk: another boot ID, an empty /run, kube-proxy only
    after a while, and the workload still later, though Kubernetes calls it ready all the time.
    """
    (node,) = nodes
    lab.strike_time = began = time.monotonic()
    lab.source.write_nodes([shutting_down(lab.plan, node.name)])
    away = (node.name,)
    what = f"{node.name} is shutting down, and its routes stay"
    drained = until(lambda: lab.routes_avoid(away), _PATIENCE, what, 0.02)
    time.sleep(_REST)
    stopped = sum(node.end(which) for which in ("agent", "speaker"))
    for which in ("kube-proxy", "echo"):
        node.end(which, verb="kill")
    power_loss(lab, nodes)
    lab.strike_time = began
    node.stop()
    time.sleep(_OFF_SECONDS)
    return {
        "drain_seconds": round(drained, 2),
        "processes_ended_seconds": round(stopped, 2),
        **_boot(lab, node),
    }


def _boot(lab: "Lab", node: Node) -> Findings:
    """Start a node that was off; find what it waited for."""
    node.forget_run()
    node.booted()
    lab.source.write_nodes([])
    undrop(lab, (node,))
    booted = time.monotonic()
    node.start(lab.source.of_node(node.name), lab.key_file, held=HELD | {"echo"})
    until(lambda: lab.router.sessions()[node.name], _PATIENCE, f"{node.name}: no session", 0.05)
    time.sleep(_LATE)
    for_kube_proxy = lab.routes_avoid((node.name,))
    node.order("start", "kube-proxy")
    time.sleep(_LATE)
    for_workload = lab.routes_avoid((node.name,))
    node.order("start", "echo")
    ready = time.monotonic()
    until(lab.all_routes_present, _PATIENCE, f"{node.name} did not come back", 0.05)
    return {
        "waited_for_kube_proxy": for_kube_proxy,
        "waited_for_the_workload": for_workload,
        "back_after_the_workload_seconds": round(time.monotonic() - ready, 2),
        "boot_seconds": round(time.monotonic() - booted, 2),
    }


def _active(lab: "Lab") -> str:
    """Return the node that has the elastic IP of Service 1 alone."""
    (name,) = lab.router.paths()[lab.plan.prefix(1, lab.plan.family.versions[0])]
    return name


def _phase(node: Node) -> str:
    """Return how far the drain is, as the speaker says."""
    found: str = (node.answer().get("drain") or {}).get("phase", "")
    return found


def _ask(node: Node, *words: str) -> None:
    done = node.control(*words, timeout=_PATIENCE)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}"
        raise LabError(f"{node.name}: bgpctl {' '.join(words)}: {said}")
