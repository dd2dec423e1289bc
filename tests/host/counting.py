"""Stories about connections to elastic IPs, counted by the kernel.

Clients are in the namespace `router`; `pod` is where an elastic IP is sent on to.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bgpd.host.connections import Census, census, connections, take
from bgpd.model.prefix import Prefix
from tests.host.net import FIRST, Story, powerless, run, told, until

EIP, EIP6 = "203.0.113.7", "2001:db8::7"
HERE, HERE6 = Prefix(f"{EIP}/32"), Prefix(f"{EIP6}/128")
SENT_ON, SENT_ON6 = Prefix("203.0.113.8/32"), Prefix("2001:db8::8/128")
PORT: Final = 8080
_ADDRESSES: Final = f"""
ip address add {EIP}/32 dev lo
ip address add {EIP6}/128 dev lo
ip -n router route add 203.0.113.0/24 via 10.0.0.1
ip -n router route add 2001:db8::/64 via fd00::1
"""
_POD: Final = f"""
ip netns add pod
ip -n pod link set lo up
ip link add pod0 type veth peer name eth0 netns pod
ip link set pod0 up
ip -n pod link set eth0 up
ip address add 10.244.1.1/24 dev pod0
ip address add fd00:10::1/64 dev pod0 nodad
ip -n pod address add 10.244.1.9/24 dev eth0
ip -n pod address add fd00:10::9/64 dev eth0 nodad
ip -n pod route add default via 10.244.1.1
ip -n pod route add default via fd00:10::1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
nft 'add table inet proxy;
add chain inet proxy to {{ type nat hook prerouting priority dstnat; }};
add rule inet proxy to ip daddr 203.0.113.8 tcp dport 80 dnat ip to 10.244.1.9:{PORT};
add rule inet proxy to ip6 daddr 2001:db8::8 tcp dport 80 dnat ip6 to [fd00:10::9]:{PORT}'
"""
_SERVER: Final = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print(flush=True)
kept = []
while True:
    kept.append(server.accept())
"""
_CLIENT: Final = """
import socket, sys
kept = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(int(sys.argv[3]))]
print(flush=True)
for line in sys.stdin:
    kept[0].shutdown(socket.SHUT_WR)
    print(flush=True)
"""


@contextmanager
def started(space: str, code: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run *code* in a namespace, from when it has said something until we leave."""
    line = ["ip", "netns", "exec", space, sys.executable, "-c", code, *map(str, words)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def counts(found: Census) -> dict[str, int]:
    """Return what was counted, without what is zero."""
    assert found.connections is not None, found.problems
    return {prefix: number for prefix, number in found.connections.items() if number}


async def sockets() -> object:
    """Count connections that end here, of both families, while they end one by one."""
    run(_ADDRESSES)
    seen = [counts(take((HERE, HERE6)))]
    with ExitStack() as stack:
        server = stack.enter_context(
            socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        )
        first = stack.enter_context(started("router", _CLIENT, EIP, PORT, 3))
        accepted = [stack.enter_context(server.accept()[0]) for _ in range(3)]
        stack.enter_context(started("router", _CLIENT, EIP6, PORT, 2))
        accepted += [stack.enter_context(server.accept()[0]) for _ in range(2)]
        seen.append(counts(take((HERE, HERE6))))
        assert first.stdin
        assert first.stdout
        first.stdin.write("\n")
        first.stdin.flush()
        first.stdout.readline()

        def ended() -> list[socket.socket]:
            return [one for one in accepted if not _has_more(one)]

        await until(ended, "we hear that one client has said all")
        half = ended()[0]
        seen.append(counts(take((HERE, HERE6))))  # the client has said all: still open
        half.close()
        await until(lambda: counts(take((HERE, HERE6))) == {HERE: 2, HERE6: 2}, "one has ended")
        accepted[4].close()
        await until(lambda: counts(take((HERE6,))) == {HERE6: 1}, "we have said all, nobody reads")
    left = await connections([HERE, HERE6, SENT_ON])
    return [*seen, left]


def _has_more(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return bool(one.recv(1))
    except BlockingIOError:
        return True


async def tracked() -> object:
    """Count connections that are sent on to a pod, asking for few addresses and for many."""
    run(_ADDRESSES + _POD)
    many = tuple(Prefix(f"203.0.113.{n}/32") for n in range(20))
    many += tuple(Prefix(f"2001:db8::{n:x}/128") for n in range(20))
    with ExitStack() as stack:
        stack.enter_context(started("pod", _SERVER, PORT))
        stack.enter_context(started("router", _CLIENT, "203.0.113.8", 80, 3))
        stack.enter_context(started("router", _CLIENT, "2001:db8::8", 80, 2))
        server = stack.enter_context(socket.create_server((EIP, PORT)))
        stack.enter_context(started("router", _CLIENT, EIP, PORT, 4))
        few = take((HERE, SENT_ON, SENT_ON6))
        all_, wide = take(many), take((Prefix("203.0.113.0/24"),))
        server.close()
    return {"few": counts(few), "many": counts(all_), "wide": counts(wide), "said": few.problems}


async def unprivileged() -> object:
    """Count without any capability."""
    run(_ADDRESSES)
    return await powerless(__spec__.name, "plain")


async def plain() -> object:
    """Count here."""
    found = await census([HERE])
    return [found.connections, found.problems]


async def late() -> object:
    """Count with no time for it."""
    found = await census([HERE, HERE6], seconds=-1.0)
    return [found.connections, found.problems]


async def meanwhile() -> object:
    """Count four hundred connections and see whether the loop has its turn."""
    run(_ADDRESSES)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with started("router", _SERVER, PORT), ExitStack() as stack:
        for _ in range(400):
            client = socket.create_connection((FIRST[0], PORT), source_address=(EIP, 0))
            stack.enter_context(client)
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(turn())
            found = await census([HERE])
            ticker.cancel()
    return {"found": counts(found), "turns": turns > 1}


STORIES: Final[dict[str, Story]] = {
    story.__name__: story for story in (sockets, tracked, unprivileged, plain, late, meanwhile)
}

if __name__ == "__main__":
    told(STORIES)
