"""Each fault once, on real routers: what holds is order and loss, never milliseconds.

One lab is built for each plan and used for all its faults. A gap is asserted to be far below
the hold time of 90 s; the figures themselves come from `scripts/lab run FAULT --repeat 20`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.lab.nodes import ROOT
from tests.lab.plan import FamilyChoice, LabError, Plan, RouterName
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

BIRD = Plan(quick=True)
BIRD_FIVE = Plan(nodes=5)
BIRD_V6 = Plan(family=FamilyChoice.V6)
BIRD_MANY = Plan(services=1000)
FRR = Plan(router=RouterName.FRR)
FRR_DUAL = Plan(router=RouterName.FRR, family=FamilyChoice.DUAL)
GOBGP = Plan(router=RouterName.GOBGP)
OPENBGPD = Plan(router=RouterName.OPENBGPD)

_ON: Final = {
    BIRD: (
        *("power-loss", "link-down", "kernel-pause", "pause-then-power-loss", "agent-kill"),
        *("reflex-kill", "exabgp-kill", "agent-hang", "reflex-hang", "exabgp-hang"),
        *("speaker-term", "endpoint-lost", "endpoint-back", "mesh-partition", "mesh-lossy"),
        *("mesh-lossy-20", "lossy-power-loss", "one-way-out", "one-way-in", "router-restart"),
        "return",
    ),
    BIRD_FIVE: ("two-nodes",),
    BIRD_V6: ("power-loss", "endpoint-lost"),
    BIRD_MANY: ("power-loss",),
    FRR: ("power-loss", "link-down", "exabgp-kill", "endpoint-lost", "router-restart", "return"),
    FRR_DUAL: ("power-loss",),
    GOBGP: ("router-restart",),
    OPENBGPD: ("router-restart",),
}
CASES = [
    pytest.param(
        plan, fault, id=f"{plan.router}-{plan.family}-{plan.nodes}x{plan.services}-{fault}"
    )
    for plan, faults in _ON.items()
    for fault in faults
]


class Served:
    """A lab in its own world that obeys JSON lines."""

    def __init__(self, plan: Plan) -> None:
        """Start the world and wait until it is steady."""
        words = [
            *("--router", plan.router.value, "--nodes", str(plan.nodes)),
            *("--services", str(plan.services), "--family", plan.family.value),
            *(["--quick"] if plan.quick else []),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "serve", *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            self.directory = self.read()["directory"]
        except BaseException:
            self.stop()
            raise

    def strike(self, fault: str) -> dict[str, Any]:
        """Let one fault happen and return its run."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"fault": fault}) + "\n")
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
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Give the lab of one plan; a machine that cannot is a skip, in CI an error."""
    plan: Plan = request.param
    missing = missing_programs(plan.router)
    reason = f"{plan.router} is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    lab = Served(plan)
    yield lab
    lab.stop()


@pytest.mark.parametrize(("served", "fault"), CASES, indirect=["served"])
def test_what_the_fault_may_cost(served: Served, fault: str) -> None:
    """Traffic moves, what must not be lost is not lost, sessions stay or come back."""
    run = served.strike(fault)
    assert run["problems"] == [], f"logs are in {served.directory}: {run}"
    assert run["ok"]
