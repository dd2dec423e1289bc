"""One active node, and weights by endpoints, as the kernel of a real router has them."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.spread import weights_of
from tests.lab.world import unshare_command
from tests.lacking import lacking

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROUTERS = [RouterName.BIRD, RouterName.FRR]


def seen(router: RouterName, shape: str) -> dict[str, Any]:
    """Return what happened in a lab of *shape*; a machine that cannot is a skip, in CI an error."""
    missing = missing_programs(router)
    reason = f"{router} is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven=f"how nodes share the traffic of {router}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.spread", router.value, shape],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=560,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("shape", ["standby", "standby-without-ranks"])
@pytest.mark.parametrize("router", ROUTERS)
def test_the_traffic_of_a_dead_active_node_goes_to_its_standby(
    router: RouterName, shape: str
) -> None:
    """Every prefix has one next hop before and after; only those of the dead node changed.

    Without ranks the router has to let go of the dead node's path first: that takes its hold time.
    """
    found = seen(router, shape)
    before, after, victim = found["before"], found["after"], found["victim"]
    assert len(set(before.values())) > 1, "different prefixes have different active nodes"
    assert victim not in after.values()
    assert {p: n for p, n in before.items() if n != victim} == {
        prefix: name for prefix, name in after.items() if before[prefix] != victim
    }


@pytest.mark.parametrize("router", ROUTERS)
def test_weights_follow_the_endpoints_where_the_router_can(router: RouterName) -> None:
    """FRR makes percents of them; BIRD shows the community and spreads evenly."""
    steps = seen(router, "weight")["seen"]
    assert steps[0]["told"] == {"n1": 3, "n2": 1, "n3": 2}
    for step in steps:
        assert step["kernel"] == weights_of(router, step["told"])
