"""Between what is decided and the speaker: a route to an elastic IP on the host waits for it.

`bgpd.agent.landing` says which; here the keeper of the host is asked, and told what is awaited.
Where no pool binds its addresses, messages go through as they are.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from bgpd.agent.elastic import Elastic, bound_pools
from bgpd.agent.landing import Landing, Ready
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.view import Objects
from bgpd.model.prefix import Address, Prefix
from bgpd.policy.context import Context
from bgpd.policy.merge import RouteKey
from bgpd.telemetry import logs


class Plans(Protocol):
    """What was decided on (`bgpd.agent.planner.Planner`)."""

    @property
    def context(self) -> Context | None:
        """None: nothing yet."""

    @property
    def services(self) -> Mapping[Prefix, tuple[str, ...]]:
        """Which Services each route stands for."""

    @property
    def replaced(self) -> Collection[RouteKey]:
        """The routes from before everything was decided on last."""


class Host(Protocol):
    """What is on the host (`bgpd.host.keeper.Keeper`)."""

    def has(self, address: Address) -> bool:
        """Return whether it surely has *address*."""

    def cannot(self, address: Address) -> bool:
        """Return whether it cannot have *address*."""


class Admitting:
    """Holds back what would come before its address."""

    def __init__(  # noqa: PLR0913 - it stands between three
        self,
        plans: Plans,
        objects: Callable[[], Objects],
        host: Host,
        log: logging.Logger,
        *,
        expect: Callable[[frozenset[Address]], None],
        landed: Callable[[Iterable[RouteKey]], None],
        anew: bool,
    ) -> None:
        """Have *host* get what it is to *expect*; tell *landed* of the routes that wait no more.

        *anew*: the speaker has no route when we begin.
        """
        self._plans = plans
        self._objects = objects
        self._host = host
        self._log = log
        self._expect = expect
        self._landed = landed
        self._anew = anew
        self._elastic = Elastic()
        self._seen: Context | None = None
        """The context that the last message was made under."""
        self._landing: Landing | None = None
        """None: no elastic IP is bound."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def partial(self) -> bool:
        """Whether routes of a whole state wait."""
        return self._landing is not None and self._landing.partial

    def passes(self, message: Desired | Delta | None) -> Desired | Delta | None:
        """Return what the speaker may hear of *message* now."""
        context = self._plans.context
        if context is not self._seen and context is not None:
            self._understand(context)
        if self._landing is None or message is None:
            return message
        before, found = self._landing.waiting, self._admit(self._landing, message)
        if self._landing.waiting and self._landing.waiting != before:
            report = f"{_named(self._landing.waiting)} waits until it is on this host"
            logs.write(self._log, "debug", "host_awaited", [("report", report)])
            self._expect(self.awaited())
            self._set_timer(self._landing)
        return found

    def awaited(self) -> frozenset[Address]:
        """Return the addresses that routes wait for."""
        if self._landing is None or not self._landing.waiting:
            return frozenset()
        needs = self._needs()
        return frozenset(address for prefix in self._landing.waiting for address in needs(prefix))

    def look(self) -> None:
        """Have the routes told whose addresses are there, or were waited for long enough."""
        landing = self._landing
        if landing is None or not landing.waiting:
            return
        free, late = landing.release(self._ready(), asyncio.get_running_loop().time())
        if late:
            named = _named([prefix for _, prefix in late])
            report = f"{named} is told, though its address has not come to this host"
            logs.write(self._log, "warning", "host_awaited", [("report", report)])
        if free or late:
            self._landed((*free, *late))
        self._set_timer(landing)

    def _understand(self, context: Context) -> None:
        """Find out whether any elastic IP is bound now."""
        first, self._seen = self._seen is None, context
        pools = bound_pools(context)
        self._elastic.choose(pools)
        if pools and self._landing is None:
            self._landing = Landing(self._plans.replaced if self._anew or not first else None)
        elif not pools and self._landing is not None and not self._landing.waiting:
            self._landing = None

    def _admit(self, landing: Landing, message: Desired | Delta) -> Desired | Delta:
        now, ready = asyncio.get_running_loop().time(), self._ready()
        if isinstance(message, Delta):
            # Also where nothing is left of it: the speaker counts them.
            advertise, withdraw = landing.change(message.advertise, message.withdraw, ready, now)
            return msgspec.structs.replace(message, advertise=advertise, withdraw=withdraw)
        routes = landing.everything(message.advertisements, ready, now)
        if not landing.partial:
            return message
        standing = msgspec.structs.replace(message.standing, partial=True)
        return msgspec.structs.replace(message, advertisements=routes, standing=standing)

    def _ready(self) -> Ready:
        host, needs = self._host, self._needs()
        return lambda prefix: all(host.has(one) or host.cannot(one) for one in needs(prefix))

    def _needs(self) -> Callable[[Prefix], Iterable[Address]]:
        """Return what tells which addresses a route needs on the host."""
        services: Mapping[Prefix, tuple[str, ...]] | None = None

        def behind(prefix: Prefix) -> list[Address]:
            nonlocal services
            services = self._plans.services if services is None else services
            found = (self._objects().service(one) for one in services.get(prefix, ()))
            bound = {one for each in found if each is not None for one in self._elastic.of(each)}
            block = ipaddress.ip_network(prefix)
            return [one for one in bound if ipaddress.ip_address(one) in block]

        def needs(prefix: Prefix) -> Iterable[Address]:
            address, _, length = prefix.partition("/")
            whole = length == ("128" if ":" in address else "32")
            return self._elastic.alone(address) if whole else behind(prefix)

        return needs

    def _set_timer(self, landing: Landing) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due, loop = landing.deadline(), asyncio.get_running_loop()
        self._timer = None if due is None else loop.call_at(due, self.look)


def _named(prefixes: Iterable[Prefix]) -> str:
    first, *others = dict.fromkeys(prefixes)
    return f"the route to {first} (and {len(others)} more)" if others else f"the route to {first}"
