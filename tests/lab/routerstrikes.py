"""A router that goes silent beside another one, and what it costs the flows that passed it.

Which router a flow passes, in either direction, is the kernels' choice by the flow's ports; they
are asked (`ip route get`) just before the harm, because afterwards they answer differently.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.lab.figures import Flow, flows_of
from tests.lab.nodes import Node
from tests.lab.plan import ECHO_PORT, number, uplink
from tests.lab.routers import Router
from tests.lab.strikes import Findings
from tests.lab.topology import inside, run

if TYPE_CHECKING:
    from tests.lab.run import Lab

_CLIENT = "198.18.0.2"
_TABLE = "dead"


@dataclass(slots=True, kw_only=True)
class Ways:
    """Which flows pass a router, by their place in the client's list."""

    arriving: frozenset[int] = frozenset()
    """Those whose packets come to the nodes by it."""
    leaving: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Node -> those whose answers would leave it by the router."""

    def answered_by(self, index: int, nodes: Iterable[str]) -> bool:
        """Tell whether answers of flow *index*, from any of *nodes*, pass the router."""
        return any(index in self.leaving.get(node, ()) for node in nodes)


def router_dead(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Drop everything that enters or leaves one router; the two take turns."""
    router = lab.routers[lab.router_deaths % len(lab.routers)]
    lab.router_deaths += 1
    lab.dead_router = router
    lab.ways = _ways(lab, router)
    devices = ["u0", *(f"t{number(name)}" for name in lab.plan.names)]
    chains = [
        f" chain {hook}_{device} {{ type filter hook {hook} device {device} priority 0; "
        "policy drop; }"
        for device in devices
        for hook in ("ingress", "egress")
    ]
    lines = [f"table netdev {_TABLE} {{", *chains, "}"]
    lab.strike_time = time.monotonic()
    run(*inside(router.space), "nft", "-f", "-", text="\n".join(lines))
    return {"router": router.number}


def router_undead(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Let the router be heard again."""
    assert lab.dead_router is not None
    run(*inside(lab.dead_router.space), "nft", "delete", "table", "netdev", _TABLE)


def ways_of_flows(lab: "Lab", record: Mapping[str, Any]) -> Findings:
    """Return what became of the flows that passed the dead router, and of the others."""
    assert isinstance(lab.ways, Ways)
    begin = lab.strike_time
    arriving, answered, apart = [], [], []
    for index, flow in enumerate(flows_of(record)):
        nodes = flow.nodes_between(begin - 0.5, begin)
        if index in lab.ways.arriving:
            arriving.append(flow)
        elif lab.ways.answered_by(index, nodes):
            answered.append(flow)
        else:
            apart.append(flow)
    lost = sum(flow.lost(begin, flow.sent[-1]) for flow in apart)
    return {
        "through_dead_flows": len(arriving),
        "through_dead_gap_ms": _worst(arriving, begin),
        "answered_through_dead_flows": len(answered),
        "answered_through_dead_gap_ms": _worst(answered, begin),
        "flows_apart_lost": lost,
    }


def _worst(flows: Iterable[Flow], begin: float) -> float | None:
    gaps = [flow.worst_gap(begin, flow.sent[-1])[0] for flow in flows]
    return round(max(gaps) * 1000, 1) if gaps else None


def _ways(lab: "Lab", router: Router) -> Ways:
    flows = [(flow["address"], flow["source_port"]) for flow in lab.flows]
    towards = [
        f"route get {address} from {_CLIENT} iif tc ipproto udp sport {port} dport {ECHO_PORT}"
        for address, port in flows
    ]
    back = [
        f"route get {_CLIENT} from {address} ipproto udp sport {ECHO_PORT} dport {port}"
        for address, port in flows
    ]
    own = uplink(router.number)[1]
    leaving = {
        name: _through(lab.plan.gateways_of(name, router.number), name, back)
        for name in lab.plan.names
    }
    return Ways(arriving=_through((own,), "upstream", towards), leaving=leaving)


def _through(gateways: Iterable[str], namespace: str, questions: list[str]) -> frozenset[int]:
    """Return which of the *questions* the kernel of *namespace* answers with one of *gateways*."""
    text = run("ip", "-n", namespace, "-j", "-batch", "-", text="\n".join(questions) + "\n")
    wanted = frozenset(gateways)
    decoder, found, at, index = json.JSONDecoder(), set(), 0, 0
    while (at := text.find("[", at)) >= 0:
        answer, at = decoder.raw_decode(text, at)
        if answer and answer[0].get("gateway") in wanted:
            found.add(index)
        index += 1
    return frozenset(found)
