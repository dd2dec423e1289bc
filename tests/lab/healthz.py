"""A stand-in for health ports of Kubernetes: `healthz.py NAME PORT [COUNT]` answers on so many.

It answers every request with 200, from SIGUSR1 on with 503. What is to be silent is ended.
"""

import selectors
import signal
import socket
import sys
from contextlib import suppress

_BODY = b"ok"
_ANSWER = b"HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
_PATIENCE = 1.0
"""Seconds that one asker who says nothing may hold up the others."""
_wrong = False


def say_no(_number: int, _frame: object) -> None:
    """Answer 503 from now on."""
    global _wrong  # noqa: PLW0603 - all that this program remembers
    _wrong = True


def answer(server: socket.socket) -> None:
    """Answer one asker."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.settimeout(_PATIENCE)
        if connection.recv(4096):
            status = (503, b"Service Unavailable") if _wrong else (200, b"OK")
            connection.sendall(_ANSWER % (*status, len(_BODY), _BODY))


def main() -> None:
    """Answer until killed."""
    signal.signal(signal.SIGUSR1, say_no)
    first, count = int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    selector = selectors.DefaultSelector()
    for port in range(first, first + count):
        server = socket.create_server(("", port), backlog=64)
        selector.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            answer(key.fileobj)


if __name__ == "__main__":
    main()
