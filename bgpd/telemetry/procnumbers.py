"""What the kernel knows of a process: when it started, what it uses (proc(5)).

A number that cannot be read is left out: unknown is not zero.
"""

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.telemetry import commonmetrics
from bgpd.telemetry.exposition import Family, one

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


def process_families(proc: Path = _PROC) -> Iterator[Family]:
    """Yield the numbers of this process, by the names that every exporter uses."""
    fields = stat_fields(proc / "self")
    if fields is not None:
        booted = _boot_time(proc)
        if booted is not None:
            yield one(commonmetrics.START_TIME, booted + int(fields[19]) / _TICKS)
        yield one(commonmetrics.CPU_SECONDS, cpu_seconds(fields))
        yield one(commonmetrics.VIRTUAL_BYTES, int(fields[20]))
        yield one(commonmetrics.RESIDENT_BYTES, resident_bytes(fields))
    with suppress(OSError):
        # The directory is open itself while it is read.
        yield one(commonmetrics.OPEN_FDS, len(list((proc / "self" / "fd").iterdir())) - 1)
    yield one(commonmetrics.MAX_FDS, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def stat_fields(process: Path) -> list[str] | None:
    """Return what proc(5) numbers from field 3 on, of *process*; None when it is not there."""
    try:
        text = (process / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # The second field is the program's name in parentheses, which may hold both.
    return text.rpartition(")")[2].split()


def cpu_seconds(fields: Sequence[str]) -> float:
    """Return the processor time in *fields*, as `stat_fields` returns them."""
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(fields: Sequence[str]) -> int:
    """Return the memory in RAM in *fields*, as `stat_fields` returns them."""
    return int(fields[21]) * _PAGE


def _boot_time(proc: Path) -> float | None:
    try:
        lines = (proc / "stat").read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)
