"""Run what never ends by itself for as long as a test looks at it."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class running:  # noqa: N801 - reads as what it does
    """Run a coroutine until the block ends."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._work)

    async def __aexit__(self, *_: object) -> None:
        """End."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
