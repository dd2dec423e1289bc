"""Have replies leave by the routers that are alive: the opt-in `host.egress`.

`set_down` says which routers are down; what to do about it is decided and done in a thread, at
every change of theirs and of a default route. Until it is called for the first time nothing is
known and nothing changes. At the end everything is put back.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bgpd.host import rtnetlink, wire
from bgpd.host.defaultroute import PROTOCOL, is_default
from bgpd.host.egressroutes import Outcome, Replace, Routes
from bgpd.host.inventory import interface_index
from bgpd.host.netlink import Events, because
from bgpd.model.errors import BgpdError
from bgpd.model.prefix import Address

_AGAIN_SECONDS: Final = 5.0
_GROUPS: Final = (1, 5, 7, 9, 11)
"""RTNLGRP: links, addresses and routes of IPv4 and of IPv6. The kernel says nothing of the IPv4
routes that it takes together with an interface or its last address."""
_PROTOCOL_OFFSET: Final = 5
"""Of rtm_protocol in struct rtmsg."""


class Egress:
    """Keeps the default routes off the routers that are down, while it runs."""

    def __init__(
        self, directory: Path, *, write: Replace, changed: Callable[[], None] = lambda: None
    ) -> None:
        """Remember in *directory*; *changed* is called in the loop when there is news.

        *write* is called in a thread.
        """
        self.outcome = Outcome()
        """How it stands, in sentences."""
        self._changed = changed
        self._routes = Routes(directory, write)
        self._down: frozenset[Address] | None = None
        self._work = asyncio.Event()

    def set_down(self, routers: Iterable[Address]) -> None:
        """Avoid these routers, and no others."""
        down = frozenset(routers)
        if down != self._down:
            self._down = down
            self._work.set()

    async def run(self) -> None:
        """Work until cancelled; then everything is as it was."""
        try:
            with self._listening():
                while True:
                    await self._work_to_do()
                    if self._down is not None:
                        await self._settle(self._down)
        finally:
            self._routes.settle(frozenset())

    async def _work_to_do(self) -> None:
        """Wait for a change; where something could not be done, not for ever."""
        try:
            async with asyncio.timeout(_AGAIN_SECONDS if self.outcome.unfinished else None):
                await self._work.wait()
        except TimeoutError:
            return
        self._work.clear()

    async def _settle(self, down: frozenset[Address]) -> None:
        before = self.outcome
        self.outcome = await asyncio.to_thread(self._routes.settle, down)
        if self.outcome != before:
            self._changed()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Have changes of the default routes wake us; without, only those of routers do."""
        try:
            events = Events(_GROUPS)
        except (BgpdError, OSError) as error:
            self.outcome = Outcome(problems=(f"changes of routes are not heard: {because(error)}",))
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(events.fileno(), self._heard, events)
        try:
            yield
        finally:
            loop.remove_reader(events.fileno())
            events.close()

    def _heard(self, events: Events) -> None:
        for message in events.heard():
            if message is None or self._matters(message):
                self._work.set()

    def _matters(self, message: wire.Message) -> bool:
        if message.kind in (rtnetlink.NEWLINK, rtnetlink.DELLINK):
            return rtnetlink.link_index(message.body) in self._routes.interfaces
        if message.kind in (rtnetlink.NEWADDR, rtnetlink.DELADDR):
            return interface_index(message.body) in self._routes.interfaces
        # Our own doing is no news; that somebody takes it away is.
        ours = (rtnetlink.NEWROUTE, PROTOCOL)
        return is_default(message.body) and (message.kind, message.body[_PROTOCOL_OFFSET]) != ours


async def put_back(directory: Path, *, write: Replace) -> Outcome:
    """Undo what a run that was killed has left, for who does not move routes any more."""
    routes = Routes(directory, write)
    return await asyncio.to_thread(routes.settle, frozenset()) if routes.remembered else Outcome()
