"""Two racks behind a spine: what a raise moves there with one lever and with another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.arguments import parser, plan_of
from tests.lab.attempt import victims
from tests.lab.configurations import (
    bird_configuration,
    frr_configuration,
    upstream_configuration,
)
from tests.lab.documents import configuration
from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, Plan, RouterName
from tests.lab.racks import beyond_racks
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command
from tests.lacking import lacking

RACKS = Plan(racks=True, routers=2, lever="asPath")


def ran(tmp_path: Path, router: RouterName, lever: str) -> dict[str, Any]:
    """Return the report of one power loss; a machine that cannot is a skip, in CI an error."""
    missing = missing_programs(router)
    reason = f"{router} is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven=f"a takeover between two racks of {router}")
    file = tmp_path / "report.json"
    words = ["run", "power-loss", "--topology", "two-racks", "--router", router.value]
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", *words, "--lever", lever, "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=560,
    )  # fmt: skip
    assert file.exists(), done.stderr
    report: dict[str, Any] = json.loads(file.read_text())
    assert not report["error"], report["error"]
    return report


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("router", [RouterName.BIRD, RouterName.FRR])
def test_the_as_path_moves_traffic_between_racks(tmp_path: Path, router: RouterName) -> None:
    """The node that is alone in its rack dies: the spine sends everything to the other rack."""
    report = ran(tmp_path, router, "asPath")
    (run,) = report["runs"]
    assert run["ok"], run["problems"]
    assert run["affected"] == ["n2"]
    assert run["say_not_comparable"] == 0


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_med_moves_nothing_between_racks_and_every_node_says_so(tmp_path: Path) -> None:
    """The condition is there before anything happens; then the hold timer rules."""
    (run,) = ran(tmp_path, RouterName.BIRD, "med")["runs"]
    assert run["say_not_comparable"] == 3
    assert run["all_routes_moved"] is False
    assert run["worst_flow_gap_ms"] > 1000


def test_each_rack_has_its_nodes_and_its_number() -> None:
    """Odd nodes are in the first rack, even ones in the second; each router speaks with its own."""
    assert [RACKS.names_at(router) for router in (1, 2)] == [("n1", "n3"), ("n2",)]
    first = bird_configuration(RACKS, Path("/d"), 1)
    second = frr_configuration(RACKS, 2)
    assert "10.99.3.1" in first
    assert "10.99.2.1" not in first
    assert "as 65531" in first
    assert "router bgp 65532" in second
    assert "10.99.2.1" in second
    assert "route-map nothing in" not in second, "racks hear each other by the spine"
    assert "next hop self" in upstream_configuration(RACKS, Path("/d"))


def test_each_node_has_one_peer() -> None:
    """The router of its rack, with the lever of the plan."""
    peers = [one["spec"] for one in configuration(RACKS) if one["kind"] == "BGPPeer"]
    assert sorted((one["peerAddress"], one["peerASN"]) for one in peers) == [
        ("10.99.1.0", 65531),
        ("10.99.2.0", 65532),
        ("10.99.3.0", 65531),
    ]
    assert all(one["takeover"] == {"lever": "asPath"} for one in peers)


def test_the_victim_is_alone_in_its_rack() -> None:
    """Whatever the seed: a rack with two nodes answers a death by itself."""
    assert {victims(RACKS, FAULTS["power-loss"], seed) for seed in range(6)} == {("n2",)}


def test_a_dead_path_that_only_its_rack_keeps_is_no_matter() -> None:
    """Packets from beyond the spine go where the spine sends them."""
    racks = ({"p": frozenset({"n1", "n3"})}, {"p": frozenset({"n2"})})
    assert beyond_racks({"p": frozenset({"router"})}, racks) == {"p": {"n1", "n3"}}
    both = beyond_racks({"p": frozenset({"router", "router2"})}, racks)
    assert both == {"p": {"n1", "n2", "n3"}}


@pytest.mark.parametrize(
    "words",
    [
        ["--provider", "packet"],
        ["--routers", "1"],
        ["--family", "dual"],
        ["--router", "gobgp"],
    ],
)
def test_two_racks_are_what_they_are(words: list[str]) -> None:
    """What contradicts them is wrong usage, in a sentence."""
    options = parser().parse_args(["up", "--topology", "two-racks", *words])
    with pytest.raises(LabError) as refused:
        plan_of(options)
    assert refused.value.status == 2


def test_two_racks_bring_no_fault_about_routers() -> None:
    """Their nodes have one router each, so none is left when it dies."""
    options = parser().parse_args(["run", "router-dead", "--topology", "two-racks"])
    with pytest.raises(LabError, match="two-racks"):
        plan_of(options, FAULTS["router-dead"])
