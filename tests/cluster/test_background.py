"""`scripts/cluster up | status | down`: nothing is left, whatever happened between."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster import background
from tests.cluster.__main__ import EX_DOWN, main
from tests.cluster.error import EX_USAGE, ClusterError
from tests.cluster.processes import start_time


def _until(fact: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not fact() and time.monotonic() < end:
        time.sleep(0.02)
    return fact()


@pytest.fixture
def directory(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> Iterator[Path]:
    """Return where a cluster may be; it is ended after the test where the test did not."""
    place = tmp_path / "background"
    yield place
    state = background.load(place)
    if state is not None and state.living:
        background.down(place)


def test_down_ends_what_up_started_and_removes_its_files(directory: Path) -> None:
    """A cluster in the background lives until it is taken down, and then nothing of it does."""
    state = background.up(directory)
    assert set(state.living) == {"supervisor", "etcd", "kube-apiserver"}
    assert Path(state.kubeconfig).exists()
    background.down(directory)
    assert state.living == {}
    assert not directory.exists()


def test_a_second_cluster_of_the_same_name_is_refused(directory: Path) -> None:
    """It would take the first one's files away."""
    state = background.up(directory)
    with pytest.raises(ClusterError, match="is up in"):
        background.up(directory)
    assert len(state.living) == 3


def test_a_killed_supervisor_takes_its_programs_along(directory: Path) -> None:
    """`kill -9` is no way to leave an API server behind; `down` then only tidies up."""
    state = background.up(directory)
    os.kill(state.living["supervisor"], signal.SIGKILL)
    assert _until(lambda: not state.living)
    background.down(directory)
    assert not directory.exists()


def test_an_etcd_that_dies_ends_the_rest(directory: Path) -> None:
    """Half a cluster helps nobody: the supervisor ends with it, and its log says why."""
    state = background.up(directory)
    os.kill(state.living["etcd"], signal.SIGKILL)
    assert _until(lambda: not state.living)
    assert "ended by itself" in (directory / "supervisor.log").read_text()


def test_a_port_in_use_is_told_at_once_and_in_one_sentence(directory: Path) -> None:
    """Whoever holds the port is no API server: nobody waits for its answer."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(ClusterError) as refused:
            background.up(directory, port=port)
    assert str(refused.value).startswith(f"port {port} on 127.0.0.1 is in use")
    assert "\n" not in str(refused.value)
    assert refused.value.status == EX_USAGE


def test_status_tells_about_every_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name all are listed, and one that has ended is enough for status 4."""
    monkeypatch.setattr(background, "names", lambda: ["first", "second"])
    monkeypatch.setattr(background, "place", lambda name: tmp_path / name)
    for name, at in (("first", start_time(os.getpid()) or 0), ("second", -1)):
        (tmp_path / name).mkdir()
        state = background.State(url="", kubeconfig="", started={"etcd": (os.getpid(), at)})
        background.remember(tmp_path / name, state)
    assert main(["status"]) == EX_DOWN
    told = capsys.readouterr().out
    assert f"first:\n  etcd{'':<22}runs as {os.getpid()}" in told
    assert f"second:\n  etcd{'':<22}ended" in told
    assert main(["status", "--name", "first"]) == 0


def test_down_spares_a_process_that_was_given_the_same_pid(tmp_path: Path) -> None:
    """A pid alone proves nothing: the start time must be the remembered one, too."""
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        begun = start_time(stranger.pid)
        assert begun is not None
        started = {"supervisor": (stranger.pid, begun - 1)}
        state = background.State(url="", kubeconfig="", started=started)
        background.remember(tmp_path, state)
        background.down(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_test_run_leaves_no_server(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """When the process that holds a `Cluster` is killed, the kernel kills the programs."""
    script = (
        "import json, signal, sys\nfrom pathlib import Path\nfrom tests.cluster import Cluster\n"
        "cluster = Cluster(Path(sys.argv[1]))\ncluster.start()\n"
        "print(json.dumps(dict(cluster.pids)), flush=True)\nsignal.pause()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "cluster")],
        stdout=subprocess.PIPE,
        cwd=background.ROOT,
    )
    try:
        assert holder.stdout is not None
        with holder.stdout:
            pids: dict[str, int] = json.loads(holder.stdout.readline())
        started = {name: (pid, start_time(pid) or 0) for name, pid in pids.items()}
        state = background.State(url="", kubeconfig="", started=started)
        assert len(state.living) == 2
    finally:
        holder.kill()
        holder.wait()
    assert _until(lambda: not state.living)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["up", "--nodes", "99"], "between 0 and 20", id="a machine has an end"),
        pytest.param(["off", "n1", "--name", "none"], "no cluster with nodes", id="no power"),
        pytest.param(["load", "no.tar"], "no such file", id="an image that is not there"),
        pytest.param(["up", "--port", "70000"], "between 0 and 65535", id="a port has 16 bits"),
        pytest.param(["up", "--name", "../x"], "letters, digits", id="a name is not a path"),
        pytest.param(["down", "--name", "nobody"], "no cluster is up", id="nothing to take down"),
        pytest.param(["start"], "invalid choice", id="a command that is none"),
    ],
)
def test_wrong_usage_is_one_sentence(words: list[str], sentence: str) -> None:
    """Whoever mistypes hears what is wrong, with status 2."""
    with pytest.raises(ClusterError, match=sentence) as raised:
        main(words)
    assert raised.value.status == EX_USAGE
