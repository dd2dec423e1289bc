"""Build the links and addresses of a lab: text for `ip -batch`, then the one place that runs it."""

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.lab import providernet
from tests.lab.plan import (
    API_ADDRESS,
    FABRIC,
    LabError,
    Plan,
    management_address,
    node_address,
    number,
    router_address,
    router_space,
    uplink,
)

_CLONE_NEWNET: Final = 0x40000000
_HASH_PORTS = ("net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
_FORWARD = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", *_HASH_PORTS)
_ALL = (
    "net.ipv6.conf.all.accept_dad=0",
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv6.conf.default.accept_ra=0",
    "net.ipv6.conf.all.keep_addr_on_down=1",
    "net.ipv6.conf.default.keep_addr_on_down=1",
)


def namespaces(plan: Plan) -> tuple[str, ...]:
    """Return the network namespaces of *plan*."""
    routers = tuple(router_space(router) for router in plan.router_numbers)
    upstream = ("upstream",) if plan.routers > 1 else ()
    fabric = (FABRIC,) if plan.site else ()
    return ("client", *upstream, *routers, *fabric, *(("api",) if plan.api else ()), *plan.names)


def edge(plan: Plan) -> str:
    """Return the namespace of the router that the client is connected to."""
    return "upstream" if plan.routers > 1 else "router"


def links(plan: Plan) -> Iterator[str]:
    """Yield the `ip` commands, run in the world's own namespace, that make every cable."""
    yield f"link add c0 netns client type veth peer name tc netns {edge(plan)}"
    for router in plan.router_numbers:
        space = router_space(router)
        if plan.routers > 1:
            yield f"link add u{router} netns upstream type veth peer name u0 netns {space}"
        for name in () if plan.site else plan.names_at(router):
            device = f"e{plan.cable(router) - 1} netns {name}"
            yield f"link add {device} type veth peer name t{number(name)} netns {space}"
    if plan.site:
        yield from providernet.links(plan, edge(plan))
    if plan.api:
        for name in plan.names:
            yield f"link add m0 netns {name} type veth peer name m{number(name)} netns api"


def client_commands() -> Iterator[str]:
    """Yield the `ip` commands of the client."""
    yield "link set lo up"
    yield "addr add 198.18.0.2/24 dev c0"
    yield "addr add 2001:db8:c::2/64 dev c0 nodad"
    yield "link set c0 up"
    yield "route add default via 198.18.0.1"
    yield "route add ::/0 via 2001:db8:c::1"


def edge_commands() -> Iterator[str]:
    """Yield the `ip` commands of the client's cable at the router."""
    yield "addr add 198.18.0.1/24 dev tc"
    yield "addr add 2001:db8:c::1/64 dev tc nodad"
    yield "link set tc up"


def upstream_commands(plan: Plan) -> Iterator[str]:
    """Yield the `ip` commands of the upstream router."""
    yield "link set lo up"
    for router in plan.router_numbers:
        yield f"addr add {uplink(router)[0]}/31 dev u{router}"
        yield f"link set u{router} up"
        for name in plan.names_at(router) if plan.racks else ():
            # Heartbeats between racks go by the spine.
            yield f"route add {router_address(name, 4)}/31 via {uplink(router)[1]}"


def router_commands(plan: Plan, router: int = 1) -> Iterator[str]:
    """Yield the `ip` commands of a router."""
    yield "link set lo up"
    if plan.routers > 1:
        theirs, ours = uplink(router)
        yield f"addr add {ours}/31 dev u0"
        yield "link set u0 up"
        yield f"route add default via {theirs}"
    if plan.site:
        yield from providernet.router_commands(plan, router)
        return
    for name in plan.names_at(router):
        device, cable = f"t{number(name)}", plan.cable(router)
        yield f"addr add {router_address(name, 4, cable)}/31 dev {device}"
        yield f"addr add {router_address(name, 6, cable)}/127 dev {device} nodad"
        yield f"link set {device} up"


def api_commands(plan: Plan) -> Iterator[str]:
    """Yield the `ip` commands of the API server's side: a bridge with all nodes on it."""
    yield "link set lo up"
    yield "link add mgmt type bridge"
    yield f"addr add {API_ADDRESS}/16 dev mgmt"
    yield "link set mgmt up"
    for name in plan.names:
        yield f"link set m{number(name)} master mgmt up"


def node_commands(plan: Plan, name: str) -> Iterator[str]:
    """Yield the `ip` commands of one node; its kernel answers for whole pools."""
    if plan.site:
        yield from providernet.node_commands(plan, name)
        return
    yield "link set lo up"
    for cable in map(plan.cable, plan.routers_of(name)):
        device = f"e{cable - 1}"
        yield f"addr add {node_address(name, 4, cable)}/31 dev {device}"
        yield f"addr add {node_address(name, 6, cable)}/127 dev {device} nodad"
        yield f"link set {device} up"
    yield from node_routes(plan, name)
    if plan.routers > 1:
        # The members' addresses are those of this cable: heartbeats, too, go by it.
        yield f"route add 10.99.0.0/16 via {router_address(name, 4)} dev e0"
    if plan.api:
        yield f"addr add {management_address(name)}/16 dev m0"
        yield "link set m0 up"
    for version in plan.family.versions:
        yield f"route add local {plan.pool(version)} dev lo"


def node_routes(plan: Plan, name: str) -> Iterator[str]:
    """Yield the default routes of one node: they vanish when its links go down."""
    if plan.site:
        yield from providernet.node_routes(plan, name)
        return
    for version in (4, 6):
        hops = [
            f"via {router_address(name, version, cable)} dev e{cable - 1}"
            for cable in map(plan.cable, plan.routers_of(name))
        ]
        words = hops[0] if len(hops) == 1 else " ".join(f"nexthop {hop}" for hop in hops)
        yield f"route replace {'default' if version == 4 else '::/0'} {words}"


def build(plan: Plan) -> None:
    """Make every namespace, cable, address and route of *plan* in this world."""
    for namespace in namespaces(plan):
        run("ip", "netns", "add", namespace)
        configure(namespace, _ALL)
    batch(links(plan))
    for router in plan.router_numbers:
        configure(router_space(router), _FORWARD)
        batch(router_commands(plan, router), router_space(router))
    if plan.routers > 1:
        configure("upstream", _FORWARD)
        batch(upstream_commands(plan), "upstream")
        for name in plan.names:
            configure(name, _HASH_PORTS)
    batch(edge_commands(), edge(plan))
    if plan.site:
        configure(FABRIC, providernet.SYSCTLS)
        batch(providernet.edge_commands(), edge(plan))
        batch(providernet.fabric_commands(plan), FABRIC)
        run(*inside(FABRIC), "nft", "-f", "-", text=providernet.refusals(plan))
    batch(client_commands(), "client")
    if plan.api:
        batch(api_commands(plan), "api")
    for name in plan.names:
        batch(node_commands(plan, name), name)


def configure(namespace: str, settings: Iterable[str]) -> None:
    """Write sysctl *settings* of one namespace: /proc/sys/net shows that of whoever looks."""
    with within(namespace):
        for setting in settings:
            name, value = setting.split("=")
            Path("/proc/sys", *name.split(".")).write_text(value)


def batch(commands: Iterable[str], namespace: str | None = None) -> None:
    """Run `ip` *commands* in *namespace*, all in one process."""
    where = ("-n", namespace) if namespace else ()
    run("ip", *where, "-batch", "-", text="\n".join(commands) + "\n")


def inside(namespace: str) -> tuple[str, ...]:
    """Return the words that put a command into the network namespace of this world."""
    return ("nsenter", f"--net=/run/netns/{namespace}", "--")


def run(*command: str, text: str | None = None) -> str:
    """Run *command* to its end and return its output; raise with its own words otherwise."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class within:  # noqa: N801 - reads as a statement
    """Be in another network namespace of this world for a moment (this thread only)."""

    def __init__(self, namespace: str) -> None:
        """Name the namespace."""
        self._target = f"/run/netns/{namespace}"
        self._home = -1

    def __enter__(self) -> None:
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        target = os.open(self._target, os.O_RDONLY)
        _setns(target)
        os.close(target)

    def __exit__(self, *_: object) -> None:
        _setns(self._home)
        os.close(self._home)


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
