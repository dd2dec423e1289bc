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
from typing import Final

from bgpd.health.outcome import Outcome, not_asked
from bgpd.model.health import TLS

LASTING: Final = 300.0
"""Seconds until authorities are read again."""


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


class Trust:
    """The contexts that are in use."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make contexts beside *loop*."""
        self._loop = loop
        self._made: dict[str, ssl.SSLContext] = {}
        self._wrong: dict[str, str] = {}
        self._until: dict[str, float] = {}
        self._plain: ssl.SSLContext | None = None

    def secure(self, tls: TLS, address: str) -> Secure | Outcome:
        """Return how to speak with *address*, or why it cannot be asked (yet)."""
        name = tls.server_name or (address if tls.verify else None)
        if not tls.verify:
            self._plain = self._plain or _unverified()
            return Secure(context=self._plain, server_name=name)
        if self._until.get(tls.ca_file, 0.0) <= self._loop.time():
            self._until[tls.ca_file] = self._loop.time() + LASTING
            self._loop.run_in_executor(None, _verified, tls.ca_file).add_done_callback(
                lambda future: self._arrived(tls.ca_file, future)
            )
        context = self._made.get(tls.ca_file)
        if context is None:
            wrong = self._wrong.get(tls.ca_file, "its authorities are being read")
            return not_asked(f"was not asked: {wrong}")
        return Secure(context=context, server_name=name)

    def _arrived(self, ca_file: str, future: asyncio.Future[ssl.SSLContext]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._made[ca_file] = future.result()
            self._wrong.pop(ca_file, None)
            return
        self._wrong[ca_file] = f"caFile {ca_file or 'of the system'} cannot be used: {error}"
        self._until[ca_file] = self._loop.time() + 1.0


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _verified(ca_file: str) -> ssl.SSLContext:
    if not ca_file:
        return ssl.create_default_context()
    if not Path(ca_file).is_file():
        raise FileNotFoundError("there is no such file")
    return ssl.create_default_context(cafile=ca_file)
