"""Does an agent stay right while everything around it breaks: `python -m tests.bench.soak`.

Objects change at random on a real API server, which is killed every half minute. When all is quiet
the agent must want exactly what two oracles want (`tests.bench.oracle`), and no route may have been
withdrawn in the meantime that only stands on objects that nobody touched.

The custom resources are installed without their rules, as an old chart might have left them, so
that invalid objects reach the agent.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bgpd.ipc.message import Desired
from tests.bench.agent import NAMESPACE, NODE, Event, StandIn, agent
from tests.bench.churn import Churn
from tests.bench.oracle import Oracle
from tests.cluster.api import ApiError
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

ROUND_SECONDS: Final = 30.0
_PATIENCE: Final = 30.0
"""Seconds within which an agent must be right after the last change."""
_HOLD: Final = 0.5
"""Seconds for which it must stay so."""
_CRDS: Final = Path(__file__).parents[2] / "charts" / "bgpd" / "files" / "crds"
_SHOWN: Final = 10


class SoakError(Exception):
    """The agent was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What happened between two quiet points."""

    changes: int
    away: float
    """Seconds without an API server."""
    compacted: bool
    routes: int
    bound_to_stay: int
    """Routes that stood on untouched objects alone."""
    events: int
    settled: float
    """Seconds from the last change, and the server's being back, to a state that was right."""


