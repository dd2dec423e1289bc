"""Run before what can wait: a heartbeat or a BFD packet that is 100 ms late looks like a death.

The reflex works for a hundredth of a core and has to do so at once; on a node whose processors are
all busy an ordinary process waits its turn. Corosync does the same for its heartbeats.
"""

import os
from typing import Final

_LOWEST: Final = os.sched_param(1)


def come_first() -> str:
    """Ask for the lowest real-time priority (SCHED_RR, sched(7)); return what became of it.

    It takes root or CAP_SYS_NICE. Threads that are started later have the same priority, so that
    none of them is kept from running while it keeps the interpreter from the loop. A reflex that
    spins is ended by ExaBGP after two seconds, and the kernel leaves a twentieth to others.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, _LOWEST)
    except OSError:
        return "ordinary"
    return "real-time"
