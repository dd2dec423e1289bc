"""Let a port of this machine's loopback lead into a cluster's own network.

kubectl and helm outside of the namespaces reach the API server there. Bytes pass as they are: the
server's certificate is also good for 127.0.0.1.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 65536


class Relay:
    """A listening socket; each connection gets one of its own behind it."""

    def __init__(self, port: int = 0) -> None:
        """Listen in the network namespace that we are in now."""
        self._listening = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._listening.getsockname()[1]

    def serve(self, connect: Callable[[], socket.socket]) -> None:
        """Begin to pass connections on to those that *connect* opens."""
        threading.Thread(target=self._accept, args=(connect,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self, connect: Callable[[], socket.socket]) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = connect()
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            threading.Thread(target=_join, args=(near, far), daemon=True).start()


def _join(near: socket.socket, far: socket.socket) -> None:
    with near, far:
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on until *source* says no more, and say so to *target*."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
