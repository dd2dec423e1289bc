"""Who listens on our ports here: /proc/net, and the files that our processes have open."""

import ipaddress
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.ctl.doctorfacts import PortFacts, ProcessFacts
from bgpd.model.port import Port, Transport

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"
"""TCP_LISTEN of /proc/net/tcp; of UDP every socket that is bound can hear."""


def holders(
    ports: Iterable[Port], processes: Iterable[ProcessFacts], proc: Path = _PROC
) -> tuple[PortFacts, ...]:
    """Return who listens on each of *ports*; *processes* are ours.

    Whose socket it is, only root sees of other people's processes.
    """
    wanted = tuple(ports)
    bound = dict(_bound(wanted, proc))
    ours = {inode for one in processes for inode in _inodes(proc / str(one.pid))}
    strangers = {inode for sockets in bound.values() for _, inode in sockets if inode not in ours}
    names = dict(_owners(strangers, proc)) if strangers else {}
    return tuple(
        PortFacts(
            name=one.name,
            addresses=tuple(dict.fromkeys(address for address, _ in bound[one.name])),
            ours=any(inode in ours for _, inode in bound[one.name]),
            holder=next((names[i] for _, i in bound[one.name] if i in names), ""),
        )
        for one in wanted
    )


def _bound(ports: tuple[Port, ...], proc: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    found: defaultdict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for transport in Transport:
        for suffix in ("", "6"):
            with suppress(OSError):
                lines = (proc / "net" / f"{transport.value}{suffix}").read_text().splitlines()
                for line in lines[1:]:
                    _, local, remote, state, *rest = line.split()
                    address, _, port = local.partition(":")
                    if transport is Transport.UDP:
                        hears = remote.endswith(":0000")
                    else:
                        hears = state == _LISTEN
                    if hears:
                        where = f"{_address(address)}:{int(port, 16)}"
                        found[transport.value, int(port, 16)].append((where, rest[5]))
    for one in ports:
        yield one.name, found[one.transport.value, one.number]


def _address(text: str) -> str:
    """Return an address of /proc/net: words of 32 bits in the order of this machine."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    address = ipaddress.ip_address(packed)
    return f"[{address}]" if address.version == 6 else str(address)


def _inodes(directory: Path) -> Iterator[str]:
    with suppress(OSError):
        for name in os.listdir(directory / "fd"):  # noqa: PTH208 - no path object for each file
            with suppress(OSError):
                target = os.readlink(directory / "fd" / name)  # noqa: PTH115 - as above
                if target.startswith("socket:["):
                    yield target[8:-1]


def _owners(inodes: Iterable[str], proc: Path) -> Iterator[tuple[str, str]]:
    """Yield whose socket each is, as far as we may look."""
    wanted = set(inodes)
    for directory in proc.glob("[0-9]*"):
        for inode in wanted.intersection(_inodes(directory)):
            with suppress(OSError):
                yield inode, f"{(directory / 'comm').read_text().strip()} (pid {directory.name})"
