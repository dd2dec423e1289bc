"""What one lab looks like: how many nodes, which router, which addresses. No I/O.

```
client 198.18.0.2 ── router ─┬─ 10.99.1.0/31 ── n1      each node: speaker, agent, echo
                             ├─ 10.99.2.0/31 ── n2      elastic IPs: 203.0.113.0/24
                             └─ 10.99.3.0/31 ── n3      (198.19.0.0/16 for more than 200)

with `--source kubernetes`, on a bridge that neither BGP nor the mesh uses:
api 10.98.0.1 ─────────────────┬─ 10.98.1.1 ── n1
                               └─ 10.98.2.1 ── n2 …

with `--routers 2`, where every node has a cable to each and a session with each:
client 198.18.0.2 ── upstream ─┬─ 10.95.1.0/31 ── router  ── 10.99.N.0/31 ── nN
                               └─ 10.95.2.0/31 ── router2 ── 10.97.N.0/31 ── nN

with `--topology two-racks`, where each node has the router of its rack alone:
client 198.18.0.2 ── upstream ─┬─ 10.95.1.0/31 ── router  ── 10.99.N.0/31 ── n1, n3, …
                     (a spine) └─ 10.95.2.0/31 ── router2 ── 10.99.N.0/31 ── n2, n4, …
```
"""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

from tests.lab.provider import SITES, ProviderName, Site
from tests.tool import ToolError

CLUSTER_UID = "lab"
NODE_ASN = 65000
ROUTER_ASN = 65530
UPSTREAM_ASN = 65540
MESH_PORT = 7179
ECHO_PORT = 7
MOST_NODES = 60
MOST_LOCAL_SERVICES = 2000
"""Each takes a port for its health checks, of the 2768 that an API server has to give."""
API_ADDRESS = "10.98.0.1"
API_PORT = 6443
EX_CONFIG = 78
"""Exit status where a person has to change something first (sysexits)."""


FABRIC = "fabric"
"""The namespace of a provider's network, between its routers and the nodes."""


class LabError(ToolError):
    """The lab cannot do what was asked of it."""


class RouterName(StrEnum):
    """The routers that the lab knows how to start."""

    BIRD = "bird"
    FRR = "frr"
    GOBGP = "gobgp"
    OPENBGPD = "openbgpd"

    @property
    def forwards(self) -> bool:
        """Whether it fills a kernel table, so that packets can be counted."""
        return self in {RouterName.BIRD, RouterName.FRR}


