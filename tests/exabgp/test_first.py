"""The first process of a container: ExaBGP can be killed there, and nobody is left behind."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exabgp.space import eventually, need

pytestmark = pytest.mark.integration


@contextmanager
def container(*line: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run *line* as the first process of a namespace that ends with the test."""
    need("unshare", unproven="ExaBGP can be killed in a container, and nobody is left behind")
    unshare = ("unshare", "--pid", "--mount-proc", "--fork", "--kill-child", "--")
    with log.open("wb") as file:
        process = subprocess.Popen([*unshare, *line], stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def only_child(pid: int) -> int:
    """Return the one child of *pid*, once it has one."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return int(eventually(lambda: path.read_text().split(), f"a child of {pid}")[0])


def script(body: str) -> tuple[str, ...]:
    """Return the command line of a first process whose child runs *body*."""
    head = "import os, signal, subprocess, sys, time; from bgpd.exabgp import first; "
    return sys.executable, "-c", f"{head}first.stay_behind()\n{body}"


def test_an_exabgp_that_hangs_is_killed_though_it_came_first(tmp_path: Path) -> None:
    """The shipped command: SIGSTOP, the reflex kills, the container ends with 137."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    port = _free_port()
    line = (
        *(sys.executable, "-m", "bgpd.ctl.daemon", "speaker", "--node", "n1"),
        *("--mesh-key-file", str(key), "--metrics-address", f"127.0.0.1:{port}"),
        *("--run-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")),
    )
    log = tmp_path / "log"
    with container(*line, log=log) as process:
        eventually(lambda: "[+]exabgp ok" in _ready(port), "ExaBGP has answered once")
        exabgp = only_child(only_child(process.pid))
        os.kill(exabgp, signal.SIGSTOP)
        assert process.wait(timeout=30.0) == 128 + signal.SIGKILL, log.read_text()
    assert "exabgp_gone" in log.read_text(), "the reflex has time for its goodbye"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _ready(port: int) -> str:
    """Return what the reflex says of its readiness; without an agent that is an error."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz?verbose", timeout=10.0)
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return ""
    raise AssertionError("it is ready though no agent has said anything")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda n: n.name
)
def test_signals_are_passed_on_once(tmp_path: Path, number: signal.Signals) -> None:
    """And the child's status is the container's."""
    log = tmp_path / "log"
    body = f"""
seen = []
signal.signal({number.value}, lambda *_: seen.append(1))
print("ready", flush=True)
while not seen:
    time.sleep(0.01)
time.sleep(0.5)
sys.exit(40 + len(seen))
"""
    with container(*script(body), log=log) as process:
        eventually(lambda: "ready" in log.read_text(), "the child")
        os.kill(only_child(process.pid), number)
        assert process.wait(timeout=30.0) == 41, log.read_text()


def test_orphans_are_reaped(tmp_path: Path) -> None:
    """Who ends without a parent is no zombie for months."""
    log = tmp_path / "log"
    body = """
subprocess.run(["sh", "-c", "(sleep 0.2; exit 3) & exit 0"])
time.sleep(1.0)
def zombies():
    return sum("State:\\tZ" in open(f"/proc/{name}/status").read()
               for name in os.listdir("/proc") if name.isdigit())
end = time.monotonic() + 15.0
while zombies() and time.monotonic() < end:
    time.sleep(0.1)
print(zombies(), "zombies", flush=True)
"""
    with container(*script(body), log=log) as process:
        assert process.wait(timeout=40.0) == 0
    assert "0 zombies" in log.read_text()


def test_the_end_waits_for_no_one_for_long(tmp_path: Path) -> None:
    """A reflex that does not leave is ended with the container."""
    body = 'subprocess.Popen(["sleep", "1000"]); os.kill(os.getpid(), signal.SIGKILL)'
    with container(*script(body), log=tmp_path / "log") as process:
        assert process.wait(timeout=30.0) == 128 + signal.SIGKILL
