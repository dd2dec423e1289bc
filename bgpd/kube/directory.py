"""A directory of documents that stands in for the Kubernetes API, watched.

Files are believed when their writer closes them or moves them into place, never while somebody
still writes. A file that vanished is believed after it is still gone 100 ms later, because editors
rename a file away and create it anew. A directory that vanished changes nothing: what was in force
stays, a condition says so, and when the directory is back it is read again.

A mounted ConfigMap works as it is: its files are links into a directory behind the link `..data`,
and the kubelet publishes new content by moving a new `..data` into place. The target of any other
link is read when the link is put in place; it is not watched.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from asyncinotify import Event, Inotify, Mask, Watch

from bgpd.kube.documents import Documents, Key, Object, read
from bgpd.kube.file import BusyError, read_whole
from bgpd.kube.problem import Problem
from bgpd.kube.store import Changes, Store, union
from bgpd.kube.view import Objects, View
from bgpd.kube.vocabulary import AGENT, Vocabulary
from bgpd.model.errors import ConfigError
from bgpd.model.status import Condition

GONE_AFTER: Final = 0.1
"""Seconds after which a file that vanished is believed to be gone."""
SETTLE: Final = 2.0
"""The same for a directory that was replaced: somebody may still be filling the new one."""
IDLE_LOOK: Final = 1.0
"""Seconds between looks at the directory itself: the kernel tells of it, but not of its path."""
LOOK_EVERY: Final = 0.25
"""The same while there is none, and most between looks at a busy file."""
FIRST_RETRY: Final = 0.001
"""Seconds to the first new look at a busy file: the event of a close comes just before its end."""
PATIENCE: Final = 0.01
"""Seconds of reading after which other tasks have a turn."""
SUFFIXES: Final = (".yaml", ".yml", ".json")

_DATA: Final = "..data"
_EVENTS: Final = 256
"""Events taken at once from the kernel."""
_WATCHED: Final = (
    Mask.CLOSE_WRITE
    | Mask.MOVED_TO
    | Mask.MOVED_FROM
    | Mask.CREATE
    | Mask.DELETE
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
)
_LOST: Final = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT | Mask.IGNORED
_WRITTEN: Final = Mask.CLOSE_WRITE | Mask.MOVED_TO
_TAKEN: Final = Mask.DELETE | Mask.MOVED_FROM


@dataclass(slots=True)
class _Due:
    """What has to be looked at, and when (the loop's clock)."""

    gone: dict[str, float] = field(default_factory=dict)
    """Files that vanished: when to believe it."""
    busy: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Files that somebody writes: when to look again, and the pause after that."""
    look: float = 0.0
    """When to look at the directory itself."""

    def next(self) -> float:
        """Return when the next of them is due."""
        return min((self.look, *self.gone.values(), *(at for at, _ in self.busy.values())))


class DirectorySource:
    """The documents of one directory, and every change of them.

    The constructor raises `ConfigError` when the directory cannot be read: at a start that is a
    person's to correct. Later it is a condition.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        remembered: Mapping[str, Mapping[Key, Object]] | None = None,
        vocabulary: Vocabulary = AGENT,
        option: str = "--source directory:PATH",
    ) -> None:
        """Read *path*; *remembered* holds what each file said when it was good, if known.

        *option* is how a person names another one.
        """
        self.path = Path(path)
        self.synced = False
        """Whether every file was read once: before that there is nothing to decide on."""
        self.read_at: float | None = None
        """When we heard last that a file changed."""
        self._store = Store()
        self._vocabulary = vocabulary
        self._trouble: Condition | None = None
        self._due = _Due()
        self._watched: Watch | None = None
        for name, objects in (remembered or {}).items():
            self._store.apply(name, Documents(objects=objects))
        try:
            self._identity: tuple[int, int] | None = _identity(self.path)
            self._names()
        except OSError as error:
            raise ConfigError(
                f"directory {self.path} cannot be read: {error.strerror}; create it, or name "
                f"another one with {option}"
            ) from None

    @property
    def objects(self) -> Objects:
        """The objects in force."""
        return self._store.objects

    @property
    def view(self) -> View:
        """The same, for who sums them up with what others say."""
        return self._store.view

    @property
    def sources(self) -> dict[Key, str]:
        """The file that each object in force comes from."""
        return self._store.sources

    @property
    def files(self) -> Mapping[Key, str]:
        """The files beside an API: these are beside none."""
        return {}

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version, because the newest cannot be used."""
        return self._store.outdated

    @property
    def access(self) -> None:
        """Nothing is written into a directory."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the documents."""
        return self._store.problems

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should correct, in a stable order."""
        busy = (
            _condition("FileBusy", f"{self.path / name} is being written; waiting for its end")
            for name, (_, pause) in sorted(self._due.busy.items())
            if pause >= LOOK_EVERY
        )
        trouble = (self._trouble,) if self._trouble else ()
        return (*trouble, *busy, *self._store.conditions)

    @property
    def missing(self) -> frozenset[str]:
        """The kinds that are not installed: none, in a directory."""
        return frozenset()

    @property
    def newest(self) -> dict[str, int]:
        """The newest version seen of each kind: files have none."""
        return {}

    @property
    def errors(self) -> dict[str, int]:
        """None: files that cannot be read have conditions."""
        return {}

    def silence(self, now: float) -> None:
        """Files do not speak by themselves."""

    def accept(self) -> None:
        """Believe what is doubted: a directory is never doubted."""

    async def run(self, on_change: Callable[[Changes], None]) -> None:
        """Follow the directory until cancelled; call *on_change* when synced and after changes."""
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        try:
            # A timeout of 0, because its NONBLOCK flag is in truth O_CLOEXEC (asyncinotify 4.4).
            inotify = Inotify(cache_size=_EVENTS, sync_timeout=0)
        except OSError as error:
            raise ConfigError(
                f"cannot watch {self.path}: {error.strerror}; raise fs.inotify.max_user_instances"
            ) from None
        with inotify:
            loop.add_reader(inotify.fd, wake.set)
            try:
                await self._follow(inotify, wake, on_change)
            finally:
                loop.remove_reader(inotify.fd)

    async def _follow(
        self, inotify: Inotify, wake: asyncio.Event, on_change: Callable[[Changes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        # The watch comes first: what is written during the scan is read again.
        self._watch(inotify)
        pending = await self._read(self._rescan(loop.time()), [])
        while True:
            if not self.synced and not self._due.busy and not self._due.gone:
                self.synced = True
                on_change(pending)
                pending = Changes()
            elif self.synced and pending:
                on_change(pending)
                pending = Changes()
            await _until(wake, self._due.next())
            wake.clear()
            self.read_at = loop.time()
            trouble = self._trouble
            names = self._notice(_drain(inotify), inotify, loop.time())
            gone = self._gone(names, loop.time())
            changes = await self._read(names, gone)
            pending = union((pending, changes, Changes(conditions=trouble != self._trouble)))

    def _watch(self, inotify: Inotify) -> None:
        if self._watched is not None:
            # A directory that was moved aside would go on to report its files as ours.
            with suppress(OSError):
                inotify.rm_watch(self._watched)
        try:
            self._watched = inotify.add_watch(self.path, _WATCHED)
        except OSError as error:
            raise ConfigError(
                f"cannot watch {self.path}: {error.strerror}; if there is no space left, raise "
                "fs.inotify.max_user_watches"
            ) from None

    def _names(self) -> set[str]:
        return {entry.name for entry in self.path.iterdir() if _wanted(entry.name)}

    def _scan(self, now: float, patience: float = GONE_AFTER) -> set[str]:
        """Return every file of the directory; note those that are not there any more."""
        names = self._names()
        for name in self._store.files - names:
            self._due.gone[name] = max(now + patience, self._due.gone.get(name, 0.0))
        return names

    def _notice(self, events: Iterable[Event], inotify: Inotify, now: float) -> set[str]:
        """Return the files to read because of *events* and of what is due at *now*."""
        names: set[str] = set()
        for event in events:
            name = str(event.name or "")
            if event.mask & _LOST:
                self._due.look = now
            if event.mask & Mask.Q_OVERFLOW or (name == _DATA and event.mask & ~_TAKEN):
                names |= self._rescan(now)
            elif _wanted(name):
                names |= self._notice_file(name, event.mask, now)
        if self._due.look <= now:
            names |= self._look(inotify, now)
        names |= {name for name, (at, _) in self._due.busy.items() if at <= now}
        return names

    def _notice_file(self, name: str, mask: Mask, now: float) -> set[str]:
        if mask & _TAKEN:
            self._due.gone.setdefault(name, now + GONE_AFTER)
        # A new link is complete at once; a new file is complete when its writer closes it.
        elif mask & _WRITTEN or (self.path / name).is_symlink():
            return {name}
        return set()

    def _rescan(self, now: float) -> set[str]:
        try:
            return self._scan(now)
        except OSError:
            self._due.look = now
            return set()

    def _look(self, inotify: Inotify, now: float) -> set[str]:
        """Look whether the directory is still the one that is watched; return files to read."""
        self._due.look = now + LOOK_EVERY
        try:
            identity = _identity(self.path)
            if identity == self._identity and self._trouble is None:
                self._due.look = now + IDLE_LOOK
                return set()
            self._watch(inotify)
            names = self._scan(now, SETTLE)
        except OSError as error:
            self._identity = None
            self._trouble = self._unreadable(str(error.strerror))
            return set()
        except ConfigError as error:
            self._trouble = _condition("DirectoryUnwatched", str(error))
            return set()
        self._identity = identity
        self._trouble = None
        if not names and self._store.files:
            message = (
                f"directory {self.path} was replaced by one without documents; what was in force "
                "stays until there are some"
            )
            self._trouble = _condition("DirectoryEmpty", message)
        return names

    def _unreadable(self, why: str) -> Condition:
        return _condition(
            "DirectoryUnreadable",
            f"directory {self.path} cannot be read: {why}; what was in force stays",
        )

    def _gone(self, reread: set[str], now: float) -> list[str]:
        """Return the files that are really gone; add to *reread* those that came back."""
        gone: list[str] = []
        if self._trouble is not None:
            return gone
        for name in [name for name, at in self._due.gone.items() if at <= now]:
            del self._due.gone[name]
            if (self.path / name).exists():
                reread.add(name)
            elif name not in reread:
                self._due.busy.pop(name, None)
                gone.append(name)
        return gone

    async def _read(self, names: set[str], gone: Iterable[str]) -> Changes:
        """Read *names*, then apply them and forget *gone* at one instant.

        Other tasks have their turns while files are read, and never see half of what changed.
        """
        loop = asyncio.get_running_loop()
        found: list[tuple[str, Documents]] = []
        since = loop.time()
        for name in sorted(names):
            documents = self._load(name, loop.time())
            if documents is not None:
                found.append((name, documents))
            if loop.time() - since > PATIENCE:
                await asyncio.sleep(0)
                since = loop.time()
        return union(
            (
                *(self._store.apply(name, documents) for name, documents in found),
                *(self._store.remove(name) for name in gone),
            )
        )

    def _load(self, name: str, now: float) -> Documents | None:
        """Return what the file says, or None when it is not the time to believe it."""
        _, pause = self._due.busy.pop(name, (0.0, FIRST_RETRY))
        try:
            text = read_whole(self.path / name)
        except BusyError:
            self._due.busy[name] = (now + pause, min(2 * pause, LOOK_EVERY))
            return None
        except FileNotFoundError:
            self._due.gone.setdefault(name, now + GONE_AFTER)
            return None
        except OSError as error:
            message = f"{name}: cannot be read: {error.strerror}"
            return Documents(problems=(Problem(source=name, message=message),), incomplete=True)
        self._due.gone.pop(name, None)
        return read(name, text, self._vocabulary)


def _wanted(name: str) -> bool:
    # A name that is not text could not be told to anybody, on no screen and in no message.
    return name.endswith(SUFFIXES) and not name.startswith((".", "#")) and name.isprintable()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _condition(reason: str, message: str) -> Condition:
    return Condition(type="SourceDegraded", status=True, reason=reason, message=message)


def _drain(inotify: Inotify) -> Iterator[Event]:
    """Yield every event that has arrived."""
    try:
        while (event := inotify.sync_get()) is not None:
            yield event
    except BlockingIOError:
        return


async def _until(wake: asyncio.Event, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await wake.wait()
    except TimeoutError:
        return
