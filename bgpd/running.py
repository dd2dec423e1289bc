"""Runs one of the processes to its end, and says in a sentence what ended it before its time."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from bgpd.model.errors import BgpdError


def run(program: str, start: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run what *start* returns, and return the exit status of *program*."""
    try:
        asyncio.run(start())
    except (BgpdError, BaseExceptionGroup) as error:
        found = _ours(error)
        if not found:
            raise
        for one in found:
            sys.stderr.write(f"{program}: {one}\n")
        return found[0].exit_code
    return 0


def _ours(error: BaseException) -> list[BgpdError]:
    """Return our own errors in *error*, which a task group may have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _ours(inner)]
    return [error] if isinstance(error, BgpdError) else []
