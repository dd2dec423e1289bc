"""The network of a cluster with nodes: one segment with router, control plane and nodes; a client.

```
client ── router ──┬── control
     └ (second) ───┼── n1
                   └── n2 …
```

A second router is laid where somebody asks for it, with a cable of its own to the client.

Everything is in network namespaces below a private /run/netns: with the process that made them they
are gone. Nothing is linked to the machine's own network. Pods have addresses of their own, which
every box routes to the pod's node.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.error import EX_CONFIG, ClusterError

SPACES: Final = Path("/run/netns")
CONTROL: Final = "192.0.2.2"
ROUTER: Final = "192.0.2.1"
SECOND: Final = "192.0.2.3"
CLIENT: Final = "198.51.100.2"
BY_SECOND: Final = "198.51.100.5"
"""The second router as the client knows it."""
_CLONE_NEWNS: Final = 0x00020000
_SEGMENT4, _SEGMENT6 = "192.0.2", "2001:db8:0:1:"
_SWITCH: Final = "switch"
# The kernel looks at ports, too, when a route has several next hops, as routers in racks do.
_ROUTE_FLOWS = ("net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy")
_FORWARD = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


@dataclass(frozen=True, slots=True)
class Node:
    """A node by its number: name and addresses."""

    number: int

    @property
    def name(self) -> str:
        """The name of the node and of its namespace."""
        return f"n{self.number}"

    @property
    def addresses(self) -> tuple[str, str]:
        """Its own addresses, of both families."""
        return (f"{_SEGMENT4}.{10 + self.number}", f"{_SEGMENT6}:{10 + self.number}")

    @property
    def pods(self) -> tuple[str, str]:
        """The ranges of its pods."""
        return (f"10.244.{self.number}.0/24", f"fd00:244:0:{self.number}::/64")


PODS: Final = ("10.244.0.0/16", "fd00:244::/48")


def nodes(count: int) -> list[Node]:
    """Return *count* nodes."""
    return [Node(number) for number in range(1, count + 1)]


def path(name: str) -> Path:
    """Return the namespace *name*, as `setns` wants it."""
    return SPACES / name


def own_namespaces() -> None:
    """Give this process mounts of its own, with an empty /run/netns."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        why = os.strerror(ctypes.get_errno())
        raise ClusterError(f"a cluster with nodes needs mounts of its own: {why}", EX_CONFIG)
    SPACES.mkdir(exist_ok=True)
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "netns", str(SPACES))


def lay(count: int) -> None:
    """Make all namespaces and cables for *count* nodes."""
    for name in (_SWITCH, "client"):
        _run("ip", "netns", "add", name)
    _batch(_SWITCH, ["link add segment type bridge", "link set segment up"])
    _lay_station("router", (ROUTER, f"{_SEGMENT6}:1"), count)
    _lay_station("control", (CONTROL, f"{_SEGMENT6}:2"), count)
    for node in nodes(count):
        lay_node(node, count)
    _cable("client", "router", "client")
    _batch("router", _edge())
    _batch("client", _client())
    _sysctl("router", _ROUTE_FLOWS)


def lay_node(node: Node, count: int) -> None:
    """Make the namespace of *node* and its cable."""
    _lay_station(node.name, node.addresses, count)


def lay_second(count: int) -> None:
    """Make a second router on the segment, and its cable to the client."""
    _lay_station("second", (SECOND, f"{_SEGMENT6}:3"), count)
    _cable("client", "second", "client", "eth1")
    _batch("second", [f"addr add {BY_SECOND}/30 dev client", "link set client up"])
    _batch("client", ["addr add 198.51.100.6/30 dev eth1", "link set eth1 up"])
    # Nodes answer by their default route, which leads to the first.
    _batch("router", [f"route add 198.51.100.4/30 via {SECOND}"])
    _sysctl("second", _ROUTE_FLOWS)


def remove_second() -> None:
    """Remove it, whose processes have ended."""
    _batch("router", [f"route del 198.51.100.4/30 via {SECOND}"])
    _batch("client", ["link del eth1"])
    _batch(_SWITCH, ["link del second"])
    _run("ip", "netns", "del", "second")


def remove_node(node: Node) -> None:
    """Remove the cable and the namespace of *node*, whose processes have ended.

    What its kernel knew goes with it, as with the power: rules, pods, tracked connections.
    """
    _batch(_SWITCH, [f"link del {node.name}"])
    _run("ip", "netns", "del", node.name)


def unplug(name: str) -> None:
    """Take the cable of *name* out of the switch: silence, without loss of carrier."""
    _batch(_SWITCH, [f"link set {name} nomaster"])


def plug(name: str) -> None:
    """Put it in again."""
    _batch(_SWITCH, [f"link set {name} master segment"])


def _edge() -> Iterator[str]:
    """Yield what the router's end of the client's cable takes."""
    yield "addr add 198.51.100.1/30 dev client"
    yield "addr add 2001:db8:0:2::1/64 dev client nodad"
    yield "link set client up"


def _client() -> Iterator[str]:
    yield "link set lo up"
    yield f"addr add {CLIENT}/30 dev eth0"
    yield "addr add 2001:db8:0:2::2/64 dev eth0 nodad"
    yield "link set eth0 up"
    yield "route add default via 198.51.100.1"
    yield "route add ::/0 via 2001:db8:0:2::1"


def _cable(device: str, space: str, station: str, port: str = "eth0") -> None:
    """Lay a cable from *device* in *space* to *port* of *station*."""
    ends = ["netns", space, "type", "veth", "peer", "name", port, "netns", station]
    _run("ip", "link", "add", device, *ends)


def _lay_station(name: str, addresses: tuple[str, str], count: int) -> None:
    _run("ip", "netns", "add", name)
    _cable(name, _SWITCH, name)
    _batch(_SWITCH, [f"link set {name} master segment up"])
    _batch(name, _station(name, addresses, count))
    _sysctl(name, _FORWARD)


def _station(name: str, own: tuple[str, str], count: int) -> Iterator[str]:
    yield "link set lo up"
    # A machine keeps its card, also while it is off.
    yield f"link set eth0 address 02:00:00:00:00:{int(own[0].rpartition('.')[2]):02x}"
    yield f"addr add {own[0]}/24 dev eth0"
    yield f"addr add {own[1]}/64 dev eth0 nodad"
    yield "link set eth0 up"
    if name != "router":
        yield f"route add default via {ROUTER}"
        yield f"route add ::/0 via {_SEGMENT6}:1"
    for node in nodes(count):
        if node.name != name:
            for pods, gateway in zip(node.pods, node.addresses, strict=True):
                yield f"route add {pods} via {gateway}"


def _batch(space: str, lines: Iterable[str]) -> None:
    text = "\n".join(lines) + "\n"
    _run("nsenter", f"--net={path(space)}", "ip", "-batch", "-", given=text)


def _sysctl(space: str, names: Iterable[str]) -> None:
    line = "; ".join(f"echo 1 >/proc/sys/{name}" for name in names)
    _run("nsenter", f"--net={path(space)}", "sh", "-c", line)


def _run(*command: str, given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
