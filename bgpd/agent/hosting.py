"""What this node's network is to have for its peers and elastic IPs; `bgpd.host.keeper` has it.

Host routes for peers with a gateway, and elastic IPs of pools with `bindOnHost` on an interface of
ours: where a route to them is advertised, or withheld for health alone, since a probe of the
elastic IP needs the address. Until everything is decided on, nothing is taken away.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, Protocol

from bgpd.agent.lasting import Lasting
from bgpd.host.keeper import Keeper
from bgpd.host.wish import RouteWish, Wanted
from bgpd.kube.view import Objects
from bgpd.model.cluster import Service
from bgpd.model.configuration import IPAddressPool
from bgpd.model.errors import ConfigError
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, parse_address
from bgpd.model.status import Condition, HostStatus
from bgpd.policy.context import Context
from bgpd.policy.pools import index_of
from bgpd.telemetry import logs

_SHARE: Final = 0.1
"""The part of the time that may be spent on what to bind; ten thousand Services take a while."""
_AT_ONCE: Final = 200
"""Services that are looked at in one go."""
_REMEMBERED: Final = 100_000


class Plans(Protocol):
    """What was decided on (`bgpd.agent.planner.Planner`)."""

    @property
    def context(self) -> Context | None:
        """None: nothing yet."""

    @property
    def unwell(self) -> Container[str]:
        """The Services that health alone withholds here."""

    def advertises(self, service: str) -> bool:
        """Return whether *service* has a route here."""


class Hosting:
    """Keeps the host's routes and addresses as they are decided; `run` it in a task."""

    def __init__(
        self,
        plans: Plans,
        objects: Callable[[], Objects],
        log: logging.Logger,
        *,
        told: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        """Call *told* when there is news for people, *moved* when the host's addresses changed."""
        self._plans = plans
        self._objects = objects
        self._log = log
        self._told = told
        self._moved = moved
        self._keeper = Keeper(self._changed)
        # A provider's word on the source is checked against what the host has: it is known before
        # the first decision.
        self._keeper.want(Wanted(watch=True, keep=True))
        self.looked = asyncio.Event()
        """Whether the network was looked at once, or nobody could."""
        self._lasting = Lasting()
        self._unanswered = False
        """Whether a source was asked for while nobody had looked."""
        self._later: asyncio.TimerHandle | None = None
        self._complete = False
        self._decided = asyncio.Event()
        self._elastic = Elastic()

    async def run(self) -> None:
        """Keep them until cancelled; what is there then stays."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run(), name="keeper")
            group.create_task(self._following(), name="following")

    def follow(self, *, complete: bool) -> None:
        """Take in what was decided, soon; *complete*: no decision is missing."""
        self._complete = complete
        self._decided.set()

    async def _following(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._decided.wait()
            self._decided.clear()
            begun = clock()
            context = self._plans.context
            if context is not None:
                await self._follow(context)
            await asyncio.sleep((clock() - begun) / _SHARE)

    async def _follow(self, context: Context) -> None:
        complete, objects = self._complete, self._objects()
        documents = objects.all_peers
        pools = tuple(one for one in context.in_force.pools.values() if one.bind)
        self._elastic.choose(pools)
        found: set[Address] = set()
        services = objects.services if pools else ()
        for start in range(0, len(services), _AT_ONCE):
            for service in services[start : start + _AT_ONCE]:
                if self._carries(service.key):
                    found.update(self._elastic.of(service))
            # Ten thousand Services in one go would keep everything else from its turn.
            await asyncio.sleep(0)
        self._keeper.want(
            Wanted(
                routes=tuple(wishes(context.peers)),
                addresses=frozenset(found),
                interface=bool(pools),
                keep=not (complete and self._complete),
                uplinks=frozenset(one.address for one in context.peers),
                watch=any(one.provider is not None or one.gateway for one in documents),
            )
        )

    def _carries(self, service: str) -> bool:
        return self._plans.advertises(service) or service in self._plans.unwell

    @property
    def addresses(self) -> frozenset[Address] | None:
        """The host's own addresses without elastic IPs of ours, and without gaps; None: unknown."""
        return self._lasting.addresses

    def source_for(self, peer: Address, gateway: str = "") -> Address | None:
        """Return the host's address on the way to *peer*; None: none, or not known."""
        self._unanswered |= self._keeper.addresses is None
        return self._lasting.source(peer, gateway, self._keeper.source_for(peer, gateway))

    def owes_source(self) -> bool:
        """Return, once, whether there are sources now that were asked for too early."""
        owes = self._unanswered and self._keeper.addresses is not None
        if owes:
            self._unanswered = False
        return owes

    @property
    def status(self) -> HostStatus:
        """What `bgpctl get host` shows."""
        return self._keeper.status

    def conditions(self) -> Iterable[Condition]:
        """Return what a person should know."""
        return self._keeper.conditions

    def _changed(self, reports: tuple[str, ...]) -> None:
        for report in reports:
            logs.write(self._log, "warning", "host_restored", [("report", report)])
        self.looked.set()
        now, seen = asyncio.get_running_loop().time(), self._keeper.addresses
        if self._lasting.take(seen, now) or (self._unanswered and seen is not None):
            self._moved()
        self._wait_for_gaps()
        self._told()

    def _wait_for_gaps(self) -> None:
        """Look at the clock when an address was gone for longer than a moment."""
        due = self._lasting.deadline()
        if due is not None and self._later is None:
            self._later = asyncio.get_running_loop().call_at(due, self._gap_over)

    def _gap_over(self) -> None:
        self._later = None
        if self._lasting.again(asyncio.get_running_loop().time()):
            self._moved()
        self._wait_for_gaps()


def wishes(peers: Iterable[Peer]) -> Iterator[RouteWish]:
    """Yield a wish for each of *peers* that is reached over a gateway."""
    for peer in peers:
        if peer.gateway:
            yield RouteWish(
                peer=peer.name,
                destination=peer.address,
                gateway=peer.gateway,
                source=peer.local_address,
            )


class Elastic:
    """Finds the elastic IPs of the pools that are bound; each text is read once."""

    def __init__(self) -> None:
        self._pools: tuple[IPAddressPool, ...] = ()
        self._index = index_of(())
        self._known: dict[str, Address | None] = {}

    def choose(self, pools: tuple[IPAddressPool, ...]) -> None:
        """Go by these pools from now on."""
        if pools != self._pools or len(self._known) > _REMEMBERED:
            self._pools, self._index = pools, index_of(pools)
            self._known.clear()

    def of(self, service: Service) -> Iterator[Address]:
        """Yield those that *service* has."""
        for text in service.ingress:
            if text not in self._known:
                self._known[text] = self._read(text)
            address = self._known[text]
            if address is not None:
                yield address

    def _read(self, text: str) -> Address | None:
        try:
            address = parse_address(text)
        except ConfigError:
            return None
        return None if self._index.pool_of(ipaddress.ip_address(address)) is None else address
