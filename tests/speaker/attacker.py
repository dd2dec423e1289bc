"""Everything at once against a metrics port: `python -m tests.speaker.attacker HOST PORT COUNT`.

COUNT connections in all: some say nothing, some half a request, some a head without end, some
ask for everything and read nothing of it, some talk nonsense. It ends when all were made.
"""

import contextlib
import itertools
import selectors
import socket
import sys
import time
from collections import deque

WORDS = (
    b"",
    b"GET /metrics HTTP/1.1\r\nX-Half: ",
    b"GET /metrics HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 60_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"\r\n" * 2_000,
)
AT_ONCE = 2_000
"""Connections that are held open; the oldest are let go."""


def attack(host: str, port: int, count: int) -> int:
    """Make *count* connections as fast as they go; return how many were taken."""
    held: deque[socket.socket] = deque()
    selector = selectors.DefaultSelector()
    taken = 0
    for number, words in zip(range(count), itertools.cycle(WORDS), strict=False):
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, OSError):
            sock.connect((host, port))
        selector.register(sock, selectors.EVENT_WRITE, words)
        held.append(sock)
        if number % 50 == 0:
            taken += _speak(selector)
        if len(held) > AT_ONCE:
            _drop(held.popleft(), selector)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        taken += _speak(selector)
        time.sleep(0.01)
    for sock in held:
        _drop(sock, selector)
    return taken


def _speak(selector: selectors.BaseSelector) -> int:
    """Say on each connection that stands what it is to say; return how many those were."""
    ready = selector.select(0)
    for key, _ in ready:
        assert isinstance(key.fileobj, socket.socket)
        with contextlib.suppress(OSError):
            key.fileobj.send(key.data)
        selector.unregister(key.fileobj)
    return len(ready)


def _drop(sock: socket.socket, selector: selectors.BaseSelector) -> None:
    with contextlib.suppress(KeyError):
        selector.unregister(sock)
    sock.close()


if __name__ == "__main__":
    print(attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
