"""A reflex without a mind: passes lines between its two pipes and the test's socket.

`python relay.py SOCKET [deaf|pinging]`; a deaf one never reads what ExaBGP writes, and a pinging
one says by itself that it lives, however long the test has no turn.
"""

import os
import select
import socket
import sys
import time

PING = b'bgpd ping {"id":0}\n'
EACH = 0.2
"""Seconds between two pings, at least."""


def main() -> None:
    """Relay until one side closes."""
    deaf, pinging = "deaf" in sys.argv[2:], "pinging" in sys.argv[2:]
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(sys.argv[1])
        link.sendall(b"%d\n" % os.getpid())
        watched = [link.fileno()] if deaf else [0, link.fileno()]
        due, last = time.monotonic(), b"\n"
        while True:
            left = max(0.0, due - time.monotonic()) if pinging else None
            readable, _, _ = select.select(watched, [], [], left)
            if pinging and time.monotonic() >= due and last == b"\n":
                os.write(1, PING)
                due = time.monotonic() + EACH
            if 0 in readable:
                data = os.read(0, 1 << 20)
                if not data:
                    return
                link.sendall(data)
            if link.fileno() in readable:
                data = link.recv(1 << 20)
                if not data:
                    return
                last = data[-1:]
                while data:
                    data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
