"""What this node's network is to have for its peers and elastic IPs; `bgpd.host.keeper` has it.

Host routes for peers with a gateway, and elastic IPs of pools with `bindOnHost` on an interface of
ours: where a route to them is advertised, or withheld for health alone, since a probe of the
elastic IP needs the address. Until everything is decided on, nothing is taken away. A route to an
elastic IP that is bound waits for its address (`bgpd.agent.landing`).
"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Final, Protocol

from bgpd.agent import admitting
from bgpd.agent.admitting import Admitting
from bgpd.agent.elastic import Elastic, bound_pools
from bgpd.agent.landing import Staying
from bgpd.agent.lasting import Lasting
from bgpd.host.keeper import Keeper
from bgpd.host.wish import RouteWish, Wanted
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.view import Objects
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, HostStatus
from bgpd.policy.context import Context
from bgpd.policy.merge import RouteKey
from bgpd.telemetry import logs

_SHARE: Final = 0.1
"""The part of the time that may be spent on what to bind; ten thousand Services take a while."""
_AT_ONCE: Final = 200
"""Services that are looked at in one go."""


class Plans(admitting.Plans, Protocol):
    """What was decided on (`bgpd.agent.planner.Planner`)."""

    @property
    def unwell(self) -> Container[str]:
        """The Services that health alone withholds here."""

    def advertises(self, service: str) -> bool:
        """Return whether *service* has a route here."""


class Hosting:
    """Keeps the host's routes and addresses as they are decided; `run` it in a task."""

    def __init__(  # noqa: PLR0913 - the driver hears of three things
        self,
        plans: Plans,
        objects: Callable[[], Objects],
        log: logging.Logger,
        *,
        told: Callable[[], None],
        moved: Callable[[], None],
        landed: Callable[[Iterable[RouteKey]], None],
        anew: bool,
    ) -> None:
        """Call *told* when there is news for people, *moved* when the host's addresses changed.

        *landed* hears which routes wait no more. *anew*: the speaker has none when we begin.
        """
        self._plans = plans
        self._objects = objects
        self._log = log
        self._told = told
        self._moved = moved
        self._keeper = Keeper(self._changed, looked=self._looked)
        # A provider's word on the source is checked against what the host has: it is known before
        # the first decision.
        self._wish = Wanted(watch=True, keep=True)
        self._keeper.want(self._wish)
        self.looked = asyncio.Event()
        """Whether the network was looked at once, or nobody could."""
        self._lasting = Lasting()
        self._unanswered = False
        """Whether a source was asked for while nobody had looked."""
        self._later: asyncio.TimerHandle | None = None
        self._complete = False
        self._decided = asyncio.Event()
        self._elastic = Elastic()
        self._left = False
        self._staying = Staying()
        self._admitting = Admitting(
            plans, objects, self._keeper, log, expect=self._expect, landed=landed, anew=anew
        )

    async def run(self) -> None:
        """Keep them until cancelled; what is there then stays."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run(), name="keeper")
            group.create_task(self._following(), name="following")

    def follow(self, *, complete: bool) -> None:
        """Take in what was decided, soon; *complete*: no decision is missing."""
        self._complete = complete
        self._decided.set()

    def passes(self, message: Desired | Delta | None) -> Desired | Delta | None:
        """Return what the speaker may hear of *message* now; the rest is *landed* later."""
        return self._admitting.passes(message)

    @property
    def partial(self) -> bool:
        """Whether routes of a whole state wait for their addresses."""
        return self._admitting.partial

    def leave(self) -> None:
        """Take everything of ours back, and want nothing any more."""
        self._left = True
        self._keeper.want(Wanted())

    async def _following(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._decided.wait()
            self._decided.clear()
            begun = clock()
            context = self._plans.context
            if context is not None and not self._left:
                await self._follow(context)
            await asyncio.sleep((clock() - begun) / _SHARE)

    async def _follow(self, context: Context) -> None:
        complete, objects = self._complete, self._objects()
        documents = objects.all_peers
        pools = bound_pools(context)
        self._elastic.choose(pools)
        found: set[Address] = set()
        services = objects.services if pools else ()
        for start in range(0, len(services), _AT_ONCE):
            for service in services[start : start + _AT_ONCE]:
                if self._carries(service.key):
                    found.update(self._elastic.of(service))
            # Ten thousand Services in one go would keep everything else from its turn.
            await asyncio.sleep(0)
        if self._left:
            return
        addresses = self._stay(self._admitting.awaited().union(found))
        self._wish = Wanted(
            routes=tuple(wishes(context.peers)),
            addresses=addresses,
            interface=bool(pools or addresses),
            keep=not (complete and self._complete),
            uplinks=frozenset(one.address for one in context.peers),
            watch=any(one.provider is not None or one.gateway for one in documents),
        )
        self._keeper.want(self._wish)

    def _expect(self, addresses: frozenset[Address]) -> None:
        """Have these *addresses*, too, without the usual rest: routes wait for them."""
        if not self._left:
            every = self._wish.addresses | addresses
            self._wish = replace(self._wish, addresses=every, interface=True)
            self._keeper.want(self._wish)

    def _stay(self, wanted: frozenset[Address]) -> frozenset[Address]:
        """Return *wanted*, and what routers may not have let go of yet; look again in time."""
        loop = asyncio.get_running_loop()
        found = self._staying.keep(wanted, self._wish.addresses, loop.time())
        due = self._staying.deadline()
        if due is not None:
            loop.call_at(due, self._decided.set)
        return found

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

    def _looked(self) -> None:
        self._admitting.look()

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
