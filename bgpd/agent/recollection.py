"""What an earlier agent accepted, for the start; and what we accept, for the next one.

The memory is a file, the keeping says when it is behind, the disk is a thread that writes it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from bgpd.agent.boot import BootMemory, Health, Recalled, boot_id
from bgpd.agent.keeping import Keeping
from bgpd.agent.memory import Memory, Snapshot
from bgpd.disk import Write, Writer
from bgpd.model.status import Condition
from bgpd.telemetry import logs

_LAST_WRITE_SECONDS: Final = 2.0
"""How long leaving waits for the disk."""


class Recollection:
    """What is on the disk, kept up to date; without a memory nothing is."""

    def __init__(
        self,
        log: logging.Logger,
        directory: Path | None,
        *,
        origin: str,
        written: Callable[[], None],
    ) -> None:
        """Keep what comes from *origin* in *directory*; call *written* in the loop after writes."""
        self._log = log
        self._after = written
        self._keeping = Keeping()
        self._disk = Writer(self._written)
        self._memory = None
        if directory is not None:
            self._memory = Memory(directory, origin=origin, submit=self._submit)
        self._boot = BootMemory(directory, origin=origin, boot=boot_id(), submit=self._disk.submit)

    @property
    def behind(self) -> bool:
        """Whether something is not on the disk, and no write of it has begun."""
        return self._keeping.behind

    def recall(self) -> Snapshot:
        """Return what the disk remembers, nothing at worst."""
        found = self._memory.recall() if self._memory is not None else None
        self._note_problems()
        return found or Snapshot()

    @property
    def boot(self) -> str:
        """The kernel's ID of this boot."""
        return self._boot.boot

    def recall_health(self, *, known: bool) -> Recalled:
        """Return what of the node's health holds; *known*: an agent was here before."""
        found = self._boot.recall(known=known)
        self._note_problems()
        return found

    def changed(self) -> None:
        """Note that what is on the disk is old."""
        self._keeping.changed(asyncio.get_running_loop().time())

    def due(self) -> bool:
        """Return whether `remember` should follow now; the write then counts as begun."""
        return self._keeping.due(asyncio.get_running_loop().time())

    def remember(self, snapshot: Snapshot | None) -> None:
        """Have *snapshot* written; None where nothing is clear enough to be remembered."""
        if self._memory is not None and snapshot is not None:
            self._memory.remember(snapshot)
        else:
            self._ended("")

    def remember_health(self, health: Health) -> None:
        """Have *health* written, if it is something new."""
        self._boot.remember(health)

    def submit(self, write: Write) -> None:
        """Have *write* carried out by the same thread."""
        self._disk.submit(write)

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        if self._memory is not None:
            yield from self._memory.conditions()

    async def close(self) -> None:
        """Wait for the disk, but not for ever."""
        if not await self._disk.close(_LAST_WRITE_SECONDS):
            logs.write(self._log, "error", "state_not_written", [("reason", "the disk hangs")])

    def _submit(self, write: Write) -> None:
        def done(error: str) -> None:
            write.done(error)
            self._ended(error)

        self._disk.submit(replace(write, done=done))

    def _ended(self, error: str) -> None:
        self._keeping.done(asyncio.get_running_loop().time(), failed=bool(error))

    def _written(self) -> None:
        self._note_problems()
        self._after()

    def _note_problems(self) -> None:
        problems = [] if self._memory is None else self._memory.problems
        for one in (problems, self._boot.problems):
            self._log_all(one)

    def _log_all(self, problems: list[str]) -> None:
        while problems:
            problem = problems.pop()
            logs.write(self._log, "warning", "state", [("problem", problem)])
