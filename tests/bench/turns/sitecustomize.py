"""Note each turn of an asyncio loop that took long, in every Python process that finds this module.

Whoever measures puts this directory before all others on PYTHONPATH and names a directory for the
notes in BGPD_TURNS: one file a process, one line a turn.
"""

import json
import os
import time
from asyncio import events
from pathlib import Path
from typing import Any

_LONG = 0.002
_NOTES = os.environ.get("BGPD_TURNS")


def _watch(directory: Path) -> None:
    run = events.Handle._run

    def watched(self: events.Handle) -> None:
        wall, cpu = time.monotonic(), time.thread_time()
        run(self)
        took = time.monotonic() - wall
        if took > _LONG:
            about = {"at": wall, "wall": took, "cpu": time.thread_time() - cpu, "what": _what(self)}
            with (directory / f"{os.getpid()}.jsonl").open("a") as notes:
                notes.write(json.dumps(about) + "\n")

    events.Handle._run = watched  # type: ignore[method-assign]


def _what(handle: Any) -> str:
    callback = handle._callback
    owner: Any = getattr(callback, "__self__", None)
    if hasattr(owner, "get_coro"):
        return f"task {owner.get_name()}"
    return str(getattr(callback, "__qualname__", callback))


if _NOTES:
    _watch(Path(_NOTES))
