"""`bgpctl probe` on real routers: it finds the lever that works, and puts everything back."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command
from tests.lacking import lacking

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

BEST = {"ignores-med": "asPath", "ignores-path": "med", "ignores-both": "origin"}
MOVES = {
    "ignores-med": {"med": False, "asPath": True, "origin": True},
    "ignores-path": {"med": True, "asPath": False, "origin": True},
    "ignores-both": {"med": False, "asPath": False, "origin": True},
}


def told(router: RouterName, *stories: str) -> dict[str, Any]:
    """Return what came of *stories*; a machine that cannot is a skip, in CI an error."""
    missing = missing_programs(router)
    reason = f"{router} is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven=f"which levers bgpctl probe finds on {router}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.probing", router.value, *stories],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=860,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("router", [RouterName.BIRD, RouterName.FRR])
def test_the_lever_that_moves_the_router_is_found(router: RouterName) -> None:
    """On routers that ignore MED, path length, or both; both nodes remember it."""
    for story, found in told(router, *BEST).items():
        (seen,) = found["result"]["routers"]
        assert seen["recommended"] == BEST[story], found["said"][-1]
        works = MOVES[story]["med"]
        assert (found["status"], found["partner"]) == (0 if works else 1, 0)
        for name in ("n1", "n2"):
            kept = found["levers"][name]
            (probed,) = kept["probed"]
            assert probed.items() >= MOVES[story].items()
            assert [BEST[story] in text for text in kept["conditions"]] == [True] * (not works)
        assert found["levers"]["n3"] == {"probed": [{}], "conditions": []}


def test_a_probe_that_is_broken_off_leaves_nothing() -> None:
    """Ctrl-C withdraws at once; of one that was killed the lease is over in seconds.

    Whoever loses its partner withdraws, and says that it could not be done.
    """
    found = told(RouterName.BIRD, "interrupt", "kill", "kill-partner")
    assert (found["interrupt"]["status"], found["interrupt"]["partner"]) == (130, 0)
    assert (found["kill"]["status"], found["kill"]["partner"]) == (-9, 2)
    alone = found["kill-partner"]
    assert (alone["status"], alone["partner"]) == (2, -9)
    assert "the partner is gone" in alone["said"][-1]
    for story in found.values():
        assert not any(any(one["probed"]) for one in story["levers"].values())


def test_between_racks_a_client_beyond_the_spine_asks() -> None:
    """The nodes share no router, so they cannot ask themselves; the spine compares no MED."""
    found = told(RouterName.BIRD, "racks")
    assert (found["refused"]["status"], found["refused"]["partner"]) == (2, 0)
    assert "no router in common" in found["refused"]["said"][-1]
    assert (found["racks"]["status"], found["racks"]["partner"]) == (1, 0), found["racks"]["said"]
    moves = {"med": False, "asPath": True, "origin": True}
    for name in ("n1", "n2"):
        (probed,) = found["racks"]["levers"][name]["probed"]
        assert probed.items() >= moves.items()


def test_each_of_two_routers_is_judged_for_itself() -> None:
    """One ignores MED: the lever that is configured for both must work on both."""
    (found,) = told(RouterName.BIRD, "two-routers").values()
    assert (found["status"], found["partner"]) == (1, 0), found["said"][-1]
    best = {one["peers"][0]: one["recommended"] for one in found["result"]["routers"]}
    assert best == {"router-n1-v4": "asPath", "router2-n1-v4": "med"}
    for name in ("n1", "n2"):
        assert [one["med"] for one in found["levers"][name]["probed"]] == [False, True]


def test_routers_behind_a_gateway_are_judged_together() -> None:
    """As at Packet: several hops away, with MD5 and a limit; datagrams reach just far enough."""
    (found,) = told(RouterName.BIRD, "packet").values()
    assert (found["status"], found["partner"]) == (0, 0), found["said"][-1]
    (seen,) = found["result"]["routers"]
    assert seen["peers"] == ["packet-169.254.255.1", "packet-169.254.255.2"]
    for name in ("n1", "n2"):
        assert [one["med"] for one in found["levers"][name]["probed"]] == [True, True]


def test_a_spare_address_of_ipv6_is_probed_as_well() -> None:
    """A router without oddities compares everything that a takeover may use."""
    (found,) = told(RouterName.BIRD, "v6").values()
    assert (found["status"], found["partner"]) == (0, 0), found["said"][-1]
    (seen,) = found["result"]["routers"]
    assert {one["name"] for one in seen["levers"] if one["moves"]} == {"med", "asPath", "origin"}
