"""A reflex without a mind: passes lines between its two pipes and the test's socket.

`python relay.py SOCKET [deaf]`; a deaf one never reads what ExaBGP writes.
"""

import os
import select
import socket
import sys


def main() -> None:
    """Relay until one side closes."""
    deaf = "deaf" in sys.argv[2:]
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(sys.argv[1])
        link.sendall(b"%d\n" % os.getpid())
        watched = [link.fileno()] if deaf else [0, link.fileno()]
        while True:
            readable, _, _ = select.select(watched, [], [])
            if 0 in readable:
                data = os.read(0, 1 << 20)
                if not data:
                    return
                link.sendall(data)
            if link.fileno() in readable:
                data = link.recv(1 << 20)
                if not data:
                    return
                while data:
                    data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
