"""From what the kernel answers to what is believed of the way to the peers.

Everything is asked anew each time (level, not edge): which hops lead to each peer, whether their
interfaces have carrier, what the neighbor table says of the next hops. Two things are remembered,
because the kernel forgets them just when they matter:

* the last route to a peer, since an interface that is set down takes its routes with it;
* the last state of each next hop. FAILED alone proves nothing: a person's `ip neigh flush` says
  it too, and an entry that failed an hour ago says so until somebody asks again. It counts when the
  kernel was seen asking (INCOMPLETE, PROBE) before; from then on only an answer counts, not that
  the entry was collected as garbage, nor that it is asked for once more.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

from bgpd.host.facts import HostFacts
from bgpd.host.rtnetlink import Hop, Link, Neighbor
from bgpd.model.health import Health
from bgpd.model.prefix import Address

_LINK_LOCAL: Final = "fe80:"
_ASKING: Final = Neighbor.INCOMPLETE | Neighbor.PROBE
_ANSWERS: Final = (
    Neighbor.REACHABLE
    | Neighbor.STALE
    | Neighbor.DELAY
    | Neighbor.PROBE
    | Neighbor.NOARP
    | Neighbor.PERMANENT
)


class Kernel(Protocol):
    """Who can be asked."""

    def hops(self, destination: Address) -> tuple[Hop, ...]:
        """Return the ways to *destination*; none: there is no route."""

    def link(self, index: int) -> Link | None:
        """Return an interface; None: it is gone."""

    def neighbor(self, index: int, address: Address) -> Neighbor:
        """Return the state of an entry of the neighbor table."""

    def resolve(self, index: int, address: Address, state: Neighbor) -> None:
        """Have the kernel look for a neighbor whose entry is in *state*."""


class Gateway(NamedTuple):
    """One entry of the neighbor table that a peer depends on."""

    interface: int
    address: Address


class Belief(NamedTuple):
    """What is believed of a next hop, and what the kernel said last."""

    health: Health = Health.UNKNOWN
    state: Neighbor = Neighbor.NONE


def believe(before: Belief, state: Neighbor) -> Belief:
    """Return what is believed once the kernel says *state*."""
    if state & _ANSWERS:
        return Belief(Health.HEALTHY, state)
    if state is Neighbor.FAILED and before.state & _ASKING:
        return Belief(Health.UNHEALTHY, state)
    lasting = before.health is Health.UNHEALTHY
    return Belief(Health.UNHEALTHY if lasting else Health.UNKNOWN, state)


class Observer:
    """Looks at the way to some peers, again and again."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._carriers: dict[int, bool | None] = {}
        self._paths: dict[Address, tuple[Hop, ...]] = {}
        self._names: dict[int, str] = {}
        self._beliefs: dict[Gateway, Belief] = {}

    @property
    def indexes(self) -> Collection[int]:
        """The interfaces whose changes matter."""
        return self._carriers.keys()

    @property
    def in_the_dark(self) -> bool:
        """Whether nobody has asked for a next hop of which nothing is known."""
        unasked = (Neighbor.NONE, Neighbor.FAILED)
        beliefs = self._beliefs.values()
        return any(one.health is Health.UNKNOWN and one.state in unasked for one in beliefs)

    def matters(self, index: int, address: Address | None) -> bool:
        """Return whether the entry of *address* in the neighbor table is one that is watched."""
        return address is not None and Gateway(index, address) in self._beliefs

    def carrier_moved(self) -> bool:
        """Return whether an interface has lost or found its carrier since the last look."""
        return any(
            _carrier(self._kernel.link(index)) is not before
            for index, before in self._carriers.items()
        )

    def look(self, peers: Iterable[Address]) -> HostFacts:
        """Return how things stand on the way to *peers*."""
        unreachable = self._find(sorted(set(peers)))
        links = self._links()
        self._carriers = {index: _carrier(link) for index, link in links.items()}
        wanted = self._gateways(links)
        self._beliefs = {
            each: believe(self._beliefs.get(each, Belief()), self._kernel.neighbor(*each))
            for each in wanted
        }
        return HostFacts(
            uplinks={
                self._names[index]: self._carriers[index]
                for index, link in links.items()
                if link is None or not link.loopback
            },
            gateways={self._label(each): one.health for each, one in self._beliefs.items()},
            unreachable=unreachable,
        )

    def ask(self) -> None:
        """Have the kernel look for each next hop: an entry that nobody asks for says nothing."""
        for (index, address), belief in self._beliefs.items():
            self._kernel.resolve(index, address, belief.state)

    def _find(self, peers: list[Address]) -> tuple[Address, ...]:
        """Learn the hops to each peer; return the peers without any."""
        unreachable = []
        paths = {}
        for peer in peers:
            hops = self._kernel.hops(peer)
            if not hops:
                unreachable.append(peer)
            paths[peer] = tuple(
                hop if hop.gateway else Hop(hop.interface, peer) for hop in hops
            ) or self._paths.get(peer, ())
        self._paths = paths
        return tuple(unreachable)

    def _links(self) -> dict[int, Link | None]:
        indexes = {hop.interface for hops in self._paths.values() for hop in hops}
        links = {index: self._kernel.link(index) for index in sorted(indexes)}
        names = {index: link.name for index, link in links.items() if link is not None}
        self._names = (
            {index: f"interface {index}" for index in links}
            | {index: name for index, name in self._names.items() if index in links}
            | names
        )
        return links

    def _gateways(self, links: dict[int, Link | None]) -> list[Gateway]:
        """Return the next hops that have an entry in the neighbor table."""
        found = {
            Gateway(hop.interface, hop.gateway)
            for hops in self._paths.values()
            for hop in hops
            if hop.gateway is not None
        }
        return sorted(each for each in found if _resolves(links[each.interface]))

    def _label(self, each: Gateway) -> str:
        if each.address.startswith(_LINK_LOCAL):
            return f"{each.address}%{self._names[each.interface]}"
        return each.address


def _resolves(link: Link | None) -> bool:
    return link is not None and link.resolves


def _carrier(link: Link | None) -> bool | None:
    return False if link is None else link.carrier
