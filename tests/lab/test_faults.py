"""Each fault once, on real routers: what holds is order and loss, never milliseconds.

One lab is built for each class and used for all its faults. A gap is asserted to be far below
the hold time of 90 s; the figures themselves come from `scripts/lab run FAULT --repeat 20`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.plan import BfdPlan, FamilyChoice, LabError, Plan, RouterName, SourceName
from tests.lab.provider import ProviderName
from tests.lab.providerfaults import PROVIDER_FAULTS
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command
from tests.lacking import lacking

API = {fault.name for fault in FAULTS.values() if fault.api}
PROVIDER = {fault.name for fault in PROVIDER_FAULTS}
OTHER_ROUTERS = {fault.name for fault in FAULTS.values() if fault.needs}
"""Faults for a lab whose routers are more than one, or speak more than BGP."""

NODES = ("pod-hang", "drain-cordon", "drain-connections")
"""What agents read of objects that only an API server, or only a chart, could get wrong."""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


class Served:
    """A lab in its own world that obeys JSON lines."""

    def __init__(self, plan: Plan) -> None:
        """Start the world and wait until it is steady."""
        words = [
            *("--router", plan.router.value, "--nodes", str(plan.nodes)),
            *("--services", str(plan.services), "--family", plan.family.value),
            *("--source", plan.source.value, "--hold", str(plan.hold)),
            *(["--quick"] if plan.quick else []),
            *(
                ("--provider", plan.provider.value)
                if plan.provider
                else ("--routers", str(plan.routers))
            ),
            *(["--bfd", str(plan.bfd)] if plan.bfd else []),
            *(["--egress"] if plan.egress else []),
            *(["--graceful-restart", str(plan.graceful_restart)] if plan.graceful_restart else []),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "serve", *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.strikes = 0
        try:
            self.directory = self.read()["directory"]
        except BaseException:
            self.stop()
            raise

    def strike(self, fault: str) -> dict[str, Any]:
        """Let one fault happen and return its run."""
        assert self.process.stdin is not None
        self.strikes += 1  # each strike hits the next node
        self.process.stdin.write(json.dumps({"fault": fault, "seed": self.strikes}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        """Return the next line that the lab says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the lab ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the world and all that is in it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(100)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(100)


@pytest.fixture(scope="class")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Give the lab of one class; a machine that cannot is a skip, in CI an error."""
    plan: Plan = request.cls.plan
    missing = missing_programs(plan.router)
    reason = f"{plan.router} is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven=f"what each fault costs with {plan.router} as the router")
    lab = Served(plan)
    yield lab
    lab.stop()


def holds(served: Served, fault: str) -> None:
    """Traffic moves, what must not be lost is not lost, sessions stay or come back."""
    run = served.strike(fault)
    assert run["problems"] == [], f"logs are in {served.directory}: {run}"
    assert run["ok"]


class TestBird:
    """Every fault, with BIRD as the router."""

    plan = Plan(quick=True)

    @pytest.mark.parametrize(
        "fault", sorted(set(FAULTS) - API - OTHER_ROUTERS - {"two-nodes", "idle"})
    )
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


@pytest.mark.usefixtures("cluster_programs")
class TestBirdKubernetes:
    """Agents that read a real API server, and what can become of it."""

    plan = Plan(source=SourceName.KUBERNETES, quick=True)

    @pytest.mark.parametrize("fault", ["endpoint-lost", "endpoint-back", *NODES, *sorted(API)])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


@pytest.mark.usefixtures("cluster_programs")
class TestBirdKubernetesDualStack:
    """An EndpointSlice a family."""

    plan = Plan(source=SourceName.KUBERNETES, family=FamilyChoice.DUAL, quick=True)

    def test_what_a_hang_may_cost(self, served: Served) -> None:
        """A change that was stored meanwhile reaches both routes when the server goes on."""
        holds(served, "api-hang")


class TestFrr:
    """What the router itself has a part in, with FRR."""

    plan = Plan(router=RouterName.FRR)

    @pytest.mark.parametrize(
        "fault",
        [
            *("power-loss", "link-down", "exabgp-kill", "endpoint-lost", "router-restart"),
            *("return", "pod-hang", "drain", "rolling-upgrade", "reboot"),
        ],
    )
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


FAST = BfdPlan(interval=50, multiplier=3)


class TestBirdBfd:
    """Nodes and router hear each other by BFD."""

    plan = Plan(bfd=FAST)

    @pytest.mark.parametrize("fault", ["power-loss-bfd", "stress"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


class TestFrrBfd:
    """The same, with FRR's bfdd."""

    plan = Plan(router=RouterName.FRR, bfd=FAST)

    def test_power_loss_is_heard_by_the_router_first(self, served: Served) -> None:
        """The router's detection moves the traffic, the survivors raise after it."""
        holds(served, "power-loss-bfd")


