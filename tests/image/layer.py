"""Write archives whose bytes depend on nothing but what is in them.

Entries are sorted, carry one time and belong to root (or to bgpd's user); the order of a directory,
the builder's name and the clock leave no trace.
"""

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USER: Final = 65532
"""bgpd's user and group: the number that containers without root by custom run as."""


STAMP: Final = 315532800
"""The time of every file, 1980-01-01: a layer whose files did not change is the same layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A directory that is there from the start, with its mode and owner."""

    mode: int
    user: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An archive: compressed, as it travels, and the digest of what is in it."""

    data: bytes
    diff_id: str
    """The digest before compression."""

    @property
    def digest(self) -> str:
        """The digest of the bytes that travel."""
        return digest(self.data)


def digest(data: bytes) -> str:
    """Return the digest of *data*, as OCI writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def archive(root: Path, paths: Iterable[str], directories: Mapping[str, Owned]) -> bytes:
    """Return a tar of *paths* below *root*, with the *directories* that they lie in."""
    wanted = set(paths)
    parents = {str(parent) for path in wanted | directories.keys() for parent in _parents(path)}
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(wanted | parents | directories.keys()):
            entry = tarfile.TarInfo(path)
            entry.mtime = STAMP
            if path in wanted:
                _fill(tar, entry, root / path)
                continue
            owned = directories.get(path, Owned(mode=0o755))
            entry.type, entry.mode = tarfile.DIRTYPE, owned.mode
            entry.uid = entry.gid = owned.user
            tar.addfile(entry)
    return output.getvalue()


def compress(data: bytes) -> Layer:
    """Return *data* as a layer."""
    packed = gzip.compress(data, compresslevel=6, mtime=0)
    return Layer(data=packed, diff_id=digest(data))


def _fill(tar: tarfile.TarFile, entry: tarfile.TarInfo, file: Path) -> None:
    if file.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(file.readlink()), 0o777
        tar.addfile(entry)
        return
    data = file.read_bytes()
    entry.size = len(data)
    entry.mode = 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644
    tar.addfile(entry, io.BytesIO(data))


def _parents(path: str) -> list[Path]:
    return list(Path(path).parents)[:-1]
