"""The kernel's record of system calls becomes lists of moments."""

from tests.bench.trace import Calls, told

RECORD = """\
    7 100.000001000: syscalls:sys_exit_recvfrom: 0x2f1
    7 100.000002000: syscalls:sys_exit_recvfrom: 0xfffffffffffffff5
    7 100.000002500: syscalls:sys_exit_recvfrom: 0x0
    9 100.000002700: syscalls:sys_exit_recvfrom: 0x10
    9 100.000003000: syscalls:sys_enter_write: fd: 0x00000001, buf: 0x7f, count: 0x40
    9 100.000004000: syscalls:sys_enter_write: fd: 0x00000002, buf: 0x7f, count: 0x40
    8 100.000005000: syscalls:sys_enter_write: fd: 0x00000001, buf: 0x7f, count: 0x40
perf says something else
"""


def test_only_what_brought_something_and_what_went_to_exabgp_counts() -> None:
    """An end, an error, a log line and other processes are no part of an event's way."""
    calls = told(RECORD, {"agent": 7, "reflex": 9})
    assert calls == Calls(
        agent_read=(100.000001,), reflex_read=(100.0000027,), reflex_wrote=(100.000003,)
    )
