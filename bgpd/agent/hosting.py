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
from bgpd.policy.pools import PoolIndex, index_of
from bgpd.telemetry import logs

_SHARE: Final = 0.1
"""The part of the time that may be spent on what to bind; ten thousand Services take a while."""


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
        self._addresses: frozenset[Address] | None = None
        self._complete = False
        self._timer: asyncio.TimerHandle | None = None
        self._pause = 0.0

    async def run(self) -> None:
        """Keep them until cancelled; what is there then stays."""
        try:
            await self._keeper.run()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def follow(self, *, complete: bool) -> None:
        """Take in what was decided, soon; *complete*: no decision is missing."""
        self._complete = complete
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pause, self._follow)

    def _follow(self) -> None:
        self._timer = None
        clock = asyncio.get_running_loop().time
        begun = clock()
        objects, context = self._objects(), self._plans.context
        if context is not None:
            peers = objects.all_peers
            pools = [one for one in context.in_force.pools.values() if one.bind]
            self._keeper.want(
                Wanted(
                    routes=tuple(wishes(context.peers)),
                    addresses=frozenset(bound(objects.services, pools, self._carries)),
                    interface=bool(pools),
                    keep=not self._complete,
                    uplinks=frozenset(one.address for one in context.peers),
                    watch=any(one.provider is not None or one.gateway for one in peers),
                )
            )
        self._pause = (clock() - begun) / _SHARE

    def _carries(self, service: str) -> bool:
        return self._plans.advertises(service) or service in self._plans.unwell

    @property
    def addresses(self) -> frozenset[Address] | None:
        """The host's own addresses, without elastic IPs of ours; None: not known."""
        return self._keeper.addresses

    def source_for(self, peer: Address, gateway: str = "") -> Address | None:
        """Return the host's address on the way to *peer*; None: none, or not known."""
        return self._keeper.source_for(peer, gateway)

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
        if self._keeper.addresses != self._addresses:
            self._addresses = self._keeper.addresses
            self._moved()
        self._told()


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


def bound(
    services: Iterable[Service],
    pools: Iterable[IPAddressPool],
    carries: Callable[[str], bool],
) -> Iterator[Address]:
    """Yield the elastic IPs of *pools* that belong to Services which this node *carries*."""
    index = index_of(pools)
    if not any(index.blocks.values()):
        return
    for service in services:
        if carries(service.key):
            yield from (one for text in service.ingress for one in _held(text, index))


def _held(text: str, index: PoolIndex) -> Iterator[Address]:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    if index.pool_of(ipaddress.ip_address(address)) is not None:
        yield address
