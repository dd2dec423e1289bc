"""Places for the programs that probes run: few at once, and none is left behind.

A program has a place until it is reaped, which may be long after it was killed: one that sits
in the kernel and cannot die keeps its own next run waiting, and nobody else while there are
places. Where the agent is the first process of its container, the children of programs that were
killed with them become ours, and are reaped, too.
"""

import asyncio
import os
from collections import deque
from collections.abc import Hashable
from typing import Final, Protocol

MOST_AT_ONCE: Final = 16
_LOOK_AGAIN: Final = 0.05
_PATIENCE: Final = 1.0


class Waiting(Protocol):
    """A program that wants a place."""

    key: Hashable

    def launch(self) -> None:
        """Begin: there is a place now."""
        ...


class Programs:
    """Who runs, who waits, and which process groups may still hold children of ours."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int = MOST_AT_ONCE) -> None:
        """Let *most* run at one instant."""
        self._loop = loop
        self._most = most
        self._places: dict[Hashable, Waiting] = {}
        self._queue: deque[Waiting] = deque()
        self._giving = False
        """Whether places are being given: who cannot begin frees its own again at once."""
        self._groups: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many run, or were killed and are not reaped yet."""
        return len(self._places)

    def runs(self, key: Hashable) -> bool:
        """Return whether an earlier program of *key* is not reaped yet."""
        return key in self._places

    def admit(self, program: Waiting) -> bool:
        """Give *program* a place, or let it wait for one."""
        if len(self._places) >= self._most or program.key in self._places:
            self._queue.append(program)
            return False
        self._places[program.key] = program
        return True

    def leave(self, program: Waiting) -> None:
        """Take notice that *program* is reaped, never began, or waits no more."""
        if self._places.get(program.key) is not program:
            if program in self._queue:
                self._queue.remove(program)
            return
        del self._places[program.key]
        if self._giving:
            return
        self._giving = True
        try:
            while (waiting := self._next()) is not None:
                self._queue.remove(waiting)
                self._places[waiting.key] = waiting
                waiting.launch()
        finally:
            self._giving = False

    def _next(self) -> Waiting | None:
        """Return who waits longest of those that may begin now."""
        if len(self._places) >= self._most:
            return None
        return next((one for one in self._queue if one.key not in self._places), None)

    def reap(self, group: int) -> None:
        """Reap what is left of process group *group*, as far as it is ours to reap."""
        self._groups.add(group)
        self._look()

    async def ended(self) -> None:
        """Wait a little until all is reaped."""
        end = self._loop.time() + _PATIENCE
        while (self._places or self._groups) and self._loop.time() < end:
            await asyncio.sleep(_LOOK_AGAIN / 10)
            self._look()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._groups = {group for group in self._groups if _holds_children(group)}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._groups:
            self._timer = self._loop.call_later(_LOOK_AGAIN, self._look)


def _holds_children(group: int) -> bool:
    """Reap the dead of *group*; return whether children of ours in it are still alive."""
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
