"""Ends this process at a moment that nothing in it can miss: the kernel does it.

A leader may be stopped (SIGSTOP, a frozen cgroup, a debugger, a suspended machine) between the
moment at which it finds that it may write and the write itself. When it goes on, others may have
been leaders for long, and no check of its own comes in between. So before each right to write
begins, a timer of the kernel is set to its end, with SIGKILL as its signal: a process that is
stopped then never runs another instruction. It needs no privilege.

The first process of a container is spared by the kernel, so it must be another one: see
`bgpd.controller.__main__`.
"""

import ctypes
import os
import signal
import time
from typing import Final

from bgpd.model.errors import ConfigError

_CLOCK: Final = time.CLOCK_BOOTTIME
_SIGEV_SIGNAL: Final = 0
_TIMER_ABSTIME: Final = 1


class _Sigevent(ctypes.Structure):
    """`struct sigevent` of Linux: 64 bytes, of which the rest is for threads."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def now() -> float:
    """Return the clock of the deadline, which goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Deadline:
    """A moment after which this process does not exist, unless it is moved before that."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        event = _Sigevent(signo=signal.SIGKILL, notify=_SIGEV_SIGNAL)
        made = self._libc.timer_create(_CLOCK, ctypes.byref(event), ctypes.byref(self._timer))
        if made != 0:
            raise ConfigError(f"the kernel gives no timer: {os.strerror(ctypes.get_errno())}")

    def move(self, at: float) -> None:
        """Set the end to *at* on the clock of `now`."""
        seconds = int(at)
        self._set(seconds, int((at - seconds) * 1e9))

    def off(self) -> None:
        """Live for ever."""
        self._set(0, 0)

    def _set(self, seconds: int, nanoseconds: int) -> None:
        spec = _Itimerspec(value=_Timespec(seconds, nanoseconds))
        found = self._libc.timer_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(spec), None)
        if found != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
