"""Where bgpd's share of an event goes: what agent and reflex read and write, by the kernel's word.

perf(1) records the system calls of both with the monotonic clock, for about a microsecond each.
The border that no packet shows is the command that the reflex writes to ExaBGP (its stdout).
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.plan import EX_CONFIG, LabError

_EVENTS: Final = "syscalls:sys_exit_recvfrom,syscalls:sys_enter_write"
_LINE: Final = re.compile(r"\s*(\d+)\s+([\d.]+):\s+syscalls:(\w+):\s+(.*)")
_STDOUT: Final = "fd: 0x00000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """When the two processes did what; monotonic seconds."""

    agent_read: tuple[float, ...]
    """Something came, from whomever."""
    reflex_read: tuple[float, ...]
    reflex_wrote: tuple[float, ...]
    """To ExaBGP."""


class Trace:
    """Record from start to stop."""

    def __init__(self, pids: Mapping[str, int], file: Path) -> None:
        """Attach to *pids*: `agent` and `reflex`."""
        self._pids = pids
        self._file = file
        self._log = file.with_suffix(".log").open("wb")
        wanted = ",".join(map(str, pids.values()))
        self._process = subprocess.Popen(
            [
                *("perf", "record", "-q", "-k", "CLOCK_MONOTONIC", "-e", _EVENTS),
                *("-p", wanted, "-o", str(file)),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        time.sleep(1)
        if self._process.poll() is not None:
            raise LabError(f"perf cannot trace here; see {file.with_suffix('.log')}", EX_CONFIG)

    def stop(self) -> Calls:
        """End, and return what was seen."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        self._log.close()
        done = subprocess.run(
            ["perf", "script", "--ns", "-F", "pid,time,event,trace", "-i", str(self._file)],
            capture_output=True,
            text=True,
            check=False,
        )
        self._file.unlink(missing_ok=True)
        return told(done.stdout, self._pids)


def told(text: str, pids: Mapping[str, int]) -> Calls:
    """Return the reads that brought something, and the reflex's writes to ExaBGP."""
    reads: dict[int, list[float]] = {pid: [] for pid in pids.values()}
    writes = []
    for line in text.splitlines():
        if found := _LINE.match(line):
            pid, at, event, words = int(found[1]), float(found[2]), found[3], found[4]
            if pid in reads and event == "sys_exit_recvfrom" and _positive(words):
                reads[pid].append(at)
            if pid == pids["reflex"] and event == "sys_enter_write" and _STDOUT in words:
                writes.append(at)
    return Calls(
        agent_read=tuple(reads[pids["agent"]]),
        reflex_read=tuple(reads[pids["reflex"]]),
        reflex_wrote=tuple(writes),
    )


def available() -> bool:
    """Tell whether there is a perf to trace with."""
    return shutil.which("perf") is not None


def _positive(words: str) -> bool:
    value = int(words.rsplit(maxsplit=1)[-1], 16)
    return 0 < value < 1 << 63