def main() -> int:
    """Soak, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bgpd-soak-"))
    print(f"seed {options.seed}", flush=True)
    try:
        build(_say)
        with Cluster(directory / "cluster") as cluster:
            rounds = soak(
                cluster, directory, seconds=60 * options.minutes, seed=options.seed, say=_say
            )
    except (SoakError, ClusterError) as error:
        print(f"{error}\nlogs: {directory}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(directory)
        return 130
    shutil.rmtree(directory)
    print(_summary(rounds))
    return 0


def soak(
    cluster: Cluster, directory: Path, *, seconds: float, seed: int, say: Callable[[str], None]
) -> list[Round]:
    """Return what happened in each round, or raise `SoakError`; *cluster* is empty and runs."""
    _install(cluster)
    churn = Churn(cluster.administrator(), seed)
    churn.fill()
    oracle = Oracle()
    oracle.look(cluster.api)
    rounds: list[Round] = []
    environment = {"BGPD_NAMESPACE": NAMESPACE}
    source = f"kubernetes:{cluster.kubeconfig}"
    with agent(directory / "run", source, environment) as (process, speaker):
        try:
            _settle(oracle, speaker, time.monotonic())
            end = time.monotonic() + seconds
            rng = random.Random(seed)
            while (left := end - time.monotonic()) > 0:
                done = _round(cluster, churn, oracle, speaker, rng, min(left, ROUND_SECONDS))
                if process.poll() is not None:
                    raise SoakError(f"the agent ended with {process.returncode}")
                rounds.append(done)
                say(_line(len(rounds), done))
        finally:
            churn.stop()
    for text, count in churn.refusals.items():
        say(f"refused {count} times: {text}")
    say(", ".join(f"{name}: {count}" for name, count in sorted(churn.counters.items())))
    return rounds


def _round(
    cluster: Cluster,
    churn: Churn,
    oracle: Oracle,
    speaker: StandIn,
    rng: random.Random,
    seconds: float,
) -> Round:
    """Change, kill, restart, change; then look."""
    with speaker.lock:
        speaker.told.events.clear()
    counted = churn.counters.total()
    untouched = Oracle()
    untouched.objects = dict(oracle.objects)
    churn.start()
    time.sleep(seconds * rng.uniform(0.1, 0.4))
    killed, compacted = time.monotonic(), rng.random() < 0.5
    cluster.kill_api()
    if compacted:
        cluster.compact()
    time.sleep(rng.uniform(0.0, 6.0) * seconds / ROUND_SECONDS)
    cluster.restart_api()
    away = time.monotonic() - killed
    time.sleep(seconds * rng.uniform(0.1, 0.3))
    churn.stop()
    _look(oracle, cluster)
    settled = _settle(oracle, speaker, time.monotonic())
    for name in churn.touched:
        untouched.objects.pop(name, None)
    bound = untouched.naive() if ("Node", NODE) in untouched.objects else {}
    with speaker.lock:
        events = list(speaker.told.events)
        faults = list(speaker.told.faults)
    _judge(events, {(str(peer), str(prefix)) for peer, prefix in bound}, faults)
    return Round(
        changes=churn.counters.total() - counted,
        away=away,
        compacted=compacted,
        routes=len(speaker.told.routes),
        bound_to_stay=len(bound),
        events=len(events),
        settled=settled,
    )


def _look(oracle: Oracle, cluster: Cluster) -> None:
    """Ask *oracle* to look as soon as the server, which may still be starting, shows everything."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            oracle.look(cluster.api)
        except (ApiError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def _settle(oracle: Oracle, speaker: StandIn, since: float) -> float:
    """Return how long after *since* the agent was right, for good."""
    fresh, naive = oracle.fresh(), oracle.naive()
    asked = {(one.peer, one.prefix): frozenset(one.communities) for one in fresh.advertisements}
    if asked != naive:
        raise SoakError(f"the oracles differ:\n{_differences(asked, naive)}")
    end = time.monotonic() + _PATIENCE
    right: float | None = None
    while right is None or time.monotonic() - right < _HOLD:
        now = time.monotonic()
        wrong = _wrong(fresh, speaker)
        if wrong and now > end:
            raise SoakError(f"wrong after {_PATIENCE:g} s of quiet:\n{wrong}")
        right = None if wrong else right or now
        time.sleep(0.02)
    return right - since


def _wrong(fresh: Desired, speaker: StandIn) -> str:
    wanted = {(one.peer, one.prefix): one for one in fresh.advertisements}
    with speaker.lock:
        told = speaker.told
        if told.routes != wanted:
            return _differences(told.routes, wanted)
        if told.peers != fresh.peers:
            return f"peers are {told.peers}, should be {fresh.peers}"
        if told.pools != fresh.pools:
            return f"pools are {told.pools}, should be {fresh.pools}"
    return ""


def _judge(events: list[Event], bound: set[tuple[str, str]], faults: list[str]) -> None:
    lost = [one for one in events if one.withdrawn and one.route in bound]
    if lost:
        names = "\n".join(f"{one.at:.3f} {one.route}" for one in lost[:_SHOWN])
        raise SoakError(f"withdrawn, though nobody touched what they stand on:\n{names}")
    if faults:
        raise SoakError("\n".join(faults[:_SHOWN]))


def _differences(found: Any, wanted: Any) -> str:
    keys = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    return "\n".join(
        f"{key}: is {found.get(key)}, should be {wanted.get(key)}" for key in keys[:_SHOWN]
    )


def _install(cluster: Cluster) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    definitions = []
    for path in sorted(_CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        if definition["spec"]["names"]["kind"] != "BGPNodeStatus":
            for version in definition["spec"]["versions"]:
                anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                version["schema"] = {"openAPIV3Schema": anything}
        definitions.append(definition)
    cluster.apply([space, *definitions])


def _line(number: int, done: Round) -> str:
    compacted = ", compacted" if done.compacted else ""
    return (
        f"round {number}: {done.changes} changes, no server for {done.away:.1f} s{compacted}; "
        f"{done.routes} routes, right {done.settled:.2f} s after the last change; "
        f"{done.bound_to_stay} had to stay and did, {done.events} others came, changed or went"
    )


def _summary(rounds: list[Round]) -> str:
    settled = sorted(one.settled for one in rounds)
    return (
        f"{len(rounds)} rounds, {sum(one.changes for one in rounds)} changes, "
        f"{sum(one.compacted for one in rounds)} compactions: right at every quiet point, after "
        f"{settled[len(settled) // 2]:.2f} s (median), {settled[-1]:.2f} s (longest)"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
