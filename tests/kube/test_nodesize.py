"""A node's status has an end, whatever there is to tell, and says how much there is."""

import json
from dataclasses import replace

from bgpd.kube.nodeform import MOST_FAILING, MOST_MEMBERS, MOST_PROBLEMS, MOST_ROUTES, MOST_STAYING
from bgpd.kube.problem import Standing
from bgpd.kube.statusform import LONG, SHORT
from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState, PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    BFDStatus,
    DrainPhase,
    DrainStatus,
    HealthStatus,
    HostAddressStatus,
    HostRouteStatus,
    HostState,
    HostStatus,
    MemberState,
    NodeStatus,
    RouteStatus,
)
from tests.ctl.samples import MESH, NODE, NOW, SPEAKER, member, session
from tests.kube.written import problem, status

BUSY = 1_400_000
"""Bytes of the largest object that etcd takes are 1.5 MiB."""


def huge() -> NodeStatus:
    """Return a node with ten times more of everything than fits, in the longest words."""
    watched = BFDStatus(state=BFDState.DOWN, since=NOW, last_error="x" * 5000, dampened=True)
    peers = tuple(PeerName(f"{'p' * 240}-{number}") for number in range(64))
    routes = tuple(
        RouteStatus(
            prefix=Prefix(f"2001:db8:ffff:ffff:ffff:ffff:{number:x}:ffff/128"),
            peers=peers[:2],
            rank=0,
            services=tuple(f"{'n' * 63}/{'s' * 63}" for _ in range(3)),
        )
        for number in range(10_000)
    )
    withheld = tuple(
        Withheld(
            service=f"{'n' * 63}/{number}",
            prefix=Prefix("203.0.113.44/32"),
            reason=Reason.NO_LOCAL_ENDPOINTS,
            message="no ready endpoint is on this node, and the traffic policy is Local",
        )
        for number in range(10_000)
    )
    members = tuple(
        member(
            f"n{number}", "10.0.0.2", state=MemberState.DEAD if number == 999 else MemberState.ALIVE
        )
        for number in range(1000)
    )
    speaker = replace(
        SPEAKER,
        sessions=tuple(
            session(name, "192.0.2.1", last_error="x" * 5000, bfd=watched) for name in peers
        ),
        routes=routes,
        mesh=replace(MESH, members=members),
        drain=DrainStatus(
            phase=DrainPhase.WAITING,
            cause="x" * 5000,
            since=NOW,
            alone=tuple(one.prefix for one in routes),
            busy=tuple(one.prefix for one in routes),
        ),
    )
    probes = tuple(
        ProbeResult(
            check=f"{'n' * 63}/{'c' * 240}-{number}",
            service=f"{'n' * 63}/{'s' * 63}",
            health=Health.UNHEALTHY,
            message="x" * 5000,
            since=NOW,
        )
        for number in range(10_000)
    )
    health = HealthStatus(
        node={str(number): Health.UNHEALTHY for number in range(100)},
        details={str(number): "x" * 5000 for number in range(100)},
        doubt=("x" * 5000,) * 100,
        probes=probes,
    )
    host = HostStatus(
        interface="x" * 500,
        interface_kind="x" * 500,
        routes=tuple(
            HostRouteStatus(
                destination=Prefix("192.0.2.1/32"),
                via=("x" * 5000,) * 100,
                peer=name,
                state=HostState.MISSING,
                detail="x" * 5000,
            )
            for name in (*peers, *peers)
        ),
        addresses=tuple(
            HostAddressStatus(
                address=Address(f"2001:db8::{number:x}"), state=HostState.MISSING, detail="x" * 5000
            )
            for number in range(10_000)
        ),
        restored={"routes": 2**40},
        problems=("x" * 5000,) * 100,
    )
    return replace(NODE, speaker=speaker, withheld=withheld, services={}, health=health, host=host)


def test_a_status_has_an_end_and_says_how_much_there_is() -> None:
    """Lists stop, counts do not; members in trouble come first, and so do refusals."""
    notice = problem("has no effect", standing=Standing.IGNORED)
    wrong = [notice] * 30 + [problem("y" * 5000)] * 30
    found = status(huge(), problems=wrong)
    assert len(found["routes"]) == len(found["withheld"]) == MOST_ROUTES
    assert (found["counts"]["routes"], found["counts"]["withheld"]) == (10_000, 10_000)
    assert len(found["mesh"]["members"]) == MOST_MEMBERS
    assert found["mesh"]["members"][0]["state"] == "Dead"
    assert found["counts"]["members"] == 1000
    assert len(found["configuration"]["problems"]) == MOST_PROBLEMS
    assert all(one["refused"] for one in found["configuration"]["problems"])
    assert len(found["sessions"][0]["lastError"]) == LONG
    assert len(found["sessions"][0]["bfd"]["lastError"]) == SHORT
    assert (len(found["health"]["failing"]), found["counts"]["failing"]) == (MOST_FAILING, 10_000)
    assert len(found["drain"]["alone"]) == len(found["drain"]["busy"]) == MOST_STAYING
    assert len(json.dumps(found)) < BUSY
