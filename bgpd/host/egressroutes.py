"""The default routes of this host, and what they were before we changed them.

What is replaced is on the disk before it is replaced, so that a run that was killed can be undone
by the next. A boot forgets all routes: what was remembered in an earlier one is nothing.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from bgpd.host import defaultroute, rtnetlink, wire
from bgpd.host.defaultroute import PROTOCOL, DefaultRoute, Key
from bgpd.host.egressplan import Memory, Plan, plan
from bgpd.host.netlink import NO_TABLE, Asking, because
from bgpd.model.errors import BgpdError
from bgpd.model.prefix import Address

FILE_NAME: Final = "egress.json"
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_ROUNDS: Final = 3
"""Plan, do, look; the last look must find nothing to do."""
_FAMILIES: Final = (wire.AF_INET, wire.AF_INET6)


Replace: TypeAlias = Callable[[Path, bytes], str]
"""Replaces a file whole, on the disk when it returns; "" or why that did not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it stands with the default routes, in sentences."""

    moved: tuple[str, ...] = ()
    """Which route is replaced by which."""
    problems: tuple[str, ...] = ()
    """Why a route is left alone, and what could not be done."""
    reports: tuple[str, ...] = ()
    """What somebody else did to a route of ours; each is said once."""
    unfinished: bool = False
    """Whether something could not be done and may work later."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    boot: str
    originals: tuple[DefaultRoute, ...] = ()


class Routes:
    """The default routes and the file beside them; every call blocks, one at a time."""

    def __init__(self, directory: Path, write: Replace) -> None:
        self._path = directory / FILE_NAME
        self._replace_file = write
        self._lock = threading.Lock()
        self._boot = _boot()
        self._trouble = ""
        self._written = self._read()
        self._memory = Memory(originals=self._written)

    @property
    def remembered(self) -> bool:
        """Whether there is something to be put back."""
        return bool(self._memory.originals)

    @property
    def originals(self) -> tuple[DefaultRoute, ...]:
        """What is to be put back, as it was."""
        return tuple(self._memory.originals.values())

    def settle(self, down: frozenset[Address]) -> Outcome:
        """Have no default route lead to *down* where it can be helped."""
        with self._lock:
            try:
                return self._settle(down)
            except (BgpdError, OSError) as error:
                sentence = f"the default routes cannot be changed: {because(error)}"
                return Outcome(problems=(sentence, *self._troubles()), unfinished=True)

    def _settle(self, down: frozenset[Address]) -> Outcome:
        planned = Plan()
        reports: tuple[str, ...] = ()
        with Asking(socket.NETLINK_ROUTE) as asking:
            for _ in range(_ROUNDS):
                planned = plan(_present(asking), self._memory, down)
                reports = (*reports, *planned.reports)
                self._memory = planned.memory
                self._write(planned.memory.originals)
                if not planned.replace or not self._is_written(planned.memory.originals):
                    break
                for route in planned.replace:
                    flags = wire.REPLACE | wire.ACK
                    asking.one(rtnetlink.NEWROUTE, defaultroute.encode(route), flags)
        return Outcome(
            moved=planned.moved,
            problems=(*planned.left_alone, *self._troubles()),
            reports=reports,
            unfinished=bool(planned.replace),
        )

    def _is_written(self, originals: Mapping[Key, DefaultRoute]) -> bool:
        return all(self._written.get(key) == one for key, one in originals.items())

    def _troubles(self) -> tuple[str, ...]:
        return (self._trouble,) if self._trouble else ()

    def _write(self, originals: Mapping[Key, DefaultRoute]) -> None:
        if originals == self._written:
            return
        if not originals:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._written = {}
            return
        kept = msgspec.json.encode(_File(boot=self._boot, originals=tuple(originals.values())))
        error = self._replace_file(self._path, kept)
        self._trouble = ""
        if error:
            self._trouble = (
                f"{self._path}: not written: {error}; no default route is changed until the"
                " directory is writable, with room"
            )
        else:
            self._written = dict(originals)

    def _read(self) -> dict[Key, DefaultRoute]:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self._trouble = (
                f"{self._path}: ignored: {error}; routes of proto {PROTOCOL} that are still there"
                " were ours"
            )
            return {}
        return {one.key: one for one in file.originals} if file.boot == self._boot else {}


def _present(asking: Asking) -> Iterator[DefaultRoute]:
    for family in _FAMILIES:
        try:
            rows = list(asking.every(rtnetlink.GETROUTE, defaultroute.dump_question(family)))
        except OSError as error:
            if error.errno not in NO_TABLE:
                raise
            continue
        for message in rows:
            route = defaultroute.decode(message.body)
            if route is not None:
                yield route


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
