"""Rehearse the walk from MetalLB to bgpd on one machine: `python -m tests.bench.migrate`.

MetalLB gives 50 Services their addresses and advertises them from three nodes; then every step of
docs/migrate-from-metallb.md is done, with the way back from half-way, while a client sends. It
prints a table: what each step took, what it lost, and whether an address changed.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.bench import metallb
from tests.bench.moving import Cluster, Stopwatch, breaks, losses
from tests.cluster.binaries import SERVER
from tests.cluster.build import build
from tests.lab import world
from tests.lab.client import Traffic
from tests.lab.nodes import until
from tests.lab.plan import EX_CONFIG, LabError, Plan, RouterName, SourceName
from tests.lab.routers import missing_programs
from tests.tool import end

_MODULE: Final = "tests.bench.migrate"
_PATIENCE: Final = 60.0

Say = Callable[[str], None]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the rehearsal."""
    found = argparse.ArgumentParser(
        prog=f"python -m {_MODULE}", description="Rehearse the walk from MetalLB to bgpd."
    )
    found.add_argument("--nodes", type=int, default=3)
    found.add_argument("--services", type=int, default=50)
    found.add_argument("--router", choices=["bird", "frr"], default="bird")
    found.add_argument("--short", action="store_true", help="without the way back from half-way")
    found.add_argument(
        "--turns", type=int, default=0, help="turn the lever off and on so many times more"
    )
    found.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    return found


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; 0 where no packet was lost and no address changed, else 1."""
    options = parser().parse_args(arguments)
    if not 2 <= options.nodes <= 10 or not 3 <= options.services <= 190:
        raise LabError("--nodes: 2..10, --services: 3..190", 2)
    router = RouterName(options.router)
    if missing := missing_programs(router):
        raise LabError(f"this needs {', '.join(missing)}: scripts/test installs them", EX_CONFIG)
    build(_say, SERVER)
    metallb.build(_say, "speaker", "controller")
    if world.INSIDE not in os.environ:
        return world.run_inside(arguments, _MODULE)
    plan = Plan(
        router=router,
        nodes=options.nodes,
        services=options.services,
        source=SourceName.KUBERNETES,
    )
    report = rehearse(
        plan, world.become_world(), short=options.short, turns=options.turns, say=_say
    )
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 0 if held(report) else 1


def rehearse(
    plan: Plan, directory: Path, *, short: bool, turns: int = 0, say: Say
) -> dict[str, Any]:
    """Walk, and return what happened."""
    cluster = Cluster(plan, directory)
    say("MetalLB carries everything")
    watch = Stopwatch(say)
    before = cluster.addresses()
    changed: dict[str, list[str]] = {}

    def step(name: str, act: Callable[[], object]) -> None:
        watch.step(name, act)
        now = cluster.addresses()
        changed[name] = sorted(one for one in before if now.get(one) != before[one])
        before.update({one: found for one, found in now.items() if found and one not in before})

    traffic = Traffic(cluster.lab, seed=1, attempt=0)
    try:
        spreads = _walk(cluster, step, short=short, turns=turns + (not short))
    except BaseException:
        traffic.abort()
        raise
    record = traffic.stop()
    rows = [_row(record, changed, *one) for one in watch.steps]
    late = [ms for _, ms in record["late"]]
    cluster.stop()
    return {
        "router": plan.router.value,
        "nodes": plan.nodes,
        "services": plan.services,
        "steps": rows,
        "lever_spread_ms": spreads,
        "client_late_ms": max(late, default=0.0),
    }


def _walk(
    cluster: Cluster,
    step: Callable[[str, Callable[[], object]], None],
    *,
    short: bool,
    turns: int,
) -> list[float | None]:
    """Do every step; return how far apart the nodes changed their levers, each time."""
    names = cluster.plan.names
    spreads: list[float | None] = []
    step("check", lambda: cluster.bgpctl("migrate", "check"))
    step("copy", lambda: cluster.bgpctl("migrate", "copy"))
    step("copy again", lambda: cluster.bgpctl("migrate", "copy"))
    step("start bgpd's controller", cluster.install_controller)
    step("let MetalLB give way", cluster.give_way)
    if not short:
        for name in names[:-1]:
            step(f"{name} to bgpd", partial(cluster.to_bgpd, name))
        for name in reversed(names[:-1]):
            step(f"{name} back to MetalLB", partial(cluster.to_metallb, name))
    for name in names:
        step(f"{name} to bgpd", partial(cluster.to_bgpd, name))
    step("a new Service meanwhile", partial(_asks, cluster, "meanwhile", "metallb.io"))
    cluster.await_step("stopController")
    step("too early", lambda: cluster.bgpctl("migrate", "finish", status=1))
    step("stop MetalLB's controller", lambda: cluster.scale_controller(0))
    cluster.await_step("finish")
    _expect(cluster, lever=False)
    step("a new Service between them", partial(cluster.ask, "between"))
    if cluster.addresses()["between"]:
        raise LabError("somebody gave an address between the two controllers")
    step("finish", lambda: spreads.append(cluster.turn()))
    _expect(cluster, lever=True)
    _given(cluster, "between", "bgpd.io")
    for _ in range(turns):
        step("finish --undo", lambda: spreads.append(cluster.turn("--undo")))
        _expect(cluster, lever=False)
        step("finish again", lambda: spreads.append(cluster.turn()))
        _expect(cluster, lever=True)
    step("remove MetalLB", cluster.remove_metallb)
    cluster.await_step("nothing")
    step("afterwards", lambda: until(cluster.lab.all_routes_present, _PATIENCE, "routes went"))
    _expect(cluster, lever=True)
    step("a new Service afterwards", partial(_asks, cluster, "afterwards", "bgpd.io"))
    return spreads


def _asks(cluster: Cluster, name: str, wanted: str) -> None:
    """Raise unless a new Service has its address from the controller of the group *wanted*."""
    cluster.ask(name)
    _given(cluster, name, wanted)


def _given(cluster: Cluster, name: str, wanted: str) -> None:
    giver = cluster.giver(name)
    if giver != wanted:
        raise LabError(f"{name} has its address from the controller of {giver}, not of {wanted}")


def _expect(cluster: Cluster, *, lever: bool) -> None:
    """Raise unless every route on the router has a MED, or none has, and all have the same.

    Nodes hear of the lever by their agents, a moment after the command that changed it.
    """
    wanted = "one MED on all routes" if lever else "no MED"

    def right() -> bool:
        meds = cluster.meds()
        return len(meds) == 1 and (None not in meds) is lever

    try:
        until(right, _PATIENCE, f"the router does not have {wanted}")
    except LabError as error:
        raise LabError(f"{error}: {sorted(map(str, cluster.meds()))}") from None


def _row(
    record: Mapping[str, Any], changed: dict[str, list[str]], name: str, start: float, end: float
) -> dict[str, Any]:
    sent, lost, gap = losses(record, start, end)
    return {
        "step": name,
        "seconds": round(end - start, 1),
        "sent": sent,
        "lost": lost,
        "worst_gap_ms": round(gap * 1000, 1),
        "tcp_breaks": breaks(record, start, end),
        "addresses_changed": changed[name],
    }


def held(report: dict[str, Any]) -> bool:
    """Tell whether the walk kept what it promises."""
    return all(not row["lost"] and not row["addresses_changed"] for row in report["steps"])


def table(report: dict[str, Any]) -> str:
    """Return the report for people."""
    late = f"{report['client_late_ms']:.0f} ms"
    size = f"{report['services']} Services, {report['nodes']} nodes, {report['router']}"
    lines = [
        f"{size}; client late by at most {late}",
        "",
        f"{'STEP':<28}{'SECONDS':>8}{'SENT':>8}{'LOST':>6}{'GAP MS':>8}{'TCP':>5}{'CHANGED':>9}",
    ]
    lines += [
        f"{row['step']:<28}{row['seconds']:>8}{row['sent']:>8}{row['lost']:>6}"
        f"{row['worst_gap_ms']:>8}{row['tcp_breaks']:>5}{len(row['addresses_changed']):>9}"
        for row in report["steps"]
    ]
    total = sum(row["lost"] for row in report["steps"])
    changed = sum(len(row["addresses_changed"]) for row in report["steps"])
    verdict = "held" if held(report) else "missed"
    apart = ", ".join("unknown" if one is None else f"{one:g}" for one in report["lever_spread_ms"])
    return "\n".join(
        (
            *lines,
            "",
            f"milliseconds from the first to the last node when the lever changed: {apart}",
            f"lost {total}, addresses changed {changed}: {verdict}",
        )
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
