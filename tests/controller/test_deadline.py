"""A process that was stopped does not outlive its right to write."""

import os
import signal
import subprocess
import sys
import time

_PROGRAM = """
import os, signal, sys, time
from bgpd.controller.deadline import Deadline, now
end = Deadline()
end.move(now() + 1.0)
if sys.argv[1] == "moved":
    end.move(now() + 60.0)
if sys.argv[1] == "off":
    end.off()
print("armed", flush=True)
if sys.argv[1] == "stopped":
    os.kill(os.getpid(), signal.SIGSTOP)
    os.write(1, b"woken")
time.sleep(1.5 if sys.argv[1] != "hanging" else 60)
"""


def ended(how: str) -> tuple[int, bytes]:
    """Return status and output of a process with a deadline of a second."""
    line = [sys.executable, "-c", _PROGRAM, how]
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    try:
        if how == "stopped":
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            time.sleep(1.5)
            process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output


def test_a_stopped_process_never_runs_again() -> None:
    """Stopped before its deadline and continued after it, it does not reach its next line."""
    assert ended("stopped") == (-signal.SIGKILL, b"armed\n")


def test_a_process_that_hangs_is_ended() -> None:
    """It could not see to its end itself."""
    assert ended("hanging") == (-signal.SIGKILL, b"armed\n")


def test_a_deadline_can_be_moved_and_taken_back() -> None:
    """Whoever renews its right in time lives on."""
    assert ended("moved") == (0, b"armed\n")
    assert ended("off") == (0, b"armed\n")


_FIRST = """
import os, sys, time
from bgpd.controller.deadline import Deadline, now
from bgpd.exabgp import first
assert os.getpid() == 1
if sys.argv[1] == "behind":
    first.stay_behind()
Deadline().move(now() + 0.5)
time.sleep(1.5)
sys.exit(7)
"""


def test_the_first_process_of_a_container_leaves_its_seat() -> None:
    """The kernel does not end it by its own timer: so somebody else must sit there."""
    rights = ("--user", "--map-root-user") if os.geteuid() else ()
    ended_with = {}
    for how in ("behind", "itself"):
        line = ["unshare", *rights, "--pid", "--fork", "--kill-child", sys.executable, "-c", _FIRST]
        done = subprocess.run([*line, how], timeout=30, check=False, capture_output=True)
        ended_with[how] = done.returncode
    assert ended_with == {"behind": 128 + signal.SIGKILL, "itself": 7}
