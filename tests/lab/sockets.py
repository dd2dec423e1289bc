"""The BGP connections that a kernel has, read in the network namespace of this thread."""

import socket
from pathlib import Path
from typing import Final

from tests.lab.agreement import Pair

BGP: Final = 179
_ESTABLISHED: Final = "01"


def bgp_connections() -> set[Pair]:
    """Return the established ones: our address, the other, and the port that is not BGP's."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            (here, port), (there, other) = _end(words[1]), _end(words[2])
            if words[3] == _ESTABLISHED and BGP in {port, other}:
                found.add((here, there, other if port == BGP else port))
    return found


def _end(word: str) -> tuple[str, int]:
    """Return address and port: the kernel shows an address as 32-bit words of the machine."""
    text, _, port = word.partition(":")
    numbers = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = b"".join(number.to_bytes(4, "little") for number in numbers)
    family = socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
    address = socket.inet_ntop(family, packed)
    return address.removeprefix("::ffff:"), int(port, 16)
