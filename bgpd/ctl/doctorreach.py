"""Try whether something is within reach: a router's port, another node, a URL.

Each attempt ends after the seconds it was given and says in a word what came back. Nothing here
needs a privilege; without the right to ping, nothing is pinged.
"""

import errno
import http.client
import os
import select
import socket
import struct
import time
from typing import Final
from urllib.parse import urlsplit

from bgpd.ctl.doctorfacts import Answer, Attempt
from bgpd.mesh.echo import internet_checksum, read_reply
from bgpd.model.prefix import Address

_ECHO, _ECHO_V6 = 8, 128
_IP_HEADER, _IPV6_HEADER, _ICMP_HEADER = 20, 40, 8
_MTU_DISCOVER: Final = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (41, 23)}
_PROBE: Final = 3
"""IP_PMTUDISC_PROBE: do not fragment, and do not believe what was learned of the path."""
_TOKEN: Final = 8
_MOST: Final = 65_535
_PINGS: Final = 3
_OK: Final = 200


def connect(address: Address, port: int, source: Address | None, seconds: float) -> Attempt:
    """Connect to a router as a session does, and close at once."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            if source is not None:
                sock.bind((source, 0))
            sock.connect((address, port))
        except TimeoutError:
            return Attempt(answer=Answer.SILENT)
        except ConnectionRefusedError:
            return Attempt(answer=Answer.REFUSED)
        except OSError as error:
            return Attempt(answer=Answer.FAILED, detail=_reason(error))
    return Attempt(answer=Answer.YES)


def knock(address: Address, port: int, seconds: float) -> Attempt:
    """Send an empty datagram, and hear whether the kernel over there refuses it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect((address, port))
            sock.send(b"")
            sock.recv(1)
        except TimeoutError:
            return Attempt(answer=Answer.SILENT)
        except ConnectionRefusedError:
            return Attempt(answer=Answer.REFUSED)
        except OSError as error:
            return Attempt(answer=Answer.FAILED, detail=_reason(error))
    return Attempt(answer=Answer.YES)


def ping(
    address: Address, source: Address | None, seconds: float, size: int | None = None
) -> Attempt:
    """Send echoes until one comes back; with *size* in packets of so many bytes, unfragmented."""
    v6 = ":" in address
    try:
        sock, raw = _opened(v6=v6)
    except OSError as error:
        return Attempt(detail=f"not allowed to ping: {_reason(error)}")
    with sock:
        try:
            if source is not None:
                sock.bind((source, 0))
            if size is not None:
                level, option = _MTU_DISCOVER[sock.family]
                sock.setsockopt(level, option, _PROBE)
            sock.connect((address, 0))
            return _pinged(sock, raw=raw, v6=v6, seconds=seconds, size=size)
        except OSError as error:
            return Attempt(answer=Answer.FAILED, detail=_reason(error))


def well(url: str, seconds: float) -> Attempt:
    """Ask a health endpoint; only a 200 is well."""
    parts = urlsplit(url)
    try:
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        connection.request("GET", parts.path or "/", headers={"User-Agent": "bgpctl"})
        status = connection.getresponse().status
        connection.close()
    except TimeoutError:
        return Attempt(answer=Answer.SILENT, detail=f"no answer within {seconds:g} s")
    except ConnectionRefusedError:
        return Attempt(answer=Answer.REFUSED)
    except OSError as error:
        return Attempt(answer=Answer.FAILED, detail=f"{url}: {_reason(error)}")
    except (http.client.HTTPException, ValueError) as error:
        return Attempt(answer=Answer.FAILED, detail=f"{url}: {error}")
    if status == _OK:
        return Attempt(answer=Answer.YES)
    return Attempt(answer=Answer.FAILED, detail=f"{url} answered {status}")


def _opened(*, v6: bool) -> tuple[socket.socket, bool]:
    family = socket.AF_INET6 if v6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except OSError:
        return socket.socket(family, socket.SOCK_RAW, protocol), True


def _pinged(
    sock: socket.socket, *, raw: bool, v6: bool, seconds: float, size: int | None
) -> Attempt:
    token = os.urandom(_TOKEN)
    header = (_IPV6_HEADER if v6 else _IP_HEADER) + _ICMP_HEADER
    payload = token + bytes(max(0, (size or 0) - header - _TOKEN))
    began = time.monotonic()
    for number in range(_PINGS):
        head = (_ECHO_V6 if v6 else _ECHO, 0, 0, number, number)
        message = struct.pack("!BBHHH", *head) + payload
        if raw and not v6:
            checksum = internet_checksum(message + bytes(len(message) % 2))
            message = struct.pack("!BBHHH", head[0], 0, checksum, number, number) + payload
        try:
            sock.send(message)
        except OSError as error:
            # What an earlier echo met: the next one may be luckier, the last one's word counts.
            if error.errno == errno.EMSGSIZE or number + 1 == _PINGS:
                return Attempt(answer=Answer.SILENT, detail=_reason(error))
            continue
        if _answered(sock, token, began + seconds * (number + 1) / _PINGS, raw=raw, v6=v6):
            return Attempt(answer=Answer.YES)
    return Attempt(answer=Answer.SILENT)


def _answered(sock: socket.socket, token: bytes, until: float, *, raw: bool, v6: bool) -> bool:
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            return False
        try:
            data = sock.recv(_MOST)
        except OSError:
            continue
        reply = read_reply(data, v6=v6, with_ip_header=raw and not v6)
        if reply is not None and reply.payload.startswith(token):
            return True
    return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
