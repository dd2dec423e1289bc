"""A cluster with nodes: real kubelets run containers, and nothing is left of them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import background, cgroups, control
from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import group_name
from tests.cluster.nodefiles import PAUSE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

_POD: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "holds"},
    "spec": {
        "nodeName": "n2",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "one", "image": PAUSE, "imagePullPolicy": "Never"}],
    },
}


@pytest.fixture
def directory(node_programs: Mapping[str, Path], tmp_path: Path) -> Iterator[Path]:  # noqa: ARG001
    """Return where a cluster may be; it is ended after the test where the test did not."""
    place = tmp_path / "nodes"
    yield place
    if background.load(place) is not None:
        background.down(place)


def _kubectl(
    state: background.State, programs: Mapping[str, Path], *words: str, given: str = ""
) -> str:
    done = subprocess.run(
        [str(programs["kubectl"]), f"--kubeconfig={state.kubeconfig}", *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr


def _until(fact: Callable[[], bool], seconds: float = 180) -> bool:
    end = time.monotonic() + seconds
    while not fact() and time.monotonic() < end:
        time.sleep(0.1)
    return fact()


def test_a_pod_outlives_a_loss_of_power_and_nothing_outlives_the_cluster(
    directory: Path, node_programs: Mapping[str, Path]
) -> None:
    """A kubelet runs a pod, runs it again after its node was off, and `down` leaves no trace."""
    state = background.up(directory, nodes=2)

    def restarts() -> str:
        path = "jsonpath={.status.containerStatuses[0].restartCount} {.status.phase}"
        return _kubectl(state, node_programs, "get", "pod", "holds", "-o", path)

    _kubectl(state, node_programs, "apply", "-f", "-", given=json.dumps(_POD))
    assert _until(lambda: restarts() == "0 Running"), restarts()
    control.ask(directory, "off", "n2")
    remembered = background.load(directory)
    assert remembered is not None
    assert "n2" not in remembered.living
    with pytest.raises(ClusterError, match="n2 is off"):
        control.ask(directory, "inside", "n2")
    control.ask(directory, "on", "n2")
    assert _until(lambda: restarts() == "1 Running"), restarts()
    state = background.load(directory) or state
    background.down(directory)
    assert state.living == {}
    assert not directory.exists()
    assert not [*cgroups.TOP.glob(f"*/{group_name(directory)}")]


def test_an_interrupted_up_leaves_nothing(
    node_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """Ctrl-C while nodes start ends them, and takes their files and control groups along."""
    place = tmp_path / "nodes"
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.cluster import background\n"
        "background.up(Path(sys.argv[1]), nodes=1)\n"
    )
    starting = subprocess.Popen(
        [sys.executable, "-c", script, str(place)],
        cwd=background.ROOT,
        stderr=subprocess.DEVNULL,
    )
    assert _until((place / "n1.json").exists)
    starting.send_signal(2)
    assert starting.wait(300) != 0
    assert not place.exists()
    assert not [*cgroups.TOP.glob(f"*/{group_name(place)}")]


def test_a_killed_supervisor_takes_nodes_along(directory: Path) -> None:
    """After `kill -9` no process is left; `down` then removes what only a person can."""
    state = background.up(directory, nodes=1)
    os.kill(state.living["supervisor"], 9)
    assert _until(lambda: not state.living)
    background.down(directory)
    assert not [*cgroups.TOP.glob(f"*/{group_name(directory)}")]
