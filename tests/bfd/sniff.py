"""Print the BFD packets on a link, one a line: source address, TTL, payload in hex.

Run inside a network namespace, with the device as argument; it ends with its stdin.
"""

import select
import socket
import sys

_ETHERNET, _V6_HEADER, _UDP = 14, 40, 8


def _print(frame: bytes) -> None:
    kind = int.from_bytes(frame[12:14], "big")
    packet = frame[_ETHERNET:]
    if kind == 0x0800 and packet[9] == socket.IPPROTO_UDP:
        source, ttl = socket.inet_ntop(socket.AF_INET, packet[12:16]), packet[8]
        udp = packet[4 * (packet[0] & 15) :]
    elif kind == 0x86DD and packet[6] == socket.IPPROTO_UDP:
        source, ttl = socket.inet_ntop(socket.AF_INET6, packet[8:24]), packet[7]
        udp = packet[_V6_HEADER:]
    else:
        return
    if int.from_bytes(udp[2:4], "big") in {3784, 4784}:
        length = int.from_bytes(udp[4:6], "big")
        print(source, ttl, udp[_UDP:length].hex(), flush=True)


def main() -> None:
    """Print until stdin ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((sys.argv[1], 0))
        while True:
            ready, _, _ = select.select([sock, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            _print(sock.recv(2048))


if __name__ == "__main__":
    main()
