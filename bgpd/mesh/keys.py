"""Read the keys that authenticate heartbeats, and make new ones.

Two keys may be in force at once, so that a key can be changed without a moment in which the
members do not understand each other; the newest comes first.
"""

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from bgpd.model.errors import ConfigError

MIN_BYTES: Final = 16
MAX_BYTES: Final = 64
"""The longest key that BLAKE2b takes (RFC 7693, section 2.1)."""

MAX_KEYS: Final = 2
_MAX_FILE: Final = 64 * 1024
_MOUNTED: Final = "..data"
_TRIES: Final = 3
"""How often a Secret is read that is replaced meanwhile: what is read then may be half of each."""
_GENERATED_BYTES: Final = 32
_REMEDY: Final = "make one with `bgpd mesh-key`"
_LEGAL: Final = (
    f"a key is one line of base64, hex or text that stands for {MIN_BYTES} to {MAX_BYTES} bytes"
)


class Loaded(NamedTuple):
    """The keys, and what a person should know about the way they are kept."""

    keys: tuple[bytes, ...]
    warnings: tuple[str, ...]


def generate() -> str:
    """Return a new random key as one line of base64."""
    return base64.b64encode(os.urandom(_GENERATED_BYTES)).decode()


def load(path: Path) -> tuple[bytes, ...]:
    """Return the keys in *path*, newest first; raise `ConfigError` naming what is wrong."""
    return load_with_warnings(path).keys


def load_with_warnings(path: Path) -> Loaded:
    """Return the keys in *path* and warnings, for instance that the whole host may read it.

    *path* is a file with one or two lines, newest first, or a directory, as a mounted Secret
    is one: files sorted by name, the first being the newest (`key` and `previous`, say).
    """
    for _ in range(_TRIES):
        version = _version(path)
        try:
            loaded = _load(path)
        except ConfigError:
            if _version(path) == version:
                raise
        else:
            if _version(path) == version:
                return loaded
    raise ConfigError(
        f"{path}: replaced {_TRIES} times while it was read; change a key once, then wait until"
        " the members have it"
    )


def _load(path: Path) -> Loaded:
    files = _files(path)
    keys: list[bytes] = []
    for file in files:
        lines = [line.strip() for line in _text(file).splitlines() if line.strip()]
        if not lines:
            raise ConfigError(f"{file}: empty; {_LEGAL}; {_REMEDY}")
        for number, line in enumerate(lines, start=1):
            key = _parsed(line, f"{file}: line {number}")
            if key not in keys:
                keys.append(key)
    if len(keys) > MAX_KEYS:
        raise ConfigError(
            f"{path}: {len(keys)} keys, at most {MAX_KEYS} are in force at once;"
            " remove the oldest ones"
        )
    return Loaded(tuple(keys), tuple(filter(None, map(_warning, files))))


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files to read in the order of their names, the newest key's first.

    A kubelet changes a mounted Secret by turning the link ..data to another directory, and only
    then makes the links beside it for files that are new. Whoever read those would find the new
    key without the previous one for a moment, and take every member for a stranger until the
    next look: so what ..data leads to is read.
    """
    try:
        if not path.is_dir():
            return (path,)
        mounted = path / _MOUNTED
        directory = mounted if mounted.is_dir() else path
        files = sorted(
            entry for entry in directory.iterdir() if entry.name[0] != "." and entry.is_file()
        )
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from None
    if not files:
        raise ConfigError(f"{path}: a directory without a key file; {_LEGAL}; {_REMEDY}")
    return tuple(files)


def _version(path: Path) -> str:
    """Return which version of a mounted Secret is there; nothing where it is none."""
    try:
        return str((path / _MOUNTED).readlink())
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: the mesh key cannot be read: {error.strerror}; {_REMEDY}"
        ) from None
    if len(raw) > _MAX_FILE:
        raise ConfigError(f"{path}: longer than {_MAX_FILE} bytes, so not a key; {_LEGAL}")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: binary, not text; {_LEGAL}; {_REMEDY}") from None


def _parsed(line: str, where: str) -> bytes:
    """Return the key that *line* stands for: hex, else base64, else its own bytes.

    A form counts only when the bytes that it stands for are long enough, so that a text which
    merely looks like base64 is still taken, as text.
    """
    forms = (("hex", _from_hex(line)), ("base64", _from_base64(line)), ("text", line.encode()))
    for name, key in forms:
        if key is not None and len(key) >= MIN_BYTES:
            if len(key) > MAX_BYTES:
                raise ConfigError(
                    f"{where}: {len(key)} bytes as {name}; at most {MAX_BYTES}; {_LEGAL}; {_REMEDY}"
                )
            return key
    found = ", ".join(f"{len(key)} bytes as {name}" for name, key in forms if key is not None)
    raise ConfigError(f"{where}: too short ({found}); {_LEGAL}; {_REMEDY}")


def _from_hex(line: str) -> bytes | None:
    try:
        return binascii.unhexlify(line)
    except ValueError:
        return None


def _from_base64(line: str) -> bytes | None:
    try:
        return base64.b64decode(line, validate=True)
    except ValueError:
        return None


def _warning(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        # Replaced under our hands: the next load sees the new file.
        return ""
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return ""
    return f"{path}: mode {mode:04o} lets everyone on this host use the mesh key; chmod 0640 it"
