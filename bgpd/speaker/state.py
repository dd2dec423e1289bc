"""What the speaker remembers on disk, so that it can start without the agent or the mesh.

Two files, because they change at different rates: `desired.json` holds the agent's whole state,
`mesh.json` the generation and what else the mesh wants kept. Both are replaced by rename, so a
reader never sees half of one; one that cannot be read counts as absent, with a sentence. Writing
is handed over (`bgpd.disk`): a heartbeat must not wait for a disk.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from bgpd.bfd.memory import Memory
from bgpd.disk import Write, at_once
from bgpd.ipc.message import Desired, Standing
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address
from bgpd.model.route import Advertisement
from bgpd.model.status import Condition
from bgpd.model.timeline import Failover
from bgpd.policy.lever import MAX_GENERATION
from bgpd.speaker.probed import Probed
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.starts import Starts, started

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class KeptMesh(msgspec.Struct, frozen=True, kw_only=True):
    """What `Mesh.persistent` wrote; the list of members is in `desired.json`."""

    generation: Annotated[int, msgspec.Meta(ge=1, le=MAX_GENERATION)] = 1
    resets: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0


class _KeptDrain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    request: DrainRequest | None = None


class _KeptBFD(msgspec.Struct, frozen=True, kw_only=True):
    boot_id: str
    exabgp: int
    """The pid of the ExaBGP whose sessions these watch."""
    sessions: dict[Address, Memory]


_PIECE: Final = 500
"""Routes that are encoded in one go: the loop has its turn after each piece."""


class _SavedDesired(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    boot_id: str
    desired: Desired
    advertisements: tuple[Advertisement, ...] = ()
    """Last, so that it can be written in pieces; earlier versions have it in `desired`."""


class State:
    """The directory that outlives the process; *problems* collects what the log should say."""

    def __init__(self, directory: Path, submit: Callable[[Write], None] = at_once) -> None:
        """Remember things in *directory*; *submit* takes what is to be written."""
        self.counters: Counter[str] = Counter()
        self.problems: list[str] = []
        self._directory = directory
        self._submit = submit
        self._unwritten: dict[Path, str] = {}

    def load_desired(self) -> Desired | None:
        """Return the last desired state.

        After a reboot its routes are left out: nothing that ran then runs now, so only the
        agent can say what this node can serve, and how the node is.
        """
        saved: _SavedDesired | None = self._load("desired.json", _SavedDesired)
        if saved is None:
            return None
        if (saved.desired.boot or saved.boot_id) != boot_id():
            # Until one has spoken, nobody may leave anything to us.
            nothing = Standing(partial=True)
            return msgspec.structs.replace(saved.desired, advertisements=(), standing=nothing)
        routes = (*saved.desired.advertisements, *saved.advertisements)
        return msgspec.structs.replace(saved.desired, advertisements=routes)

    def save_desired(self, desired: Desired) -> None:
        """Remember *desired*, which holds MD5 keys: only our own user may read it."""
        self._write("desired.json", lambda: _pieces(boot_id(), desired))

    def load_drain(self) -> DrainRequest | None:
        """Return what a person asked for; of what was for another boot, what holds after it."""
        kept: _KeptDrain | None = self._load("drain.json", _KeptDrain)
        request = None if kept is None else kept.request
        over = request is not None and request.boot not in {"", boot_id()}
        return request.then if request is not None and over else request

    def save_drain(self, request: DrainRequest | None) -> None:
        """Remember *request*, or that nobody asks for anything."""
        if request is not None and request.boot:
            request = msgspec.structs.replace(request, boot=boot_id())
        self._write("drain.json", lambda: (msgspec.json.encode(_KeptDrain(request=request)),))

    def load_bfd(self) -> dict[Address, Memory]:
        """Return how BFD goes on; nothing unless the ExaBGP that it serves is still the same."""
        kept: _KeptBFD | None = self._load("bfd.json", _KeptBFD)
        if kept is None or (kept.boot_id, kept.exabgp) != (boot_id(), os.getppid()):
            return {}
        return kept.sessions

    def save_bfd(self, sessions: dict[Address, Memory], exabgp: int) -> None:
        """Remember *sessions*, which serve the process *exabgp*."""
        kept = _KeptBFD(boot_id=boot_id(), exabgp=exabgp, sessions=sessions)
        self._write("bfd.json", lambda: (msgspec.json.encode(kept),))

    def load_mesh(self) -> KeptMesh:
        """Return what the mesh wanted kept, or how a cluster begins."""
        return self._load("mesh.json", KeptMesh) or KeptMesh()

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know: what is not written is forgotten at the next start."""
        for path, error in sorted(self._unwritten.items()):
            yield Condition(
                type="StateNotWritten",
                status=True,
                reason="WriteFailed",
                message=f"{path}: not written: {error}; make the directory writable, with room",
            )

    def save_mesh(self, kept: dict[str, Any]) -> None:
        """Remember what the mesh wants kept."""
        self._write("mesh.json", lambda: (msgspec.json.encode(kept),))

    def load_timeline(self) -> tuple[Failover, ...]:
        """Return the failovers of earlier runs."""
        return self._load("timeline.json", tuple[Failover, ...]) or ()

    def load_probed(self) -> dict[PeerName, Probed]:
        """Return which levers were found to move which peers."""
        return self._load("probed.json", dict[PeerName, Probed]) or {}

    def save_probed(self, probed: Mapping[PeerName, Probed]) -> None:
        """Remember *probed*."""
        self._write("probed.json", lambda: (msgspec.json.encode(probed),))

    def count_start(self, exabgp: str) -> Starts:
        """Remember that we were started by *exabgp*, and return how often that has happened."""
        kept: Starts | None = self._load("starts.json", Starts)
        now = started(kept, exabgp=exabgp)
        self._write("starts.json", lambda: (msgspec.json.encode(now),))
        return now

    def save_timeline(self, failovers: tuple[Failover, ...]) -> None:
        """Remember *failovers*."""
        self._write("timeline.json", lambda: (msgspec.json.encode(failovers),))

    def write_configuration(self, name: str, text: str, done: Callable[[str], None]) -> None:
        """Replace ExaBGP's configuration, which holds MD5 keys.

        *done* is called when it is on the disk, or with a sentence when it is not; not at all
        when a newer text overtakes it.
        """

        def written(error: str) -> None:
            done(f"{self._directory / name}: not written: {error}" if error else "")

        self._write(name, lambda: (text.encode(),), written)

    def read_configuration(self, name: str) -> str:
        """Return ExaBGP's configuration as it is, "" when it cannot be read."""
        try:
            return (self._directory / name).read_text()
        except (OSError, UnicodeDecodeError):
            return ""

    def _load(self, name: str, kind: Any) -> Any:
        path = self._directory / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            # msgspec's errors are ValueErrors; a deep enough nest of brackets is none of them.
            self.problems.append(f"{path}: ignored: {error}")
            return None

    def _write(
        self,
        name: str,
        content: Callable[[], Iterable[bytes]],
        then: Callable[[str], None] = lambda _: None,
    ) -> None:
        path = self._directory / name

        def done(error: str) -> None:
            self._note(path, error)
            then(error)

        self._submit(Write(path=path, content=content, done=done))

    def _note(self, path: Path, error: str) -> None:
        self.counters["state_writes"] += 1
        if not error:
            self._unwritten.pop(path, None)
            return
        self.counters["state_writes_failed"] += 1
        if self._unwritten.get(path) != error:
            self._unwritten[path] = error
            self.problems.append(f"{path}: not written: {error}")


def _pieces(boot_id: str, desired: Desired) -> Iterator[bytes]:
    """Yield a `_SavedDesired` in pieces, so that the loop never waits long for its turn."""
    routes = desired.advertisements
    rest = msgspec.structs.replace(desired, advertisements=())
    yield msgspec.json.encode(_SavedDesired(boot_id=boot_id, desired=rest))[:-1]
    yield b',"advertisements":['
    for number in range(0, len(routes), _PIECE):
        piece = msgspec.json.encode(routes[number : number + _PIECE])[1:-1]
        yield b"," + piece if number else piece
    yield b"]}"


def boot_id() -> str:
    """Return the kernel's boot ID; empty where it cannot be read."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
