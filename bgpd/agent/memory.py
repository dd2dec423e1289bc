"""The last accepted objects on disk, for a start whose source is unreadable, invalid or away.

Whatever the source is, it hands over what is in force now (`remember`) and gets it back at the
next start (`recall`). Only what was accepted is here, so a mistake that a person makes while the
agent is down costs the object that it is in, and nothing else. One file, replaced whole; an object
that a later version cannot read any more is left out, the others are not.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from bgpd.agent.keptcheck import KeptCheck, kept_check
from bgpd.disk import Write, at_once
from bgpd.kube.documents import Key, Object
from bgpd.kube.view import Objects, View
from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    L2Advertisement,
    NodePolicy,
    Secret,
)
from bgpd.model.health import HealthCheck
from bgpd.model.status import Condition

FILE_NAME: Final = "objects.json"
VERSION: Final = 1
"""What is written; a file of a later version counts as absent."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""More is not written: the file before it stays, with a condition."""
_PIECE: Final = 50
"""Objects that are encoded in one go, so that the loop has its turn."""
_KINDS: Final[Mapping[str, type[Object | KeptCheck]]] = {
    "Service": Service,
    "EndpointSlice": EndpointSlice,
    "Node": Node,
    "IPAddressPool": IPAddressPool,
    "BGPAdvertisement": BGPAdvertisement,
    "BGPPeer": BGPPeer,
    "SpeakerPolicy": NodePolicy,
    "BGPNodeStatus": NodeReport,
    "Community": Community,
    "BFDProfile": BFDProfile,
    "L2Advertisement": L2Advertisement,
    "Secret": Secret,
    "HealthCheck": KeptCheck,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The objects in force at one moment; nobody changes them afterwards."""

    objects: Mapping[Key, Object] = field(default_factory=dict)
    sources: Mapping[Key, str] = field(default_factory=dict)
    """Where each comes from, if that has a name: the file of a directory."""
    held: frozenset[Key] = frozenset()
    """Those that vanished, and that no person accepted to be gone (`bgpd.kube.vanish`)."""
    resource_versions: Mapping[Key, str] = field(default_factory=dict)
    """The API server's opaque `resourceVersion` of each, where it has one."""
    passwords: Mapping[str, str] = field(default_factory=dict)
    """The password files that could be read, by path."""
    whole: bool = True
    """Whether all of it could be read: a decision on the rest would withdraw what is missing."""

    @property
    def view(self) -> Objects:
        """The objects, as those who read them see them."""
        view = View()
        for key, value in self.objects.items():
            view.put(key, value)
        return view

    @property
    def by_source(self) -> dict[str, dict[Key, Object]]:
        """The objects of each source that has a name."""
        found: dict[str, dict[Key, Object]] = {}
        for key, value in self.objects.items():
            source = self.sources.get(key)
            if source:
                found.setdefault(source, {})[key] = value
        return found


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    kind: str
    name: str
    namespace: str = ""
    source: str = ""
    held: bool = False
    resource_version: str = ""
    object: msgspec.Raw


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    origin: str
    passwords: dict[str, str] = {}
    objects: tuple[_Kept, ...] = ()


class Memory:
    """One file in the state directory; *problems* collects what the log should say."""

    def __init__(
        self, directory: Path, *, origin: str, submit: Callable[[Write], None] = at_once
    ) -> None:
        """Keep what comes from *origin*; *submit* takes what is to be written."""
        self.counters: Counter[str] = Counter()
        self.problems: list[str] = []
        self._path = directory / FILE_NAME
        self._origin = origin
        self._submit = submit
        self._unwritten = ""

    def recall(self) -> Snapshot | None:
        """Return what was remembered last; None when that is nothing that can be used."""
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self.problems.append(f"{self._path}: ignored: {error}")
            return None
        if file.version != VERSION or file.origin != self._origin:
            why = f"is of version {file.version} and of {file.origin}"
            self.problems.append(f"{self._path}: ignored: {why}")
            return None
        return self._snapshot(file)

    def remember(self, snapshot: Snapshot) -> None:
        """Have *snapshot* written; a later one overtakes it while it waits."""
        content = partial(_pieces, self._origin, snapshot)
        self._submit(Write(path=self._path, content=content, done=self._done))

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        if self._unwritten:
            yield Condition(
                type="StateNotWritten",
                status=True,
                reason="WriteFailed",
                message=f"{self._path}: not written: {self._unwritten}; make the directory"
                " writable, with room",
            )

    def _done(self, error: str) -> None:
        self.counters["state_writes"] += 1
        if error:
            self.counters["state_writes_failed"] += 1
            if error != self._unwritten:
                self.problems.append(f"{self._path}: not written: {error}")
        self._unwritten = error

    def _snapshot(self, file: _File) -> Snapshot:
        objects: dict[Key, Object] = {}
        sources: dict[Key, str] = {}
        versions: dict[Key, str] = {}
        held: set[Key] = set()
        whole = True
        for kept in file.objects:
            key = Key(kept.kind, kept.namespace, kept.name)
            found = self._object(key, kept.object)
            if found is None:
                # A kind that we do not know is nothing that we would decide by.
                whole = whole and key.kind not in _KINDS
                continue
            objects[key] = found
            if kept.source:
                sources[key] = kept.source
            if kept.held:
                held.add(key)
            if kept.resource_version:
                versions[key] = kept.resource_version
        return Snapshot(
            objects=objects,
            sources=sources,
            held=frozenset(held),
            resource_versions=versions,
            passwords=file.passwords,
            whole=whole,
        )

    def _object(self, key: Key, raw: msgspec.Raw) -> Object | None:
        kind: Any = _KINDS.get(key.kind)
        if kind is None:
            self.problems.append(f"{self._path}: {key}: ignored: a kind of another version")
            return None
        try:
            found: Object | KeptCheck = msgspec.json.decode(raw, type=kind)
            return found.check() if isinstance(found, KeptCheck) else found
        except (ValueError, RecursionError) as error:
            self.problems.append(f"{self._path}: {key}: ignored: {error}")
            return None


def _pieces(origin: str, snapshot: Snapshot) -> Iterator[bytes]:
    """Yield a `_File` in pieces; raise `ValueError` when it grows too large to be read again."""
    head = msgspec.json.encode(
        {"version": VERSION, "origin": origin, "passwords": dict(snapshot.passwords)}
    )
    yield head[:-1] + b',"objects":['
    items = iter(snapshot.objects.items())
    size = len(head)
    separator = b""
    while piece := list(islice(items, _PIECE)):
        text = msgspec.json.encode([_kept(snapshot, key, value) for key, value in piece])[1:-1]
        size += len(text)
        if size > MAX_BYTES:
            raise ValueError(f"the objects take more than {MAX_BYTES} bytes")
        yield separator + text
        separator = b","
    yield b"]}"


def _kept(snapshot: Snapshot, key: Key, value: Object) -> _Kept:
    return _Kept(
        kind=key.kind,
        name=key.name,
        namespace=key.namespace,
        source=snapshot.sources.get(key, ""),
        held=key in snapshot.held,
        resource_version=snapshot.resource_versions.get(key, ""),
        object=msgspec.Raw(
            msgspec.json.encode(kept_check(value) if isinstance(value, HealthCheck) else value)
        ),
    )
