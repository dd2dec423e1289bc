"""Send BFD packets that nobody should believe: run inside a router's namespace.

Arguments: source address, destination address, TTL, how many, seed. Each is random bytes, or a
packet with one thing wrong.
"""

import random
import socket
import sys

from bgpd.bfd.packet import AuthSection, ControlPacket, State, encode


def spoiled(chance: random.Random) -> bytes:
    """Return a packet that is wrong in one way, or no packet at all."""
    good = encode(
        ControlPacket(
            state=chance.choice(list(State)),
            detect_mult=chance.randint(1, 255),
            my_discr=chance.randint(1, 2**32 - 1),
            your_discr=chance.randint(1, 2**32 - 1),
            desired_min_tx=chance.randint(0, 2**32 - 1),
            required_min_rx=chance.randint(0, 2**32 - 1),
            poll=chance.random() < 0.5,
            auth=chance.choice([None, AuthSection(type=5, key_id=3, sequence=7)]),
        )
    )
    match chance.randint(0, 4):
        case 0:
            return chance.randbytes(chance.randint(0, 200))
        case 1:
            return good[: chance.randint(0, len(good) - 1)]
        case 2:
            return bytes([good[0] ^ 0x60, *good[1:]])
        case 3:
            return good[:2] + b"\0" + good[3:]
        case _:
            return good


def main() -> None:
    """Send."""
    source, destination, ttl, count, seed = sys.argv[1:]
    chance = random.Random(int(seed))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(ttl))
        sock.bind((source, 0))
        for _ in range(int(count)):
            sock.sendto(spoiled(chance), (destination, 3784))


if __name__ == "__main__":
    main()
