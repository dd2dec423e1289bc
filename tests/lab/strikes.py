"""What each fault does to the world, and how the harm is undone where it does not undo itself.

A strike does the harm and returns what it measured itself. Network faults are nftables chains on
the router's end of a node's cable: one transaction for any number of nodes, ARP and neighbor
discovery included, and both ends keep their carrier.
"""

import signal
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.lab.kernel import listening
from tests.lab.nodes import Node, alive, until
from tests.lab.plan import MESH_PORT, number
from tests.lab.topology import batch, inside, node_routes, run

if TYPE_CHECKING:
    from tests.lab.run import Lab

Findings = dict[str, float | int | bool | None]
Strike = Callable[["Lab", tuple[Node, ...]], Findings]
Heal = Callable[["Lab", tuple[Node, ...]], None]

_TABLE = "lab"
_IDLE_SECONDS = 10


def nothing(_lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Heal what heals itself."""


def drop(lab: "Lab", rules: Mapping[str, tuple[str, ...]]) -> None:
    """Install drop rules, one transaction a router: `ingress t1` -> matches (empty match: all)."""
    lines = [f"table netdev {_TABLE} {{"]
    for index, (where, matches) in enumerate(rules.items()):
        hook, device = where.split()
        lines.append(
            f" chain c{index} {{ type filter hook {hook} device {device} priority 0; policy accept;"
        )
        lines += [f"  {match} counter drop" for match in matches]
        lines.append(" }")
    lines.append("}")
    lab.strike_time = time.monotonic()
    for space in lab.plan.cut_spaces():
        run(*inside(space), "nft", "-f", "-", text="\n".join(lines))


def undrop(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Remove all drop rules."""
    for space in lab.plan.cut_spaces():
        run(*inside(space), "nft", "delete", "table", "netdev", _TABLE)


def ends(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """Return the router's end of each node's cable."""
    return tuple(f"t{number(node.name)}" for node in nodes)


def power_loss(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Drop everything to and from *nodes*."""
    drop(lab, {f"{hook} {end}": ("",) for end in ends(nodes) for hook in ("ingress", "egress")})
    return {}


def link_down(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Take the carrier away."""
    lab.strike_time = time.monotonic()
    for node in nodes:
        batch(["link set e0 down"], node.name)
    return {}


def link_up(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Bring the carrier back, and the default route that the node's own system would restore."""
    for node in nodes:
        batch(["link set e0 up", *node_routes(lab.plan, node.name)], node.name)


def kernel_pause(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Stop every process of the node."""
    lab.strike_time = time.monotonic()
    for node in nodes:
        node.signal_all(signal.SIGSTOP)
    return {}


def kernel_resume(_lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Let the processes run again."""
    for node in nodes:
        node.signal_all(signal.SIGCONT)


def pause_then_power_loss(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Sleep one second, be awake one second, lose power."""
    kernel_pause(lab, nodes)
    began = lab.strike_time
    time.sleep(1)
    kernel_resume(lab, nodes)
    time.sleep(1)
    power_loss(lab, nodes)
    lab.strike_time = began
    return {}


def killing(which: str) -> Strike:
    """Return a strike that kills one process with SIGKILL."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        lab.strike_time = time.monotonic()
        for node in nodes:
            node.signal(which, signal.SIGKILL)
        return {}

    return strike


def kill_reflex_often(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Kill the reflex thirty times in a minute (five times in ten seconds when quick)."""
    times = 5 if lab.plan.quick else 30
    lab.strike_time = time.monotonic()
    exabgp = {node.name: node.pid("speaker") for node in nodes}
    for round_ in range(times):
        due = lab.strike_time + round_ * 2
        time.sleep(max(0.0, due - time.monotonic()))
        for node in nodes:
            node.signal("reflex", signal.SIGKILL)
    time.sleep(2)
    same = all(node.pid("speaker") == exabgp[node.name] for node in nodes)
    return {"kills": times, "same_exabgp": same}


def hanging(which: str, seconds: float) -> Strike:
    """Return a strike that stops one process, and wakes it after *seconds* if it still lives."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        lab.strike_time = time.monotonic()
        pids = [node.signal(which, signal.SIGSTOP) for node in nodes]
        replaced = None
        while time.monotonic() < lab.strike_time + seconds:
            if replaced is None and not any(alive(pid) for pid in pids):
                replaced = time.monotonic() - lab.strike_time
            time.sleep(0.02)
        for node, pid in zip(nodes, pids, strict=True):
            if alive(pid) and pid in node.pids().values():
                node.signal(which, signal.SIGCONT)
        return {"killed_after_seconds": None if replaced is None else round(replaced, 2)}

    return strike


def terminate_speaker(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """SIGTERM to the speaker; find whether its routes left before it did."""
    (node,) = nodes
    before = len(node.ends("speaker"))
    lab.strike_time = time.monotonic()
    node.signal("speaker", signal.SIGTERM)
    until(lambda: len(node.ends("speaker")) > before, 20, f"{node.name}: the speaker did not end")
    ended = float(node.ends("speaker")[-1]["at"])
    time.sleep(0.3)
    gone = lab.last_route_gone(node, lab.strike_time)
    return {
        "exit_seconds": round(ended - lab.strike_time, 3),
        "routes_gone_seconds": None if gone is None else round(gone - lab.strike_time, 3),
        "routes_left_first": gone is not None and gone <= ended,
    }


def lose_endpoint(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Change one EndpointSlice to be without this node and watch the router's kernel."""
    (node,) = nodes
    rest = tuple(name for name in lab.plan.names if name != node.name)
    return {**lab.rewrite_endpoints(node, rest, present=False)}


def regain_endpoint(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Change one EndpointSlice to have this node again and watch the router's kernel."""
    (node,) = nodes
    return {**lab.rewrite_endpoints(node, lab.plan.names, present=True)}


def without_endpoint(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: the endpoint is away and the router knows."""
    lose_endpoint(lab, nodes)


def restore_endpoints(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Put every endpoint back."""
    lab.source.write_endpoints(1, lab.plan.names)


def mesh_partition(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Cut the mesh of one node off; BGP and traffic pass."""
    rule = (f"udp dport {MESH_PORT}", f"udp sport {MESH_PORT}")
    drop(lab, {f"{hook} {end}": rule for end in ends(nodes) for hook in ("ingress", "egress")})
    return {}


def lossy_mesh(percent: int) -> Strike:
    """Return a strike that drops that share of the mesh's packets, each judged once."""

    def strike(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
        rule = (f"udp dport {MESH_PORT} numgen random mod 100 < {percent}",)
        every = tuple(lab.nodes.values())
        drop(lab, {f"egress {end}": rule for end in ends(every)})
        return {}

    return strike


def lossy_power_loss(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Every link loses 5 % of what the router sends into it; then one node loses power."""
    some = "numgen random mod 100 < 5"
    every = tuple(lab.nodes.values())
    drop(lab, {f"egress {end}": (some,) for end in (*ends(every), "tc")})
    time.sleep(15)
    lab.before_harm = lab.total_generation()
    run(*inside("router"), "nft", "delete", "table", "netdev", _TABLE)
    rules: dict[str, tuple[str, ...]]
    rules = {f"egress {end}": (some,) for end in (*ends(every), "tc")}
    rules |= {f"{hook} {end}": ("",) for end in ends(nodes) for hook in ("ingress", "egress")}
    drop(lab, rules)
    return {}


def one_way(hook: str) -> Strike:
    """Return a strike that drops everything in one direction, as the router sees it."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        drop(lab, {f"{hook} {end}": ("",) for end in ends(nodes)})
        return {}

    return strike


def restart_router(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """SIGKILL the routing daemon, start it again, wait for sessions and routes."""
    lab.strike_time = time.monotonic()
    lab.router.kill()
    time.sleep(1)
    lab.router.start()
    until(lambda: listening(179), 20, "the router does not listen", 0.01)
    accepting = time.monotonic()
    until(lambda: all(lab.router.sessions().values()), 90, "sessions did not come back", 0.05)
    back = time.monotonic()
    until(lab.all_routes_present, 60, "routes did not come back", 0.05)
    return {
        "sessions_back_seconds": round(back - accepting, 2),
        "routes_after_seconds": round(time.monotonic() - back, 2),
    }


def come_back(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Give the power back and wait until the node carries traffic again."""
    lab.strike_time = time.monotonic()
    undrop(lab, nodes)
    took = until(lab.all_routes_present, 120, "the returned node carries no traffic", 0.05)
    return {"carries_again_seconds": round(took, 2)}


def die_first(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: the node is without power, and the survivors have taken over."""
    power_loss(lab, nodes)
    time.sleep(3)


def idle(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Do nothing for ten seconds; measure what bgpd costs on one node."""
    (node,) = nodes
    ours = ("speaker", "reflex", "agent")
    lab.strike_time = time.monotonic()
    before = {which: node.cpu_seconds(which) for which in ours}
    time.sleep(_IDLE_SECONDS)
    spent = time.monotonic() - lab.strike_time
    share = {which: (node.cpu_seconds(which) - before[which]) / spent * 100 for which in ours}
    speaker = node.memory_mb("speaker") + node.memory_mb("reflex")
    return {
        "speaker_pss_mb": round(speaker, 1),
        "agent_pss_mb": round(node.memory_mb("agent"), 1),
        "cpu_percent": round(sum(share.values()), 2),
        **{f"{which}_cpu_percent": round(percent, 2) for which, percent in share.items()},
    }
