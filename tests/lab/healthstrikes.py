"""What is done to workloads, to the processes beside them and to uplinks, and what bgpd says of it.

A finding that ends in `told` is about the node's own words (`bgpctl status`), not about routes: it
shows that the agent itself saw what was done, also where somebody else was faster.
"""

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tests.lab.extras import doubt_seconds
from tests.lab.nodes import NODE_PORTS, Node, until
from tests.lab.plan import LabError
from tests.lab.strikes import Findings, Heal, Strike, drop, ends
from tests.lab.topology import batch

if TYPE_CHECKING:
    from tests.lab.run import Lab

_PATIENCE: Final = 60.0
_TOLD_WITHIN: Final = 15.0
_DOUBTFUL: Final = 250
_FLAP_EVERY: Final = 0.1
_FLAP_SECONDS: Final = 5.0
_LAST_PAUSE: Final = 16.0
"""After so long nothing is held back any more (bgpd.policy.flapping)."""


def told(node: Node, part: str) -> str:
    """Return what the agent of *node* believes of one part of it: `Healthy`, `Unknown`, …."""
    health: dict[str, Any] = node.told().get("health") or {}
    return str((health.get("node") or {}).get(part, "Unknown"))


# A workload that hangs


def probes_agree(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Prepare: every HealthCheck of every Service has been found healthy on every node."""
    _until_healthy(lab, lambda check: check != "")


def node_ports_agree(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Prepare: every Service has a healthCheckNodePort, and every node has found it healthy."""
    if lab.plan.api:
        raise LabError("an API server gives out these ports itself: use --source directory")
    for node in lab.nodes.values():
        node.order("start", NODE_PORTS)
    _until_healthy(lab, lambda check: check == "")


def _until_healthy(lab: "Lab", counts: Callable[[str], bool]) -> None:
    def agreed(node: Node) -> bool:
        probes = (node.told().get("health") or {}).get("probes") or ()
        checked = [one["health"] for one in probes if counts(one["check"])]
        return len(checked) == lab.plan.services and set(checked) == {"Healthy"}

    until(lambda: all(map(agreed, lab.nodes.values())), _PATIENCE, "not every probe succeeds")
    lab.steady()


def hang_workload(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Stop the workload: its sockets stay, its kernel goes on accepting, nobody answers."""
    lab.strike_time = time.monotonic()
    for node in nodes:
        node.signal("echo", signal.SIGSTOP)
    return {}


def refuse_on_node_ports(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Stop the workload, and say on the healthCheckNodePorts that the node has no endpoint."""
    lab.strike_time = time.monotonic()
    for node in nodes:
        node.signal("echo", signal.SIGSTOP)
        node.signal(NODE_PORTS, signal.SIGUSR1)
    return {}


def wake_workload(_lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Let the workload go on."""
    for node in nodes:
        node.signal("echo", signal.SIGCONT)


# kubelet and kube-proxy


def hearing(which: str) -> Heal:
    """Return what prepares for the death of *which*: it runs, and the agent has heard it."""

    def prepare(_lab: "Lab", nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            node.order("start", which)
            _until_told(node, which, "Healthy")

    return prepare


def silencing(which: str) -> Strike:
    """Return a strike that restarts *which* as a routine, and later kills it for good."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        (node,) = nodes
        assert lab.watch is not None
        doubt = doubt_seconds(lab.plan)
        lab.strike_time = time.monotonic()
        since = len(lab.watch.routes)
        node.end(which, verb="kill")
        time.sleep(doubt * 0.6)
        node.order("start", which)
        _until_told(node, which, "Healthy")
        time.sleep(doubt * 0.8)
        restart_moved = len(lab.watch.routes) - since
        killed = time.monotonic()
        node.end(which, verb="kill")
        what = f"{node.name}: its routes did not go though {which} is dead"
        until(lambda: lab.routes_avoid((node.name,)), doubt + _PATIENCE, what, 0.05)
        time.sleep(0.2)
        gone = lab.last_route_gone(node, killed)
        ranks = {route["rank"] for route in node.answer().get("routes") or ()}
        after = None if gone is None else round(gone - killed, 2)
        return {
            "restart_moved_nothing": restart_moved == 0,
            "moved_after_seconds": after,
            "not_before_its_time": after is not None and after >= doubt - 0.5,
            "advertised_in_doubt": ranks == {_DOUBTFUL},
        }

    return strike


def hearing_everywhere(which: str) -> Heal:
    """Return what prepares for the death of *which* on every node."""
    prepare = hearing(which)
    return lambda lab, _nodes: prepare(lab, tuple(lab.nodes.values()))


def silencing_everywhere(which: str) -> Strike:
    """Return a strike that kills *which* on every node: nobody is better than anybody."""

    def strike(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
        every = tuple(lab.nodes.values())
        doubt = doubt_seconds(lab.plan)
        lab.strike_time = time.monotonic()
        for node in every:
            node.end(which, verb="kill")

        def all_say_so() -> bool:
            return all("NobodyIsBetter" in node.reasons() for node in every)

        what = f"not every agent says that every node is in doubt, though {which} is dead"
        took = until(all_say_so, doubt + _PATIENCE, what)
        time.sleep(1)
        return {"told_after_seconds": round(took, 2), "every_route_stays": lab.all_routes_present()}

    return strike


def renew(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Start every node afresh: one that has heard kube-proxy once misses it for ever."""
    lab.renew()


# Uplinks and gateways


def port_down(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Shut the router's port of each node: the node keeps its addresses and has no carrier."""
    lab.strike_time = time.monotonic()
    for end in ends(nodes):
        batch([f"link set {end} down"], lab.router.space)
    return {"carrier_loss_told_ms": _told_after(lab, nodes, "carrier", _TOLD_WITHIN)}


def port_up(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Open the port again."""
    for end in ends(nodes):
        batch([f"link set {end} up"], lab.router.space)


def gateway_mute(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Drop all that the router sends to the nodes, its ARP and ND answers included.

    What the nodes send still arrives, so that the router itself would go on for its hold time. The
    nodes' neighbor entries of it are made to be confirmed anew, which their kernels would do by
    themselves within half a minute.
    """
    drop(lab, {f"egress {end}": ("",) for end in ends(nodes)})
    for node in nodes:
        batch(["neigh flush dev e0"], node.name)
    return {"gateway_loss_told_ms": _told_after(lab, nodes, "gateway", _TOLD_WITHIN)}


def _told_after(
    lab: "Lab", nodes: tuple[Node, ...], part: str, seconds: float
) -> float | int | bool | None:
    """Return after how many ms every agent called *part* unhealthy; None: not within *seconds*."""
    while time.monotonic() < lab.strike_time + seconds:
        if all(told(node, part) == "Unhealthy" for node in nodes):
            return round((time.monotonic() - lab.strike_time) * 1000)
        time.sleep(0.01)
    return None


def _until_told(node: Node, part: str, health: str) -> None:
    what = f"{node.name}: its agent does not call {part} {health}"
    until(lambda: told(node, part) == health, _PATIENCE, what)


# An endpoint that comes and goes


def flap_endpoint(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Change the endpoint of Service 1 ten times a second; change Service 2 once meanwhile."""
    (node,) = nodes
    assert lab.watch is not None
    if lab.plan.services < 2:
        raise LabError("flapping-endpoint looks at a second Service: --services 2 or more")
    rest = tuple(name for name in lab.plan.names if name != node.name)
    since, updates = len(lab.watch.routes), len(lab.watch.updates)
    lab.strike_time = began = time.monotonic()
    flips, other = 0, 0.0
    while (due := began + flips * _FLAP_EVERY) < began + _FLAP_SECONDS or flips % 2:
        time.sleep(max(0.0, due - time.monotonic()))
        lab.source.write_endpoints(1, rest if flips % 2 == 0 else lab.plan.names)
        flips += 1
        if not other and time.monotonic() > began + _FLAP_SECONDS / 2:
            other = lab.source.write_endpoints(2, rest)
    ended = time.monotonic()
    prefix = lab.plan.prefix(1, lab.plan.family.versions[0])

    def right() -> bool:
        return node.name in lab.router.paths().get(prefix, ())

    until(right, _LAST_PAUSE + 4, f"{node.name}: the endpoint is there, its route is not")
    settled = time.monotonic() - ended
    seen = [
        update
        for update in lab.watch.updates[updates:]
        if update.source in lab.addresses(node) and prefix in update.advertised | update.withdrawn
    ]
    time.sleep(2)
    return {
        "flips": flips,
        "updates_of_its_route": len(seen),
        "fewer_updates_than_flips": 0 < len(seen) < flips / 2,
        "settled_seconds": round(settled, 2),
        "right_at_the_end": right(),
        **_of_other(lab, node, since, other),
    }


def _of_other(lab: "Lab", node: Node, since: int, written: float) -> Findings:
    """Return how long the change of Service 2 took: to the router, and into its kernel."""
    assert lab.watch is not None
    prefix = lab.plan.prefix(2, lab.plan.family.versions[0])
    sent = _first(
        u.at
        for u in lab.watch.updates
        if u.at >= written and prefix in u.withdrawn and u.source in lab.addresses(node)
    )
    changed = _first(c.at for c in lab.watch.routes[since:] if c.prefix == prefix)
    return {
        "other_to_router_ms": None if sent is None else round((sent - written) * 1000, 2),
        "other_route_ms": None if changed is None else round((changed - written) * 1000, 2),
    }


def _first(times: Any) -> float | None:
    return min(times, default=None)


def restore_both(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Put the endpoints of both Services back."""
    for number in (1, 2):
        lab.source.write_endpoints(number, lab.plan.names)
