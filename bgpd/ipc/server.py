"""Listen on a unix socket that only the right people can reach.

The directory and the file carry the permissions, and the kernel's word on who connected
(SO_PEERCRED) is checked on top: a directory that somebody opened up must not open the speaker.

A socket file that nobody answers on is what a killed process leaves behind; it is replaced.
One that somebody answers on is a second speaker on this node, which would fight the first for
every session: that is refused.
"""

import asyncio
import grp
import os
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import Final, Self

from bgpd.ipc.connection import Connection, Handler
from bgpd.ipc.occupied import check_replaceable, peer_of
from bgpd.model.errors import ConfigError

MODE: Final = 0o660
DIRECTORY_MODE: Final = 0o750
MAX_PATH: Final = 107
"""Bytes of a unix socket's path that the kernel takes (unix(7)), the final zero apart."""

_SO_PEERGROUPS: Final = 59
_GROUPS_BYTES: Final = 1024
"""The most that `getsockopt` of Python reads: 256 groups."""
_GOODBYE_SECONDS: Final = 0.5
_SUFFIX: Final = ".new"


class Server:
    """A unix socket server: one `Connection` for each peer, one handler for all."""

    def __init__(
        self,
        path: Path,
        handler: Handler,
        *,
        program: str = "bgpd",
        group: str | int | None = None,
    ) -> None:
        self.path = path
        self.counters: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self._handler = handler
        self._program = program
        self._group = group
        self._server: asyncio.Server | None = None
        self._inode: int | None = None

    async def __aenter__(self) -> Self:
        """Open the server."""
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the server, and wait a moment for what the connections still have to say."""
        self.close()
        for _ in range(int(_GOODBYE_SECONDS / 0.01)):
            if not self.connections:
                return
            await asyncio.sleep(0.01)
        for connection in tuple(self.connections):
            connection.abort(f"{self._program} stops")

    async def open(self) -> None:
        """Listen; raise `ConfigError` when the path or the group cannot be used."""
        gid = _gid(self._group)
        listener = _listen(self.path, gid=gid, program=self._program)
        status = self.path.stat()
        self._inode = status.st_ino
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: _Accepted(self, self._handler, gid=status.st_gid), sock=listener
        )

    def close(self) -> None:
        """Stop listening, close every connection and remove the socket file if it is ours."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in tuple(self.connections):
            connection.close(f"{self._program} stops")
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except FileNotFoundError:
            pass


class _Accepted(Connection):
    """A connection that the server knows of and has checked."""

    def __init__(self, server: Server, handler: Handler, *, gid: int) -> None:
        super().__init__(handler, counters=server.counters)
        self._server = server
        self._gid = gid

    def admitted(self, transport: asyncio.Transport) -> bool:
        self.pid, self.uid, gids = _credentials(transport.get_extra_info("socket"))
        if self.uid not in {0, os.geteuid()} and self._gid not in gids:
            self.counters["refused_credentials"] += 1
            self.refused = True
            self.abort(f"user {self.uid} is neither root, nor ours, nor in group {self._gid}")
            return False
        self.counters["accepted"] += 1
        self._server.connections.add(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        super().connection_lost(exc)


def _credentials(sock: socket.socket) -> tuple[int, int, frozenset[int]]:
    """Return the pid, the uid and all the groups of whoever connected, as the kernel says."""
    pid, uid, gid = peer_of(sock)
    try:
        groups = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        groups = b""
    return pid, uid, frozenset({gid, *(number for (number,) in struct.iter_unpack("I", groups))})


def _gid(group: str | int | None) -> int | None:
    if group is None or isinstance(group, int):
        return group
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(
            f"socket group {group!r} does not exist on this host; name an existing one or a number"
        ) from None


def _listen(path: Path, *, gid: int | None, program: str) -> socket.socket:
    """Return a listening socket at *path* with the right mode and group from the first moment.

    The file is made under another name and renamed, so that nobody can connect to it, or find
    it missing, while its mode is being set; a process-wide umask needs no touching.
    """
    beside = path.with_name(path.name + _SUFFIX)
    if len(os.fsencode(beside)) > MAX_PATH:
        limit = MAX_PATH - len(_SUFFIX)
        raise ConfigError(
            f"{path}: a socket's path has at most {limit} bytes; choose a shorter one"
        )
    try:
        _directory(path.parent, gid)
        check_replaceable(path, program)
        return _bind(beside, path, gid)
    except OSError as error:
        raise ConfigError(f"{path}: cannot listen here: {error.strerror or error}") from error


def _directory(path: Path, gid: int | None) -> None:
    """Make *path* for us and the group; one that exists belongs to whoever made it."""
    if path.is_dir():
        return
    path.mkdir(parents=True, exist_ok=True)
    if gid is not None:
        os.chown(path, -1, gid)
    path.chmod(DIRECTORY_MODE)


def _bind(beside: Path, path: Path, gid: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        beside.unlink(missing_ok=True)
        listener.bind(str(beside))
        if gid is not None:
            os.chown(beside, -1, gid)
        beside.chmod(MODE)
        listener.listen(64)
        beside.rename(path)
    except OSError:
        listener.close()
        beside.unlink(missing_ok=True)
        raise
    return listener
