"""The default routes of this host, and what they were before we changed them.

What is replaced is on the disk before it is replaced, so that a run that was killed can be undone
by the next. A boot forgets all routes: what was remembered in an earlier one is nothing.
"""

import errno
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from bgpd.host import defaultroute, rtnetlink, wire
from bgpd.host.defaultroute import PROTOCOL, DefaultRoute, Key
from bgpd.host.egressplan import Memory, Plan, Way, plan
from bgpd.host.inventory import address_question, decode_interface, interface_index
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

    @property
    def interfaces(self) -> frozenset[int]:
        """The interfaces on which it depends what can be there now."""
        return frozenset(interface for _, interface in self._memory.ways)

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
        dark: set[Way] = set()
        refused: tuple[str, ...] = ()
        with Asking(socket.NETLINK_ROUTE) as asking:
            for _ in range(_ROUNDS):
                present = list(_present(asking))
                if down or self.remembered:
                    dark = set(_dark(asking, [*present, *self.originals], self._memory.ways))
                planned = plan(present, self._memory, down, dark)
                reports = (*reports, *planned.reports)
                self._memory = planned.memory
                self._write(planned.memory.originals)
                todo = (*planned.replace, *planned.add)
                if not todo or refused or not self._is_written(planned.memory.originals):
                    break
                refused = tuple(_put(asking, planned))
        return Outcome(
            moved=planned.moved,
            problems=(*planned.left_alone, *refused, *self._troubles()),
            reports=reports,
            # Of an original that cannot be there whole, the rest is waited for.
            unfinished=bool(planned.replace or planned.add or self._memory.ways & dark),
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


def _put(asking: Asking, planned: Plan) -> Iterator[str]:
    """Do what is *planned*; yield why a route cannot be there, which keeps back no other."""
    for route in (*planned.replace, *planned.add):
        flags = wire.REPLACE if route in planned.replace else wire.CREATE | wire.EXCL
        try:
            asking.one(rtnetlink.NEWROUTE, defaultroute.encode(route), flags | wire.ACK)
        except OSError as error:
            yield f"the kernel refuses {route}: {because(error)}"


def _dark(
    asking: Asking, routes: Iterable[DefaultRoute], others: AbstractSet[Way]
) -> Iterator[Way]:
    """Yield the ways of *routes* and *others* by which no route can leave now."""
    hops = [(one.family, hop) for one in routes for hop in one.hops]
    # What needs no address of its interface goes on without one.
    free = {
        hop.interface
        for family, hop in hops
        if hop.onlink or hop.gateway is None or wire.family(hop.gateway) != family
    }
    ways = others | {(family, hop.interface) for family, hop in hops}
    down = set(_down(asking, {interface for _, interface in ways}))
    for family, interface in ways:
        lacks = family == wire.AF_INET and interface not in free
        if interface in down or (lacks and not _is_numbered(asking, interface)):
            yield family, interface


def _down(asking: Asking, interfaces: Iterable[int]) -> Iterator[int]:
    """Yield those of *interfaces* that are set down or gone."""
    for index in interfaces:
        try:
            answer = asking.one(rtnetlink.GETLINK, rtnetlink.link_question(index))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            yield index
        else:
            if not decode_interface(answer).up:
                yield index


def _is_numbered(asking: Asking, interface: int) -> bool:
    """Return whether *interface* has an IPv4 address: without one the kernel keeps no route there.

    Of this interface alone: with IPVS another one may have ten thousand, that come and go.
    """
    question = address_question(wire.AF_INET, interface)
    found = list(asking.every(rtnetlink.GETADDR, question))
    return any(interface_index(message.body) == interface for message in found)


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
