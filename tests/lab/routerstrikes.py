"""A router that goes silent beside another one, and what it costs the flows that passed it.

Which router a flow passes, in either direction, is the kernels' choice by the flow's ports; it is
seen on the routers' own links to the upstream just before the harm.
"""

import select
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.lab.figures import Flow, flows_of
from tests.lab.nodes import Node
from tests.lab.plan import ECHO_PORT, LabError, number
from tests.lab.router import Router
from tests.lab.strikes import Findings
from tests.lab.topology import inside, run, within

if TYPE_CHECKING:
    from tests.lab.run import Lab

_TABLE: Final = "dead"
_FLAPS: Final = 3
_FLAP_SECONDS: Final = 32.0
"""BFD that fails so often in so many seconds (30, and some for the last) is believed less."""
_LOOK: Final = 20.0
"""Seconds in which every flow has surely passed some router in both directions."""
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
    lab.ways = _ways(lab, router)
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


def _ways(lab: "Lab", router: Router) -> Ways:
    """Look at the routers' links to the upstream until every flow was seen, each way.

    A flow that was seen on no link would count as one that the death may not touch. At a provider
    answers leave by the fabric, and by no router.
    """
    flows = frozenset(flow["source_port"] for flow in lab.flows if ":" not in flow["address"])
    seen = {one.space: (set[int](), set[int]()) for one in lab.routers}
    end = time.monotonic() + _LOOK

    def missed() -> frozenset[int]:
        there, back = (set[int]().union(*ports) for ports in zip(*seen.values(), strict=True))
        return flows - (there if lab.plan.site else there & back)

    with ExitStack() as stack:
        taps = {stack.enter_context(_tap(one.space)): one.space for one in lab.routers}
        while missed():
            if time.monotonic() > end:
                raise LabError(f"flows that pass no router within {_LOOK:g} s: {sorted(missed())}")
            for tap in select.select(list(taps), [], [], 1.0)[0]:
                _take(tap.recv(128), *seen[taps[tap]])
    arriving, leaving = seen[router.space]
    return Ways(arriving=frozenset(arriving), leaving=frozenset(leaving))


def _tap(space: str) -> socket.socket:
    """Return a socket that hears what passes between a router and the upstream."""
    with within(space):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    sock.bind(("u0", _ETH_P_ALL))
    return sock


def _take(frame: bytes, arriving: set[int], leaving: set[int]) -> None:
    """Note the flow that *frame* is of, if it is of one."""
    packet = frame[14:]
    if frame[12:14] != _IPV4 or packet[9] != _UDP:
        return
    start = (packet[0] & 15) * 4
    source, target = (int.from_bytes(packet[at : at + 2]) for at in (start, start + 2))
    if target == ECHO_PORT:
        arriving.add(source)
    elif source == ECHO_PORT:
        leaving.add(target)
