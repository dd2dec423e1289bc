"""Work that waits for the kernel has a thread of its own, which the loop can wake and end.

The thread gets one end of a pipe: a byte in it says that something else is wanted, its end that
nobody wants anything any more. What the thread says is heard in the loop, and only until then.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, ParamSpec, TypeAlias

_JOIN_SECONDS: Final = 0.5

News = ParamSpec("News")
Work: TypeAlias = Callable[[int, Callable[News, None]], None]
"""What the thread does with its end of the pipe, until that ends, and with whom it tells."""


class WokenThread(Generic[News]):
    """A thread called *name* that does *work*; *heard* is called in the loop with its news."""

    def __init__(self, name: str, work: Work[News], heard: Callable[News, None]) -> None:
        self._name = name
        self._work = work
        self._heard = heard
        self._wake_up = -1

    def wake(self) -> None:
        """Have the thread look at what is wanted, if it runs."""
        if self._wake_up >= 0:
            with suppress(BlockingIOError):  # full: it is awake
                os.write(self._wake_up, b"\0")

    async def run(self) -> None:
        """Have the thread work until cancelled."""
        loop = asyncio.get_running_loop()
        woken, self._wake_up = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

        def tell(*args: News.args, **kwargs: News.kwargs) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(lambda: self._hear(*args, **kwargs))

        def work() -> None:
            try:
                self._work(woken, tell)
            finally:
                os.close(woken)

        # A daemon: a kernel that does not answer must not keep the agent from its end.
        thread = threading.Thread(target=work, name=self._name, daemon=True)
        thread.start()
        try:
            await loop.create_future()
        finally:
            os.close(self._wake_up)
            self._wake_up = -1
            thread.join(_JOIN_SECONDS)

    def _hear(self, *args: News.args, **kwargs: News.kwargs) -> None:
        if self._wake_up >= 0:
            self._heard(*args, **kwargs)
