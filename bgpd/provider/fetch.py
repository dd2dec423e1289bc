"""One document by HTTP, within a deadline that nothing stretches.

Metadata services answer in milliseconds or are in trouble, and a timeout for each read is none for
a server that sends a byte a second. So the connection has a second handle that a timer shuts down.
Nothing is read from the environment: a proxy has no business between a server and its metadata.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import SplitResult, urljoin, urlsplit

from bgpd.model.errors import ConfigError, TransientError

SECONDS: Final = 5.0
"""For all of it, except that the resolver takes its own time to find a name."""
MOST_BYTES: Final = 1024 * 1024
_CONNECT_SECONDS: Final = 2.0
"""For each address that a name has: one that is not routed must leave time for the next."""
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE: Final = 65536
_PORTS: Final = {"http": 80, "https": 443}


def fetch(url: str, *, headers: Mapping[str, str], seconds: float = SECONDS) -> bytes:
    """Return what *url* answers, or raise `TransientError` or `ConfigError` with a sentence.

    The sentence is without *headers*, and without what a URL may hold of a secret.
    """
    with _Deadline(seconds) as deadline:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _split(url)
            answer = _ask(parts, headers, deadline)
            if isinstance(answer, bytes):
                return answer
            target = urljoin(url, answer)
            _refuse_leaving(parts, _split(target))
            url = target
    raise TransientError(f"{shown(url)} redirects more than {_MOST_REDIRECTS} times")


def shown(url: str) -> str:
    """Return *url* as people may see it: without a user, a password, a query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}"


class _Deadline:
    """A timer that cuts the connection held at that moment."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = False
        self._cord: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def hold(self, connection: socket.socket) -> None:
        """Cut *connection* when the time is over."""
        with self._lock:
            self._cord = connection.dup()
            self._shut()

    def let_go(self) -> None:
        """Forget the connection: it is closed."""
        with self._lock:
            if self._cord is not None:
                self._cord.close()
                self._cord = None

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        """Shut the connection, not this handle of it: whoever reads or writes there returns."""
        if self.over and self._cord is not None:
            with contextlib.suppress(OSError):
                self._cord.shutdown(socket.SHUT_RDWR)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{shown(url)} cannot be asked; it must be http://HOST/PATH or https://")
    return urlsplit(url)


def _refuse_leaving(here: SplitResult, there: SplitResult) -> None:
    """Raise `TransientError` for a redirect that takes a token, or trust, somewhere else."""
    weaker = here.scheme == "https" and there.scheme == "http"
    if weaker or here.hostname != there.hostname:
        raise TransientError(
            f"{shown(here.geturl())} redirects to {shown(there.geturl())}, which is not followed;"
            " set spec.providerURL to where the document is"
        )


def _ask(parts: SplitResult, headers: Mapping[str, str], deadline: _Deadline) -> bytes | str:
    """Return the body of the answer, or where it redirects to."""
    try:
        connection = _connect(parts, deadline)
        try:
            return _converse(connection, parts, headers, deadline)
        finally:
            connection.close()
            deadline.let_go()
    except (OSError, http.client.HTTPException, ValueError) as error:
        url = shown(parts.geturl())
        if deadline.over:
            raise TransientError(f"{url} did not answer within {deadline.seconds:g} s") from None
        raise TransientError(f"{url} cannot be read: {_words(error)}") from None


def _connect(parts: SplitResult, deadline: _Deadline) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    plain = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    try:
        plain.settimeout(deadline.seconds)
        deadline.hold(plain)
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(host, port)
            connection.sock = plain
        else:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, context=context)
            connection.sock = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        deadline.let_go()
        raise
    return connection


def _converse(
    connection: http.client.HTTPConnection,
    parts: SplitResult,
    headers: Mapping[str, str],
    deadline: _Deadline,
) -> bytes | str:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = {"Accept": "application/json", "Connection": "close", "User-Agent": "bgpd"}
    connection.request("GET", path, headers={**own, **headers})
    with connection.getresponse() as answer:
        if answer.status in _REDIRECTS and answer.headers["Location"]:
            return str(answer.headers["Location"])
        url = shown(parts.geturl())
        if answer.status != HTTPStatus.OK:
            raise TransientError(f"{url} answers {_status(answer.status)}")
        return _body(answer, url, deadline)


def _body(answer: http.client.HTTPResponse, url: str, deadline: _Deadline) -> bytes:
    body = bytearray()
    while len(body) <= MOST_BYTES and (piece := answer.read(_PIECE)):
        body += piece
    if len(body) > MOST_BYTES:
        raise ConfigError(f"{url} answers more than {MOST_BYTES} bytes; it must be a document")
    if deadline.over or answer.length:
        # Without a length, an answer that was cut looks like one that ended.
        raise http.client.IncompleteRead(bytes(body), answer.length)
    return bytes(body)


def _status(number: int) -> str:
    if number in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return f"{number}: it wants a token, or another one; set spec.providerTokenFile"
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the answer is cut off"
    if isinstance(error, http.client.HTTPException):
        return "what answers does not speak HTTP"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or "no connection"
    return "its host or path cannot be sent"
