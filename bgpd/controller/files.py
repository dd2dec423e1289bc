"""Writes decisions into the files of a directory that stands in for the API.

A file is replaced whole, by a name that nobody reads until it is complete. Only one controller
writes in a directory: it holds a lock of the kernel's, which ends with its process.
"""

import asyncio
import fcntl
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.manifest import Edit, ManifestError, edited
from bgpd.controller.patch import condition_of, ingress_of, notes_of
from bgpd.controller.written import End
from bgpd.kube.documents import Key
from bgpd.kube.file import BusyError, read_whole
from bgpd.kube.request import OUTSIDE_POOLS
from bgpd.model.status import Condition

LOCK: Final = ".bgpd-controller.lock"
_AT_ONCE: Final = 1_000
"""Services that are written in one go: each file is written once for all of them."""


class Files:
    """The desk of a directory (`bgpd.controller.term.Desk`)."""

    def __init__(
        self,
        directory: Path,
        books: Books,
        sources: Callable[[], Mapping[Key, str]],
        *,
        on_change: Callable[[], None],
        writes: Counter[str] | None = None,
    ) -> None:
        """Write what *books* wants into the files that *sources* names; count *writes*."""
        self._writes = Counter() if writes is None else writes
        self._directory = directory
        self._books = books
        self._sources = sources
        self._on_change = on_change
        self._some = asyncio.Event()
        self._failed: dict[str, str] = {}

    def wake(self) -> None:
        """Note that there may be something to write."""
        self._some.set()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should correct."""
        return tuple(
            Condition(
                type="StatusNotWritten",
                status=True,
                reason="WriteFailed",
                message=f"{self._directory / name}: {why}; it is tried again",
            )
            for name, why in sorted(self._failed.items())
        )

    async def drain(self, seconds: float) -> None:
        """Nothing to wait for: a file is replaced at one instant."""
        del seconds

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            some = self._take()
            if not some:
                self._some.clear()
                await self._some.wait()
                continue
            sources = self._sources()
            files: dict[str, list[Decision]] = {}
            for one in some:
                key = Key("Service", one.request.namespace, one.request.name)
                files.setdefault(sources.get(key, ""), []).append(one)
            for name, decisions in files.items():
                await self._write(name, decisions)

    def _take(self) -> list[Decision]:
        found: list[Decision] = []
        while len(found) < _AT_ONCE and (one := self._books.next_write()) is not None:
            found.append(one)
        return found

    async def _write(self, name: str, decisions: Sequence[Decision]) -> None:
        edits = {(one.request.namespace, one.request.name): _edit(one) for one in decisions}
        end = End.FAILED
        try:
            if name:
                await asyncio.to_thread(_replace, self._directory / name, edits)
            end = End.WRITTEN if name else End.GONE
            self._failed.pop(name, None)
        except BusyError:
            # Its writer will be done soon, and then it is read again.
            self._failed.pop(name, None)
        except (OSError, ManifestError) as error:
            why = getattr(error, "strerror", None) or str(error)
            if self._failed.get(name) != why:
                self._failed[name] = why
                self._on_change()
        now = asyncio.get_running_loop().time()
        chance = random.random()  # noqa: S311 - it spreads attempts
        self._writes["written" if end is End.WRITTEN else "failed"] += len(decisions)
        for one in decisions:
            self._books.ended(one, end, now, chance=chance)


def lock(directory: Path) -> int | None:
    """Return a descriptor that holds the lock of *directory*, or None while another one does."""
    number = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except BaseException:
        os.close(number)
        raise
    return number


def _edit(decision: Decision) -> Edit:
    return Edit(
        ingress=ingress_of(decision),
        notes=notes_of(decision),
        condition=condition_of(decision, time.time()),
        condition_type=OUTSIDE_POOLS,
    )


def _replace(path: Path, edits: Mapping[tuple[str, str], Edit]) -> None:
    """Replace the file at once; raise `BusyError` where somebody else is about to."""
    real = path.resolve()
    before = real.stat()
    text = read_whole(real)
    new = edited(text, edits, as_json=real.suffix == ".json")
    if new == text:
        return
    beside = real.with_name(f".{real.name}.bgpd")
    # What a crash left is not ours to write into: it may be a link by now.
    beside.unlink(missing_ok=True)
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            _leave_to_its_owner(number, before)
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        after = real.stat()
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            raise BusyError(str(real))
        beside.rename(real)
    finally:
        beside.unlink(missing_ok=True)


def _leave_to_its_owner(number: int, before: os.stat_result) -> None:
    """Give the new file the owner and the rights of the one *before*, as far as we may."""
    with suppress(PermissionError):
        os.fchown(number, before.st_uid, before.st_gid)
    # After the owner, whose change takes rights away; and whatever our umask is.
    os.fchmod(number, before.st_mode & 0o777)
