"""A stand-in for the health port of kubelet or kube-proxy: `healthz.py NAME PORT` on loopback.

It answers every request with 200 as long as it runs: to break it is to end or to stop it.
"""

import socket
import sys
from contextlib import suppress

_BODY = b"ok"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
_PATIENCE = 1.0
"""Seconds that one asker who says nothing may hold up the others."""


def main() -> None:
    """Answer until killed."""
    server = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=64)
    while True:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.settimeout(_PATIENCE)
            if connection.recv(4096):
                connection.sendall(_ANSWER % (len(_BODY), _BODY))


if __name__ == "__main__":
    main()
