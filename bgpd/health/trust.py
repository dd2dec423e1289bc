"""TLS contexts for probes: made once, off the loop, and made anew when authorities may change.

Reading the system's authorities takes tens of milliseconds and a file may lie on a disk that
hangs: neither happens in the loop. A file that becomes unreadable changes nothing for a context
that was made before.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bgpd.health.outcome import Outcome, not_asked
from bgpd.model.health import TLS

LASTING: Final = 300.0
"""Seconds until authorities are read again."""
_AGAIN: Final = 1.0
_LARGEST: Final = 16 * 1024 * 1024


class _Kind(NamedTuple):
    """What tells contexts apart."""

    verify: bool
    ca_file: str
    http2: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Secure:
    """How one connection speaks TLS."""

    context: ssl.SSLContext
    server_name: str | None

    def wrap(self, connected: socket.socket) -> ssl.SSLSocket:
        """Return *connected* with TLS on it; the handshake is the caller's."""
        return self.context.wrap_socket(
            connected, do_handshake_on_connect=False, server_hostname=self.server_name
        )


def check_name(tls: TLS) -> None:
    """Raise `ValueError` where `tls.serverName` cannot be the name of a host."""
    name = tls.server_name
    try:
        name.encode("idna")
    except UnicodeError:
        name = "\0"
    if "\0" in name or name.startswith("."):
        what = "is no name of a host: parts of 1 to 63 characters, with dots between them"
        raise ValueError(f"tls.serverName: {tls.server_name!r:.80} {what}")


class Trust:
    """The contexts that are in use."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make contexts beside *loop*."""
        self._loop = loop
        self._made: dict[_Kind, ssl.SSLContext] = {}
        self._wrong: dict[_Kind, str] = {}
        self._until: dict[_Kind, float] = {}
        self._reading: set[_Kind] = set()
        """What a thread is busy with: one that hangs must not take all the others, one by one."""

    def secure(self, tls: TLS, address: str, *, http2: bool = False) -> Secure | Outcome:
        """Return how to speak with *address*, or why it cannot be asked (yet)."""
        kind = _Kind(tls.verify, tls.ca_file if tls.verify else "", http2)
        if not tls.verify:
            if kind not in self._made:
                self._made[kind] = _context(kind)
            return Secure(context=self._made[kind], server_name=tls.server_name or None)
        if self._until.get(kind, 0.0) <= self._loop.time() and kind not in self._reading:
            self._reading.add(kind)
            self._until[kind] = self._loop.time() + LASTING
            self._loop.run_in_executor(None, _context, kind).add_done_callback(
                lambda future: self._arrived(kind, future)
            )
        context = self._made.get(kind)
        if context is None:
            wrong = self._wrong.get(kind, "the authorities to trust are being read")
            return not_asked(f"was not asked: {wrong}")
        return Secure(context=context, server_name=tls.server_name or address)

    def _arrived(self, kind: _Kind, future: asyncio.Future[ssl.SSLContext]) -> None:
        self._reading.discard(kind)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._made[kind] = future.result()
            self._wrong.pop(kind, None)
            return
        name = f"tls.caFile {kind.ca_file}" if kind.ca_file else "the list of the system"
        self._wrong[kind] = f"{name} cannot be used: {error}"
        self._until[kind] = self._loop.time() + _AGAIN


def _context(kind: _Kind) -> ssl.SSLContext:
    if kind.verify:
        if kind.ca_file:
            _look_at(Path(kind.ca_file))
        context = ssl.create_default_context(cafile=kind.ca_file or None)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if kind.http2:
        context.set_alpn_protocols(["h2"])
    return context


def _look_at(path: Path) -> None:
    """Raise `OSError` unless *path* may be read to its end: no pipe, no device, no disk image."""
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    if path.stat().st_size > _LARGEST:
        raise OSError("it has more than 16 MiB")