class FamilyChoice(StrEnum):
    """Which elastic IPs and sessions exist."""

    V4 = "v4"
    V6 = "v6"
    DUAL = "dual"

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions in use."""
        return {"v4": (4,), "v6": (6,), "dual": (4, 6)}[self.value]


class SourceName(StrEnum):
    """Where the agents read their documents."""

    DIRECTORY = "directory"
    KUBERNETES = "kubernetes"


class Restart(StrEnum):
    """Who restarts a process that ended."""

    SYSTEMD = "systemd"
    KUBELET = "kubelet"


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdPlan:
    """How fast BFD is between nodes and routers."""

    interval: int
    """Milliseconds, both ways and at both ends."""
    multiplier: int

    def __str__(self) -> str:
        return f"{self.interval}x{self.multiplier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One lab, complete: the same plan builds the same world."""

    router: RouterName = RouterName.BIRD
    nodes: int = 3
    services: int = 12
    family: FamilyChoice = FamilyChoice.V4
    hold: int = 90
    restart: Restart = Restart.SYSTEMD
    zebra_work_queue: int | None = None
    """FRR: milliseconds that zebra holds a route; None leaves its default of 10."""
    quick: bool = False
    """Shorten the faults that repeat for a minute, as the tests do."""
    source: SourceName = SourceName.DIRECTORY
    outage: float | None = None
    """Seconds for which the API server is away; None leaves it to the fault."""
    routers: int = 1
    """1, or 2 with an upstream router before them."""
    bfd: BfdPlan | None = None
    """None: nodes and routers speak no BFD."""
    graceful_restart: int | None = None
    """Seconds for which routers keep the routes of a speaker that restarts; None: not at all."""
    takeover: str | None = None
    """`spec.takeover.mode` of the peers; None leaves its default."""
    egress: bool = False
    """Whether nodes move their default route away from a router that is down."""
    lever: str | None = None
    """`spec.takeover.lever` of the peers; None leaves its default."""
    racks: bool = False
    """Whether each node has a session with the router of its rack alone."""
    provider: ProviderName | None = None
    """Whose network it stands for; None: nobody's, and every router is one hop away."""

    @property
    def api(self) -> bool:
        """Whether there is an API server."""
        return self.source is SourceName.KUBERNETES

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names, n1 first."""
        return tuple(f"n{i}" for i in range(1, self.nodes + 1))

    def pool(self, version: int) -> str:
        """Return the pool that elastic IPs of *version* come from."""
        if version == 6:
            return "2001:db8:e::/112"
        return "203.0.113.0/24" if self.services <= 200 else "198.19.0.0/16"

    def elastic_ip(self, service: int, version: int) -> str:
        """Return the elastic IP of Service number *service*, counted from 1."""
        return str(ipaddress.ip_network(self.pool(version))[service + 9])

    def prefix(self, service: int, version: int) -> str:
        """Return the host prefix of Service number *service*."""
        return f"{self.elastic_ip(service, version)}/{128 if version == 6 else 32}"

    def prefixes(self) -> frozenset[str]:
        """Return every prefix that the router should hold when all is well."""
        return frozenset(
            self.prefix(service, version)
            for version in self.family.versions
            for service in range(1, self.services + 1)
        )

    @property
    def site(self) -> Site | None:
        """The provider's network."""
        return SITES[self.provider] if self.provider else None

    @property
    def session_versions(self) -> tuple[int, ...]:
        """The IP versions of the sessions, each of which may carry routes of both."""
        versions = self.family.versions
        return self.site.versions(versions) if self.site else versions

    def session_address(self, name: str, version: int, router: int = 1) -> str:
        """Return the address from which node *name* speaks with *router* over IP *version*."""
        if self.site:
            return self.site.node(number(name), version)
        return node_address(name, version, self.cable(router))

    def cable(self, router: int) -> int:
        """Return which cable of its nodes leads to *router*: in a rack they have only one."""
        return 1 if self.racks else router

    def routers_of(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the routers that node *name* has a cable to."""
        if self.racks:
            return (1 + (number(name) - 1) % self.routers,)
        return self.router_numbers

    def names_at(self, router: int) -> tuple[str, ...]:
        """Return the nodes that have a cable to *router*."""
        return tuple(name for name in self.names if router in self.routers_of(name))

    def router_asn(self, router: int) -> int:
        """Return the AS number of *router*: each rack has its own."""
        if self.site:
            return self.site.router_asn
        return ROUTER_ASN + router if self.racks else ROUTER_ASN

    def gateways(self, version: int, router: int = 1) -> dict[str, str]:
        """Return node name -> its address on *router*, which is the next hop of its routes."""
        carrier = self.site.transports[version] if self.site else version
        return {name: self.session_address(name, carrier, router) for name in self.names}

    def router_addresses(self) -> tuple[str, ...]:
        """Return the addresses of a provider's routers, by which sessions of the plan are known."""
        return self.site.routers[self.session_versions[0]] if self.site else ()

    def host_address(self, name: str, version: int) -> str:
        """Return the address that the Node of *name* tells Kubernetes, and members the mesh."""
        if self.site:
            return self.site.node(number(name), version)
        return node_address(name, version)

    def cut_spaces(self) -> tuple[str, ...]:
        """Return the namespaces in which the other ends of the nodes' cables are."""
        if self.site:
            return (FABRIC,)
        return tuple(router_space(router) for router in self.router_numbers)

    @property
    def router_numbers(self) -> tuple[int, ...]:
        """The numbers of the routers, from 1."""
        return tuple(range(1, self.routers + 1))


def number(name: str) -> int:
    """Return 3 for n3."""
    return int(name[1:])


def node_address(name: str, version: int, router: int = 1) -> str:
    """Return the address of a node on its link to *router*."""
    if version == 6:
        return f"2001:db8:{_NETS[router]}:{number(name):x}::b"
    return f"10.{_NETS[router]}.{number(name)}.1"


def management_address(name: str) -> str:
    """Return the address by which node *name* speaks to the API server."""
    return f"10.98.{number(name)}.1"


def router_address(name: str, version: int, router: int = 1) -> str:
    """Return the address of *router* on its link to node *name*."""
    if version == 6:
        return f"2001:db8:{_NETS[router]}:{number(name):x}::a"
    return f"10.{_NETS[router]}.{number(name)}.0"


def router_space(router: int) -> str:
    """Return the network namespace of a router: `router`, `router2`."""
    return "router" if router == 1 else f"router{router}"


def router_id(router: int) -> str:
    """Return the BGP identifier of a router."""
    return f"169.254.255.{router}"


def uplink(router: int) -> tuple[str, str]:
    """Return the addresses of the upstream and of *router* on the link between them."""
    return f"10.95.{router}.0", f"10.95.{router}.1"


_NETS = {1: 99, 2: 97}
