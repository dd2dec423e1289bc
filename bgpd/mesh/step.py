"""Beat together: heartbeats that arrive in one moment wake a process once.

A wake-up costs many times what a heartbeat costs, because whatever ran meanwhile has the
caches. So members pull each other into step like fireflies (Mirollo and Strogatz,
Synchronization of Pulse-Coupled Biological Oscillators, 1990): whoever hears a beat hastens its
own next one, the more the nearer it is, and beats at once when it was about to.
"""

from typing import Final

PULL: Final = 0.1
"""How much further along its interval a member jumps when it hears another."""


def in_step(due: float, *, now: float, interval: float) -> float:
    """Return when the beat that was *due* should be sent, another having been heard *now*."""
    phase = 1 - (due - now) / interval
    if not 0 < phase < 1:
        return due
    return now + max(0.0, 1 - phase * (1 + PULL)) * interval
