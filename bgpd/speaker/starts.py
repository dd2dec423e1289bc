"""How often ExaBGP and the reflex were started on this node: a number that outlives both.

The reflex is ExaBGP's child. When ExaBGP ends, the reflex ends with it, so only the disk can know
that there was an ExaBGP before this one.
"""

import msgspec


class Starts(msgspec.Struct, frozen=True, kw_only=True):
    """What the disk remembers."""

    exabgp: str = ""
    """Which ExaBGP was there last: its boot, its number and its moment."""
    exabgp_restarts: int = 0
    reflex_restarts: int = 0


def started(before: Starts | None, *, exabgp: str) -> Starts:
    """Return *before* and one start more, by *exabgp*; the first one ever is no restart."""
    if before is None:
        return Starts(exabgp=exabgp)
    if before.exabgp == exabgp:
        return msgspec.structs.replace(before, reflex_restarts=before.reflex_restarts + 1)
    restarts = before.exabgp_restarts + 1
    return msgspec.structs.replace(before, exabgp=exabgp, exabgp_restarts=restarts)
