"""Figures of whole meshes in virtual time: detection, false raises, and what a size costs.

`python -m tests.mesh.simulation --nodes N --loss P --hours H --seed S` prints figures, with
`--scale` for meshes of 16, 100 ... up to N members beside each other.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bgpd.mesh import ear
from bgpd.mesh.packet import decode
from bgpd.model.member import MeshPolicy
from tests.mesh.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run measured, milliseconds from the cut to the last survivor's new generation."""

    deaths: int
    missed: int
    p50: float
    p99: float
    worst: float
    spread: float
    """Worst time between the first and the last survivor."""


def measure_detection(
    *, nodes: int, loss: float, deaths: int, seed: int, policy: MeshPolicy | None = None
) -> Figures:
    """Return how long deaths take to be noticed by every survivor."""
    world = World(nodes=nodes, seed=seed, loss=loss, policy=policy)
    world.run(20.0)
    times, spreads, missed = [], [], 0
    for turn in range(deaths):
        # In turn, and slowly: no member dies three times in ten minutes, which is another story.
        victim = f"n{1 + turn % nodes}"
        world.run(2.0 + world.random.random())
        before, at = max(world.generations()), world.now
        mark = len(world.changes)
        world.power_off(victim)
        world.run(3.0)
        firsts: dict[str, float] = {}
        for when, name, change in world.changes[mark:]:
            if change.new > before and name != victim:
                firsts.setdefault(name, when)
        if len(firsts) < nodes - 1:
            missed += 1
        else:
            times.append((max(firsts.values()) - at) * 1000)
            spreads.append((max(firsts.values()) - min(firsts.values())) * 1000)
        world.power_on(victim)
        world.run(max(20.0, 650.0 / nodes))
    times = times or [float("nan")]
    return Figures(
        deaths=deaths,
        missed=missed,
        p50=statistics.median(times),
        p99=sorted(times)[min(len(times) - 1, int(len(times) * 0.99))],
        worst=max(times),
        spread=max(spreads, default=float("nan")),
    )


def measure_false_raises(
    *, nodes: int, loss: float, hours: float, seed: int, policy: MeshPolicy | None = None
) -> dict[str, float]:
    """Return how often random loss alone raises the generation, and what the mesh sends."""
    world = World(nodes=nodes, seed=seed, loss=loss, policy=policy)
    world.run(10.0)
    world.datagrams = 0
    start = max(world.generations())
    suspicions = [0]
    world.on_event = lambda _node, event, _now: suspicions.__setitem__(
        0, suspicions[0] + (type(event).__name__ == "MemberSuspected")
    )
    world.run(hours * 3600)
    seconds = hours * 3600
    return {
        "raises": max(world.generations()) - start,
        "raises_per_hour": (max(world.generations()) - start) / hours,
        "suspicions_per_hour": suspicions[0] / hours,
        "datagrams_per_second_and_node": world.datagrams / seconds / nodes,
    }


def measure_scale(*, nodes: int, seed: int, policy: MeshPolicy) -> dict[str, float]:
    """Return what one death and one second of quiet look like in a mesh of *nodes*."""
    world = World(nodes=nodes, seed=seed, policy=policy)
    world.run(2.5)
    datagrams, size = world.datagrams, world.bytes
    world.run(1.0)
    datagrams, size = world.datagrams - datagrams, world.bytes - size
    died, mark = world.now, len(world.changes)
    world.power_off("n7")
    world.run(0.4)
    told = {name: at for at, name, change in reversed(world.changes[mark:]) if change.new == 2}
    return {
        "nodes": nodes,
        "detection_milliseconds": round((max(told.values()) - died) * 1000, 1),
        "survivors_told": len(told),
        "datagrams_per_second_and_node": round(datagrams / nodes, 1),
        "bytes_per_second_and_node": round(size / nodes),
    }


def main() -> None:
    """Print the figures of one mesh."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--loss", type=float, default=0.0, help="on each link, two to a path")
    parser.add_argument("--hours", type=float, default=0.0, help="of false-raise watching")
    parser.add_argument("--deaths", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--interval", type=int, default=MeshPolicy().interval_milliseconds, help="milliseconds"
    )
    parser.add_argument("--scale", action="store_true", help="one death at 16, 100, 300 ... N")
    args = parser.parse_args()
    policy = MeshPolicy(interval_milliseconds=args.interval)
    # One heartbeat of sixteen members has fifteen hearers: read it once.
    setattr(ear, "decode", lru_cache(maxsize=1024)(decode))  # noqa: B010
    begun = time.monotonic()
    if args.scale:
        for nodes in (16, 17, 100, 300, 1000):
            if nodes <= args.nodes:
                print(json.dumps(measure_scale(nodes=nodes, seed=args.seed, policy=policy)))
        return
    out: dict[str, Any] = {"nodes": args.nodes, "loss_per_link": args.loss, "seed": args.seed}
    out["interval_milliseconds"] = args.interval
    if args.hours:
        out |= measure_false_raises(
            nodes=args.nodes, loss=args.loss, hours=args.hours, seed=args.seed, policy=policy
        )
    if args.deaths:
        figures = measure_detection(
            nodes=args.nodes,
            loss=args.loss,
            deaths=args.deaths,
            seed=args.seed,
            policy=policy,
        )
        out |= {name: round(getattr(figures, name), 1) for name in Figures.__slots__}
    out["took_seconds"] = round(time.monotonic() - begun, 1)
    json.dump(out, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
