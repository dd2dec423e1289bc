"""What a probe under way is to the prober, and what the errors of sockets mean to people."""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome, failed, not_asked

Done: TypeAlias = Callable[[Outcome], None]

# Linux, <linux/in.h>: a port is chosen when the connection is made, so that as many connections
# leave from one source address as there are ports for each destination.
_IP_BIND_ADDRESS_NO_PORT: Final = 24

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


class Conversation(Protocol):
    """One question under way; it calls its `Done` at most once, unless it is closed before."""

    def start(self) -> Outcome | None:
        """Begin; return the outcome where there is one at once, and then call nobody."""
        ...

    def overdue(self) -> Outcome:
        """End because patience has ended, and return what was missing."""
        ...

    def close(self) -> None:
        """End without an outcome."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a job's sockets go, worked out once."""

    family: socket.AddressFamily
    address: SocketAddress
    source: SocketAddress | None

    @classmethod
    def of(cls, job: Job) -> "Destination":
        """Return the destination of *job*, or raise `ValueError`."""
        if not 1 <= job.port <= 65535:
            raise ValueError(f"port {job.port} must be 1..65535")
        source = job.source_address
        if source is not None and (":" in source) != (":" in job.address):
            raise ValueError(f"sourceAddress {source} and {job.address} are of different families")
        return cls(
            family=socket.AF_INET6 if ":" in job.address else socket.AF_INET,
            address=socket_address(job.address, job.port),
            source=None if source is None else socket_address(source, 0),
        )

    def open(self, kind: socket.SocketKind) -> socket.socket:
        """Return a non-blocking socket at the source address; raise `OSError`."""
        opened = socket.socket(self.family, kind | socket.SOCK_NONBLOCK)
        if self.source is not None:
            try:
                if kind == socket.SOCK_STREAM:
                    opened.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                opened.bind(self.source)
            except OSError:
                opened.close()
                raise
        return opened


def socket_address(address: str, port: int) -> SocketAddress:
    """Return *address* in the form that sockets of its family take and return."""
    return (address, port, 0, 0) if ":" in address else (address, port)


def safely(step: Callable[[], Outcome | None]) -> Outcome | None:
    """Return what *step* says; turn whatever it raises into an outcome.

    A mistake in our reading of one hostile answer must not end the probes of all others.
    """
    try:
        return step()
    except OSError as error:
        return broken(error)
    except Exception as error:  # noqa: BLE001 - the one place: see above
        return not_asked(f"was not judged, by a mistake of bgpd's: {error!r}")


def broken(error: OSError) -> Outcome:
    """Return what *error* of a socket says of whoever was asked, or of ourselves."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return failed(Fault.TLS, f"has a certificate that is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "broken off").lower().replace("_", " ")
        return failed(Fault.TLS, f"does not speak TLS with us: {reason}")
    number = error.errno or 0
    if number == errno.ECONNREFUSED:
        return failed(Fault.REFUSED, "refused the connection")
    if number in {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}:
        return failed(Fault.CLOSED, "reset the connection")
    said = os.strerror(number) if number else str(error)
    if number in _OURS:
        return not_asked(f"could not be asked: {_OURS[number] or said}")
    return failed(Fault.UNREACHABLE, f"cannot be reached: {said}")


_OURS: Final = {
    errno.EMFILE: "this process has no free file descriptor",
    errno.ENFILE: "this host has no free file descriptor",
    errno.ENOMEM: "this host has no free memory",
    errno.ENOBUFS: "this host has no free buffers",
    errno.EADDRNOTAVAIL: "the source address is not of this node, or no local port is free",
    errno.EADDRINUSE: "no local port is free",
    errno.EAFNOSUPPORT: "this host does not speak its address family",
    errno.EACCES: "this node's rules do not let us",
    errno.EPERM: "this node's firewall does not let us",
    errno.EINVAL: "",
    errno.EBADF: "",
}
"""Errors that say nothing of whoever was to be asked."""
