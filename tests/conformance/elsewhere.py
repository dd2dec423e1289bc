"""A network of our own with nothing but a loopback, to which addresses can be added.

Made of user and network namespaces, so no privilege is needed; it ends with the process in it.
"""

import array
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.conformance.room import InexpressibleError
from tests.conformance.router import LOOPBACK

_SECONDS: Final = 20.0
_PROGRAM: Final = """
import array, os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.socket()
listener.bind((sys.argv[2], 0))
listener.listen()
with socket.socket(socket.AF_UNIX) as link:
    link.connect(sys.argv[1])
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))
    link.sendmsg([b"%d" % os.getpid()], [rights])
    link.recv(1)
"""


class Elsewhere:
    """A network whose *listener* is ours to use; `close` ends it."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="bgpd-conformance-")
        path = str(Path(self._directory.name) / "link")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(path)
            door.listen()
            door.settimeout(_SECONDS)
            self._process = subprocess.Popen(
                [
                    *("unshare", "--user", "--map-root-user", "--net"),
                    *(sys.executable, "-c", _PROGRAM, path, LOOPBACK),
                ],
                stderr=subprocess.PIPE,
            )
            try:
                self._link, _ = door.accept()
            except TimeoutError:
                self._process.kill()
                _, error = self._process.communicate()
                raise InexpressibleError(f"no network namespace: {error.decode()}") from None
        self.listener = self._receive()

    def _receive(self) -> socket.socket:
        numbers = array.array("i")
        data, rights, _, _ = self._link.recvmsg(32, socket.CMSG_LEN(numbers.itemsize))
        for level, kind, octets in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(octets[: numbers.itemsize])
        self.inside = (
            *("nsenter", "--target", data.decode(), "--user", "--preserve-credentials"),
            *("--net", "--"),
        )
        return socket.socket(fileno=numbers[0])

    def add(self, address: str) -> None:
        """Give the loopback an address."""
        length = 128 if ":" in address else 32
        command = ("ip", "addr", "add", f"{address}/{length}", "dev", "lo")
        subprocess.run([*self.inside, *command], check=True)

    def close(self) -> None:
        """End it."""
        self.listener.close()
        self._link.close()
        self._process.communicate(timeout=_SECONDS)
        self._directory.cleanup()
