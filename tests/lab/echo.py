"""A node's workload: UDP and TCP echo on port 7 that appends the node's name.

One socket a family answers for every elastic IP, because the kernel says which address a packet
came to (IP_PKTINFO) and the answer leaves from there.

`GET /slow/N` on a connection is answered like HTTP, a line at a time for N seconds, then closed.
"""

import selectors
import socket
import struct
import sys
import time

_ANSWERS_A_WAKE = 64
_IPV6_FREEBIND = 78  # linux/in6.h; elastic IPs are routes to lo, not addresses
_SO_RCVBUFFORCE = 33
_ROOM = 8 << 20
"""Nodes share the processors of one machine: what waits for its turn is not to be lost."""
_IP_PKTINFO = 8  # linux/in.h; the socket module does not name it before Python 3.12


def udp(family: socket.AddressFamily, port: int) -> socket.socket:
    """Return a socket that hears every local address of *family*."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    sock.bind(("", port))
    sock.setblocking(False)
    return sock


def answer(sock: socket.socket, name: bytes) -> None:
    """Answer what has arrived, at most a batch at a time."""
    for _ in range(_ANSWERS_A_WAKE):
        try:
            payload, ancillary, _, source = sock.recvmsg(256, 64)
        except OSError:
            return
        if sock.family == socket.AF_INET:
            _, local, _ = struct.unpack("=I4s4s", ancillary[0][2])
            back = [(socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=I4s4s", 0, local, local))]
        else:
            address = ancillary[0][2][:16]
            packed = address + struct.pack("=I", 0)
            back = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)]
        try:
            sock.sendmsg([payload, name], back, 0, source)
        except OSError:
            continue


def tcp(family: socket.AddressFamily, port: int) -> socket.socket:
    """Return a socket that accepts on every local address of *family*."""
    sock = socket.create_server(
        ("", port), family=family, backlog=64, dualstack_ipv6=False, reuse_port=False
    )
    sock.setblocking(False)
    return sock


class Slow:
    """An answer that takes its time, so that a request is in flight for long."""

    EVERY = 0.1
    HEAD = b"GET /slow/"

    def __init__(self, sock: socket.socket, said: bytes, now: float) -> None:
        """Promise a body of so many lines, and write the first one soon."""
        self.sock = sock
        self.left = int(float(said[len(self.HEAD) :].split()[0]) / self.EVERY)
        self.due = now
        length = self.left * len(LINE)
        sock.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length)

    def step(self, now: float) -> bool:
        """Write a line when it is time; tell whether more are to come."""
        try:
            while self.left and now >= self.due:
                self.sock.send(LINE)
                self.left -= 1
                self.due += self.EVERY
        except OSError:
            self.left = 0
        return self.left > 0


LINE = b"." * 63 + b"\n"


def converse(
    selector: selectors.BaseSelector, sock: socket.socket, name: bytes, slow: list[Slow]
) -> None:
    """Send back what one connection said, and the name; close it when it ends."""
    try:
        said = sock.recv(4096)
        if said.startswith(Slow.HEAD):
            slow.append(Slow(sock, said, time.monotonic()))
            selector.unregister(sock)
            return
        if said:
            sock.send(said + name + b"\n")
            return
    except OSError:
        pass
    selector.unregister(sock)
    sock.close()


def main() -> None:
    """Echo until killed: `echo.py NAME PORT`."""
    name, port = sys.argv[1].encode(), int(sys.argv[2])
    selector = selectors.DefaultSelector()
    slow: list[Slow] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        selector.register(udp(family, port), selectors.EVENT_READ, "udp")
        selector.register(tcp(family, port), selectors.EVENT_READ, "tcp")
    while True:
        for key, _ in selector.select(Slow.EVERY / 4 if slow else None):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if key.data == "udp":
                answer(sock, name)
            elif key.data == "tcp":
                connection, _ = sock.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, "connection")
            else:
                converse(selector, sock, name, slow)
        now = time.monotonic()
        for answering in [each for each in slow if not each.step(now)]:
            slow.remove(answering)
            answering.sock.close()


if __name__ == "__main__":
    main()