class TestBirdTwoRouters:
    """Two routers behind an upstream."""

    plan = Plan(routers=2)

    @pytest.mark.parametrize("fault", ["router-dead", "power-loss"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


class TestBirdTwoRoutersBfd:
    """Two routers, and everybody speaks BFD."""

    plan = Plan(routers=2, bfd=FAST, egress=True)

    def test_a_dead_router_is_left(self, served: Served) -> None:
        """The flows that passed it come back by the other one, in both directions."""
        holds(served, "router-dead-bfd")


class TestFrrTwoRoutersBfd:
    """The same, with FRR."""

    plan = Plan(router=RouterName.FRR, routers=2, bfd=FAST, egress=True)

    def test_a_dead_router_is_left(self, served: Served) -> None:
        """The flows that passed it come back by the other one, in both directions."""
        holds(served, "router-dead-bfd")


class TestBirdGracefulRestart:
    """A router that keeps the routes of a speaker that restarts."""

    plan = Plan(graceful_restart=120)

    @pytest.mark.parametrize("fault", ["speaker-restart-gr", "die-during-restart"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


class TestFrrGracefulRestart:
    """The same, with FRR."""

    plan = Plan(router=RouterName.FRR, graceful_restart=120)

    @pytest.mark.parametrize("fault", ["speaker-restart-gr", "die-during-restart"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv4: the promise about this fault holds."""
        holds(served, fault)


class TestBirdPacket:
    """Two routers as at Packet, everything about them by metadata."""

    plan = Plan(provider=ProviderName.PACKET, services=10, hold=9, quick=True, routers=2)

    @pytest.mark.parametrize("fault", sorted([*PROVIDER, "power-loss"]))
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, each with one BGPPeer that names the provider: the promise holds."""
        holds(served, fault)


class TestFrrPacket:
    """The same, with FRR."""

    plan = Plan(
        router=RouterName.FRR, provider=ProviderName.PACKET, services=10, quick=True, routers=2
    )

    @pytest.mark.parametrize(
        "fault", ["empty-node", "power-loss", "router-restarts", "password-rotated", "prefix-limit"]
    )
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, each with one BGPPeer that names the provider: the promise holds."""
        holds(served, fault)


class TestVultr:
    """One router at the metadata's own address, a session a family, a password from a file."""

    plan = Plan(provider=ProviderName.VULTR, family=FamilyChoice.DUAL)

    @pytest.mark.parametrize("fault", ["power-loss", "router-restart"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, each with one BGPPeer that names the provider: the promise holds."""
        holds(served, fault)


class TestLinode:
    """Four routers that hear of IPv4 over IPv6."""

    plan = Plan(provider=ProviderName.LINODE, routers=4)

    def test_power_loss_moves_routes_on_all_of_them(self, served: Served) -> None:
        """Next hops of the other family are no reason to be late."""
        holds(served, "power-loss")


class TestBirdFiveNodes:
    """Two of five nodes at once."""

    plan = Plan(nodes=5)

    def test_two_nodes_die_at_the_same_instant(self, served: Served) -> None:
        """The three that remain are still a majority, and take over."""
        holds(served, "two-nodes")


class TestBirdIpv6:
    """IPv6 sessions, IPv6 mesh, IPv6 elastic IPs."""

    plan = Plan(family=FamilyChoice.V6)

    @pytest.mark.parametrize("fault", ["power-loss", "endpoint-lost", "endpoint-back"])
    def test_what_the_fault_may_cost(self, served: Served, fault: str) -> None:
        """Three nodes, IPv6: the promise about this fault holds."""
        holds(served, fault)


class TestFrrDualStack:
    """Two sessions a node, one a family."""

    plan = Plan(router=RouterName.FRR, family=FamilyChoice.DUAL)

    def test_power_loss_moves_both_families(self, served: Served) -> None:
        """Flows of both families move, and every route with them."""
        holds(served, "power-loss")


class TestBirdThousandServices:
    """Many elastic IPs."""

    plan = Plan(services=1000)

    def test_power_loss_moves_every_route(self, served: Served) -> None:
        """All 1,000 routes leave the dead node."""
        holds(served, "power-loss")


class TestGobgp:
    """GoBGP as a peer whose table is read."""

    plan = Plan(router=RouterName.GOBGP)

    def test_sessions_come_back_after_its_restart(self, served: Served) -> None:
        """All sessions and all routes are there again."""
        holds(served, "router-restart")


class TestOpenbgpd:
    """OpenBGPD as a peer whose table is read."""

    plan = Plan(router=RouterName.OPENBGPD)

    def test_sessions_come_back_after_its_restart(self, served: Served) -> None:
        """All sessions and all routes are there again."""
        holds(served, "router-restart")
