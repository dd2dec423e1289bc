"""A router that goes silent beside another one, and what it costs the flows that passed it.

Which router a flow passes, in either direction, is the kernels' choice by the flow's ports; it is
seen on the router's own link to the upstream just before the harm.
"""

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.lab.figures import Flow, flows_of
from tests.lab.nodes import Node
from tests.lab.plan import ECHO_PORT, number
from tests.lab.router import Router
from tests.lab.strikes import Findings
from tests.lab.topology import inside, run, within

if TYPE_CHECKING:
    from tests.lab.run import Lab

_TABLE: Final = "dead"
_FLAPS: Final = 3
_FLAP_SECONDS: Final = 32.0
"""BFD that fails so often in so many seconds (30, and some for the last) is believed less."""
_LOOK: Final = 0.2
"""Seconds; every flow sends fifty packets in it."""
_ETH_P_ALL: Final = 0x0003  # what is sent is seen by those alone who ask for everything
_IPV4: Final = b"\x08\x00"
_UDP: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The source ports of the client's flows that pass a router."""

    arriving: frozenset[int] = frozenset()
    """Those whose packets come to the nodes by it."""
    leaving: frozenset[int] = frozenset()
    """Those whose answers leave the nodes by it."""


def let_rest(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Prepare: wait where the next router would die a third time so soon that it is dampened."""
    before = len(lab.router_deaths) - (_FLAPS - 1) * len(lab.routers)
    if before >= 0:
        time.sleep(max(0.0, lab.router_deaths[before] + _FLAP_SECONDS - time.monotonic()))


def router_dead(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Drop everything that enters or leaves one router; the two take turns."""
    router = begin_of_death(lab)
    fabric = ["f0"] if lab.plan.site else []
    devices = ["u0", *fabric, *(f"t{number(name)}" for name in lab.plan.names)]
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


def begin_of_death(lab: "Lab") -> Router:
    """Return the router whose turn it is to die, with a last look at what passes it."""
    router = lab.routers[len(lab.router_deaths) % len(lab.routers)]
    lab.router_deaths.append(time.monotonic())
    lab.dead_router = router
    lab.ways = _ways(router)
    lab.strike_time = time.monotonic()
    return router


def router_undead(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Let the router be heard again."""
    assert lab.dead_router is not None
    run(*inside(lab.dead_router.space), "nft", "delete", "table", "netdev", _TABLE)


def ways_of_flows(lab: "Lab", record: Mapping[str, Any]) -> Findings:
    """Return what became of the flows that passed the dead router, and of the others."""
    assert isinstance(lab.ways, Ways)
    begin = lab.strike_time
    arriving, answered, apart = [], [], []
    for spec, flow in zip(lab.flows, flows_of(record), strict=True):
        port = spec["source_port"]
        if port in lab.ways.arriving:
            arriving.append(flow)
        elif port in lab.ways.leaving:
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
        "others_lost_nothing": not lost,
    }


def _worst(flows: Iterable[Flow], begin: float) -> float | None:
    gaps = [flow.worst_gap(begin, flow.sent[-1])[0] for flow in flows]
    return round(max(gaps) * 1000, 1) if gaps else None


def _ways(router: Router) -> Ways:
    """Look at what passes between *router* and the upstream for a moment."""
    arriving, leaving = set(), set()
    with within(router.space):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with sock:
        sock.bind(("u0", _ETH_P_ALL))
        sock.settimeout(_LOOK)
        end = time.monotonic() + _LOOK
        while time.monotonic() < end:
            try:
                frame = sock.recv(128)
            except TimeoutError:
                break
            packet = frame[14:]
            if frame[12:14] != _IPV4 or packet[9] != _UDP:
                continue
            start = (packet[0] & 15) * 4
            source, target = (int.from_bytes(packet[at : at + 2]) for at in (start, start + 2))
            if target == ECHO_PORT:
                arriving.add(source)
            elif source == ECHO_PORT:
                leaving.add(target)
    return Ways(arriving=frozenset(arriving), leaving=frozenset(leaving))
