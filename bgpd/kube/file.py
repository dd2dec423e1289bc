"""Read a file as a whole, or not at all while somebody writes it.

The kernel knows whether a file is open for writing: it grants a read lease (fcntl(2), F_SETLEASE)
only while it is not. The lease is given back before anything else happens, so a writer that comes
meanwhile waits for microseconds. Where leases do not exist (FUSE, another user's file without
CAP_LEASE) a file that changes while it is read counts as being written. Where they are always
refused (NFS without delegations) a file that has not changed for some seconds is read all the same.
"""

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

STEADY_SECONDS: Final = 10.0
"""Seconds without a change after which a file counts as whole although it is open for writing."""

_CHUNK: Final = 1 << 20


class BusyError(Exception):
    """Somebody has the file open for writing."""


def read_whole(path: Path) -> bytes:
    """Return the content of *path*, or raise `BusyError` or `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        leased = _lease(descriptor, path)
        try:
            before = os.fstat(descriptor)
            text = _read(descriptor)
            after = os.fstat(descriptor)
        finally:
            if leased:
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise BusyError(str(path))
        return text
    finally:
        os.close(descriptor)


def _lease(descriptor: int, path: Path) -> bool:
    """Take a read lease; return whether there is one, or raise `BusyError`."""
    with suppress(OSError):
        # A writer that comes while the lease is held makes the kernel send a signal, by default
        # the deadly SIGIO. SIGURG is ignored unless somebody asks for it.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            if abs(time.time() - os.fstat(descriptor).st_mtime) < STEADY_SECONDS:
                raise BusyError(str(path)) from None
            return False
        return True
    return False


def _read(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
    return b"".join(chunks)
