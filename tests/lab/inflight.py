"""Requests that take long: `inflight.py ADDRESS PORT COUNT SECONDS`, from the client.

Prints `ready` once every answer has begun, and at the end a JSON object for each request: when it
ended by our clock, and what went wrong with it: empty where all of it came.
"""

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress

_PATIENCE = 30.0


class Request:
    """One request, in a thread of its own."""

    def __init__(self, address: str, port: int, seconds: float) -> None:
        """Begin."""
        self.begun = threading.Event()
        self.ended = 0.0
        self.wrong = "no answer"
        self._to = (address, port)
        self._seconds = seconds
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with socket.create_connection(self._to, timeout=_PATIENCE) as sock:
                sock.sendall(b"GET /slow/%g HTTP/1.1\r\nHost: lab\r\n\r\n" % self._seconds)
                self._read(sock)
        except OSError as error:
            self.wrong = type(error).__name__
        self.ended = time.monotonic()
        self.begun.set()

    def _read(self, sock: socket.socket) -> None:
        head, body = b"", 0
        while b"\r\n\r\n" not in head and (more := sock.recv(4096)):
            head += more
        self.begun.set()
        header, _, rest = head.partition(b"\r\n\r\n")
        body = len(rest)
        while more := sock.recv(4096):
            body += len(more)
        wanted = int(header.rpartition(b"Content-Length: ")[2].split()[0])
        self.wrong = "" if body == wanted else f"{body} of {wanted} bytes"


def prefer_ourselves() -> None:
    """Ask for a real-time slice: when an answer ended is held against what the router did then."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> None:
    """Ask, wait, tell."""
    prefer_ourselves()
    address, port, count, seconds = sys.argv[1:]
    requests = [Request(address, int(port), float(seconds)) for _ in range(int(count))]
    for request in requests:
        request.begun.wait(_PATIENCE)
    print("ready", flush=True)
    for request in requests:
        request.thread.join(_PATIENCE)
    print(json.dumps([{"ended": each.ended, "wrong": each.wrong} for each in requests]))


if __name__ == "__main__":
    main()
