"""A process's conditions as log lines: each once when it begins, and once when it is over.

What comes and goes within a moment is no news, so conditions are gathered before they are logged.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bgpd.model.status import Condition
from bgpd.telemetry import logs, saying

_LOG_SECONDS: Final = 0.25
"""For how long conditions are gathered for the log: eight watches see one thing one by one."""
_LOG_FIRST_SECONDS: Final = 1.0
"""The same until everything is known once."""


class ConditionLog:
    """What the log was told of *conditions*."""

    def __init__(
        self, log: logging.Logger, conditions: Callable[[], tuple[Condition, ...]]
    ) -> None:
        self._log = log
        self._conditions = conditions
        self._told: set[Condition] = set()
        self._waiting: asyncio.TimerHandle | None = None

    def soon(self, *, synced: bool) -> None:
        """Log what began or ended, in a moment; *synced* once everything is known."""
        if self._waiting is None:
            pause = _LOG_SECONDS if synced else _LOG_FIRST_SECONDS
            self._waiting = asyncio.get_running_loop().call_later(pause, self._write)

    def close(self) -> None:
        """Log what still waits to be logged."""
        if self._waiting is not None:
            self._write()

    def _write(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        now = set(self._conditions())
        for condition in saying.begun(self._told, now):
            keys = [("reason", condition.reason), ("message", condition.message)]
            logs.write(self._log, "warning", condition.type, keys)
        for condition in saying.over(self._told, now):
            logs.write(self._log, "info", condition.type, saying.end_of(condition))
        self._told = now
