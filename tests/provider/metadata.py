"""A metadata server on loopback that answers as told, well or badly."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, cast

LONG: Final = 60.0
"""For longer than any test waits."""

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Passes each request to what the server was told to do."""

    def do_GET(self) -> None:
        """Answer, unless the other end has gone."""
        server = cast(Metadata, self.server)
        server.asked.append((self.path, dict(self.headers)))
        with contextlib.suppress(OSError):
            server.answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def whole(self, body: bytes, *, status: int = 200, location: str = "") -> None:
        """Answer with *body*, as a good server does."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    @property
    def quits(self) -> threading.Event:
        """Set when the server goes."""
        return cast(Metadata, self.server).quits


class Metadata(ThreadingHTTPServer):
    """The server: `answer` may be replaced at any time, `asked` is what came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.quits = threading.Event()

    @property
    def url(self) -> str:
        """Where its document is."""
        return f"http://127.0.0.1:{self.server_port}/metadata"


@contextmanager
def serving(answer: Answer) -> Iterator[Metadata]:
    """Serve until the block ends."""
    with Metadata(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.quits.set()
            server.shutdown()
            thread.join()


def body(content: bytes) -> Answer:
    """Answer with *content*."""
    return lambda one: one.whole(content)


def status(number: int) -> Answer:
    """Answer with the status *number* and a page."""
    return lambda one: one.whole(b"<html>no</html>", status=number)


def redirect(place: str) -> Answer:
    """Send whoever asks to *place*."""
    return lambda one: one.whole(b"", status=302, location=place)


def hang(one: Handler) -> None:
    """Take the question and say nothing."""
    one.quits.wait(LONG)


def hang_halfway(one: Handler) -> None:
    """Begin an answer, and stop."""
    one.send_response(200)
    one.end_headers()
    one.wfile.write(b'{"bgp_neighbors": [')
    one.wfile.flush()
    one.quits.wait(LONG)


def drip_head(one: Handler) -> None:
    """Send a byte of a header each moment: no read is ever long."""
    one.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(one)


def drip_body(one: Handler) -> None:
    """Send a byte of the document each moment."""
    one.send_response(200)
    one.end_headers()
    _drip(one)


def _drip(one: Handler) -> None:
    end = time.monotonic() + LONG
    while time.monotonic() < end and not one.quits.wait(0.02):
        one.wfile.write(b"x")
        one.wfile.flush()


def cut(one: Handler) -> None:
    """Promise more than is sent."""
    one.send_response(200)
    one.send_header("Content-Length", "1000")
    one.end_headers()
    one.wfile.write(b'{"bgp_neighbors": [')


def cut_chunked(one: Handler) -> None:
    """Stop in the middle of a chunk."""
    one.protocol_version = "HTTP/1.1"
    one.send_response(200)
    one.send_header("Transfer-Encoding", "chunked")
    one.end_headers()
    one.wfile.write(b"100\r\n{")


def slam(one: Handler) -> None:
    """Close without a word."""
    one.close_connection = True


def mutter(one: Handler) -> None:
    """Answer with what is not HTTP."""
    one.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


def pour(one: Handler) -> None:
    """Send without end and without a length."""
    one.send_response(200)
    one.end_headers()
    while not one.quits.is_set():
        one.wfile.write(b" " * 65536)
