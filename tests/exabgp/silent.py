"""A router that agrees to a session and offers nothing: `python -m tests.exabgp.silent IP`."""

import socket
import struct
import sys

OPEN, KEEPALIVE = 1, 4
PORT = 179
IPV4_UNICAST = bytes((2, 6, 1, 4, 0, 1, 0, 1))
"""The optional parameter of an OPEN that offers it (RFC 5492, RFC 4760)."""


def main() -> None:
    """Serve one session for as long as the other end wants it."""
    with socket.create_server((sys.argv[1], PORT)) as listener:
        print("listening", flush=True)
        connection, _ = listener.accept()
    identifier = socket.inet_aton(sys.argv[1])
    agreed = struct.pack("!BHH4sB", 4, 65530, 90, identifier, len(IPV4_UNICAST)) + IPV4_UNICAST
    with connection:
        connection.sendall(_message(OPEN, agreed) + _message(KEEPALIVE))
        while connection.recv(4096):
            pass


def _message(kind: int, body: bytes = b"") -> bytes:
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


if __name__ == "__main__":
    main()
