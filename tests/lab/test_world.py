"""A world leaves nothing behind, however it ends, and two of them do not meet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.world import INSIDE, run_inside, start_in_background, unshare_command
from tests.lacking import lacking

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _possible() -> None:
    """Skip where no world can be made; in CI that is an error."""
    reason = "bird is not installed" if missing_programs(RouterName.BIRD) else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven="a world leaves nothing behind, however it ends")


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the lab's command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tests.lab", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def inhabitants(directory: str) -> list[int]:
    """Return the processes whose environment or words name the world's *directory*."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if directory.encode() in text:
            found.append(int(entry.name))
    return found


def eventually_empty(directory: str) -> bool:
    """Wait until the world is gone, at most a minute."""
    return wait_for(lambda: not inhabitants(directory))


def wait_for(fact: Callable[[], bool]) -> bool:
    """Wait at most a minute for *fact*, and tell whether it came true."""
    end = time.monotonic() + 60
    while not fact() and time.monotonic() < end:
        time.sleep(0.05)
    return fact()


@pytest.fixture
def two_labs() -> Iterator[tuple[str, str]]:
    """Give two labs in the background, and end them whatever happens."""
    names = (f"first_{os.getpid()}", f"second_{os.getpid()}")
    try:
        for name in names:
            done = lab("up", "--name", name, "--nodes", "1", "--services", "1")
            assert done.returncode == 0, done.stderr
        yield names
    finally:
        for name in names:
            lab("down", "--name", name)


def test_two_labs_are_strangers_and_down_leaves_nothing(two_labs: tuple[str, str]) -> None:
    """Commands run inside the right one; after `down` its processes and logs are gone."""
    first, second = two_labs
    where = [
        lab("exec", "--name", name, "n1", "--", "sh", "-c", "readlink /proc/self/ns/net; hostname")
        for name in two_labs
    ]
    assert [done.returncode for done in where] == [0, 0]
    assert where[0].stdout != where[1].stdout
    assert lab("exec", "--name", first, "n1", "--", "false").returncode == 1
    assert lab("exec", "--name", first, "n9", "--", "true").returncode == 2
    again = lab("up", "--name", first)
    assert again.returncode == 2
    assert "is up already" in again.stderr
    listing = (ROOT / "build" / "lab" / f"{first}.json").read_text()
    directory = listing.split('"directory": "')[1].split('"')[0]
    assert inhabitants(directory)
    absent = lab("exec", "--name", first, "client", "--", "no-such-tool")
    assert absent.returncode == 127
    assert absent.stderr.startswith("no-such-tool: this machine has no such command, so client")
    assert lab("down", "--name", first).returncode == 0
    assert inhabitants(directory) == []
    assert not Path(directory).exists()
    assert lab("exec", "--name", second, "n1", "--", "true").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_killed_lab_takes_everything_with_it(number: signal.Signals) -> None:
    """Nothing survives the outermost process, not even after SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "run", "power-loss", "--repeat", "100"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "building" in process.stdout.readline()
    directory = next(
        path for path in (ROOT / "build" / "lab").glob(f"world-{process.pid}-*") if path.is_dir()
    )
    marker = f"{INSIDE}={directory}"
    assert inhabitants(marker)
    process.send_signal(number)
    process.wait(100)
    said = process.stdout.read()
    process.stdout.close()
    assert eventually_empty(marker)
    if number != signal.SIGKILL:
        assert said.splitlines()[-1].startswith("ended before its time")
        assert not directory.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_an_interrupted_up_ends_the_half_built_lab(number: signal.Signals) -> None:
    """Whoever changes their mind has no lab left behind, and hears so in one line."""
    name = f"half_{os.getpid()}_{number}"
    state = ROOT / "build" / "lab" / f"{name}.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "up", "--name", name],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert wait_for(state.exists)
        directory = next((ROOT / "build" / "lab").glob(f"world-{process.pid}-*"))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert said == f"ended before it was up: the half-built lab {name} is gone\n"
        assert not state.exists()
        assert eventually_empty(f"{INSIDE}={directory}")
        assert not directory.exists()
    finally:
        process.kill()
        process.communicate()
        lab("down", "--name", name)


def test_where_no_world_can_be_made_no_directory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal leaves nothing to sweep up."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for start in (lambda: run_inside(["run"]), lambda: start_in_background(["up"], "nowhere")):
        with pytest.raises(LabError, match="run it as root"):
            start()
    assert list((ROOT / "build" / "lab").glob(f"world-{os.getpid()}-*")) == []
