"""Wait for thousands of short-lived sockets without a task, or a handle of asyncio, for each.

An epoll of our own hangs in the agent's loop as one readable descriptor: a probe then costs the
system calls it needs and little else. Descriptors are looked at in batches that are short enough
for whatever else the loop has to do.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Final, TypeAlias

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
_BATCH: Final = 64

Ready: TypeAlias = Callable[[], None]


class Poller:
    """Calls whoever waits for a descriptor; `close` it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang into *loop*."""
        self._loop = loop
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        loop.add_reader(self._epoll.fileno(), self.turn)

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call *ready* whenever one of *events*, an error or a hang-up happens to *fd*.

        It may be called once too often: descriptors are reused within a batch.
        """
        self._epoll.register(fd, events)
        self._ready[fd] = ready

    def change(self, fd: int, events: int) -> None:
        """Wait for *events* instead."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Wait no more for *fd*; do this before it is closed.

        A closed descriptor leaves an epoll by itself only where no child shares it.
        """
        if self._ready.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def turn(self) -> bool:
        """Call whoever is ready now, at most a batch; return whether there was a full one."""
        events = self._epoll.poll(0, _BATCH)
        for fd, _ in events:
            ready = self._ready.get(fd)
            if ready is not None:
                ready()
        return len(events) == _BATCH

    def close(self) -> None:
        """Wait for nothing any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._ready.clear()
