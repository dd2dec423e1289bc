"""What the speaker remembers on disk, so that it can start without the agent or the mesh.

Two files, because they change at different rates: `desired.json` holds the agent's whole state,
`mesh.json` the generation and what else the mesh wants kept. Both are replaced by rename, so a
reader never sees half of one; one that cannot be read counts as absent, with a sentence.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from bgpd.ipc.message import Desired
from bgpd.model.status import Condition
from bgpd.model.timeline import Failover
from bgpd.policy.lever import MAX_GENERATION

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class KeptMesh(msgspec.Struct, frozen=True, kw_only=True):
    """The part of `Mesh.persistent` that a start needs; the member list comes with `Desired`."""

    generation: Annotated[int, msgspec.Meta(ge=1, le=MAX_GENERATION)] = 1
    resets: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0


class _SavedDesired(msgspec.Struct, frozen=True, kw_only=True):
    boot_id: str
    desired: Desired


class State:
    """The directory that outlives the process; *problems* collects what the log should say."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.problems: list[str] = []
        self._unwritten: dict[Path, str] = {}

    def load_desired(self) -> Desired | None:
        """Return the last desired state.

        After a reboot its routes are left out: nothing that ran then runs now, so only the
        agent can say what this node can serve.
        """
        saved: _SavedDesired | None = self._load("desired.json", _SavedDesired)
        if saved is None:
            return None
        if saved.boot_id != _boot_id():
            return msgspec.structs.replace(saved.desired, advertisements=())
        return saved.desired

    def save_desired(self, desired: Desired) -> None:
        """Remember *desired*, which holds MD5 keys: only our own user may read it."""
        self._save("desired.json", _SavedDesired(boot_id=_boot_id(), desired=desired))

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
        self._save("mesh.json", kept)

    def load_timeline(self) -> tuple[Failover, ...]:
        """Return the failovers of earlier runs."""
        return self._load("timeline.json", tuple[Failover, ...]) or ()

    def save_timeline(self, failovers: tuple[Failover, ...]) -> None:
        """Remember *failovers*."""
        self._save("timeline.json", failovers)

    def write_configuration(self, name: str, text: str) -> str:
        """Replace ExaBGP's configuration, which holds MD5 keys; return why that failed, or ""."""
        path = self._directory / name
        self._replace(path, text.encode())
        error = self._unwritten.get(path)
        return f"{path}: not written: {error}" if error else ""

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

    def _save(self, name: str, value: Any) -> None:
        self._replace(self._directory / name, msgspec.json.encode(value))

    def _replace(self, path: Path, content: bytes) -> None:
        beside = path.with_suffix(path.suffix + ".new")
        try:
            number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(content)
            beside.rename(path)
        except OSError as error:
            reason = error.strerror or str(error)
            if self._unwritten.get(path) != reason:
                self._unwritten[path] = reason
                self.problems.append(f"{path}: not written: {reason}")
        else:
            self._unwritten.pop(path, None)


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
