"""Whether the agent is there: connected, and its loop still turning.

An agent that is gone changes nothing at first: what it wanted last keeps being advertised. Only
after its grace the node's routes take rank 250, so that nodes with an agent are preferred.
"""

from typing import Final

MISSED_SECONDS: Final = 5.0
"""A connected agent that has not beaten for so long hangs; one that is well beats each second."""


class AgentPresence:
    """Tracks one agent by its connection and its beats."""

    def __init__(self, now: float) -> None:
        self.connected = False
        self._last_sign = now

    def greeted(self) -> None:
        """Note that the agent connected: that it comes is no sign, what it says is.

        One whose words nobody here understands, of another version, comes again each second.
        """
        self.connected = True

    def seen(self, now: float) -> None:
        """Note that the agent said anything."""
        self.connected = True
        self._last_sign = now

    def lost(self) -> None:
        """Note that the agent's connection is gone."""
        self.connected = False

    def absent_since(self, now: float) -> float | None:
        """Return when the agent was last there, or None while it is."""
        if self.connected and now - self._last_sign < MISSED_SECONDS:
            return None
        return self._last_sign

    def in_doubt(self, now: float, grace: float) -> bool:
        """Return whether the agent has been away for more than *grace* seconds."""
        since = self.absent_since(now)
        return since is not None and now - since >= grace
