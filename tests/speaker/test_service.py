"""The reflex as a process, with a test in the place of ExaBGP: what it counts and logs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from tests.lacking import lacking

WAIT = 20.0


@pytest.fixture(name="reflex")
def _reflex(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a reflex; it ends when its stdin does."""
    with started(tmp_path) as process:
        yield process


@contextmanager
def started(tmp_path: Path, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a reflex by the command *before*; it ends when its stdin does."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    key.chmod(0o600)
    words = ("--node", "n1", "--run-dir", tmp_path, "--state-dir", tmp_path)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "bgpd.speaker", *words, "--mesh-key-file", key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        until((tmp_path / "speaker.sock").exists, "the socket")
        yield process
    finally:
        process.communicate(timeout=WAIT)


def until(fact: Callable[[], object], what: str) -> None:
    """Return when *fact* holds."""
    end = time.monotonic() + WAIT
    while not fact():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def counters(directory: Path) -> dict[str, int]:
    """Return what the reflex has counted."""
    answer = ask(directory / "speaker.sock", Ask(question="status"), timeout=WAIT)
    found: dict[str, int] = answer.content["counters"]
    return found


def test_what_it_does_not_understand_of_exabgp_is_counted_and_said(
    reflex: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A count alone would not tell what another version of ExaBGP's half says."""
    assert reflex.stdin is not None
    for _ in range(3):
        reflex.stdin.write(b'bgpd pong {"id":"seven"}\n')
    reflex.stdin.flush()
    log = tmp_path / "log"
    until(lambda: "exabgp_line_refused" in log.read_text(), "the line in the log")
    until(lambda: counters(tmp_path)["exabgp_lines_refused"] == 3, "the count")
    assert log.read_text().count("exabgp_line_refused") == 1, "the same is said once"


def test_who_came_to_the_socket_is_counted(reflex: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A stranger who was turned away, or a line that was malformed, is seen in the status."""
    assert reflex.poll() is None
    assert counters(tmp_path)["socket_accepted"] == 1
    assert counters(tmp_path)["socket_accepted"] == 2


def test_a_reflex_that_may_runs_before_what_can_wait(
    reflex: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """On a node whose processors are all busy its heartbeats leave in time; the log says so."""
    may = os.geteuid() == 0
    until(lambda: "started" in (tmp_path / "log").read_text(), "the line in the log")
    policy = os.sched_getscheduler(reflex.pid)
    assert (policy == os.SCHED_RR) is may
    word = "real-time" if policy == os.SCHED_RR else "ordinary"
    assert f"priority={word}" in (tmp_path / "log").read_text()


def test_a_reflex_that_may_not_run_before_others_works_all_the_same(tmp_path: Path) -> None:
    """A pod without CAP_SYS_NICE has an ordinary reflex."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        lacking("root and setpriv are needed", unproven="a reflex without CAP_SYS_NICE")
    without = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", "--")
    with started(tmp_path, *without) as process:
        until(lambda: "priority=ordinary" in (tmp_path / "log").read_text(), "the line in the log")
        assert os.sched_getscheduler(process.pid) != os.SCHED_RR
