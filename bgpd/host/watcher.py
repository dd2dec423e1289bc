"""Tell the agent within milliseconds when a cable or a gateway is gone.

A thread waits for the kernel's events and looks at everything again when one matters, and each
second in any case. The loop only ever hears a finished `HostFacts`.
"""

import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Final

from bgpd.host import rtnetlink, wire
from bgpd.host.facts import HostFacts
from bgpd.host.netlink import Events, NetlinkKernel, because
from bgpd.host.observer import Observer
from bgpd.host.woken import WokenThread
from bgpd.model.prefix import Address

ASK_SECONDS: Final = 1.0
"""How often the kernel is made to ask for the next hops, and all is looked at."""
CARRIER_SECONDS: Final = 0.1
"""How often the interfaces are asked for their carrier: the kernel tells of a lost one at once, but
not when another was told of within the last second (net/core/link_watch.c)."""
_CALM_SECONDS: Final = 0.05
"""Routes that come and go by the hundred are looked at this often."""
_HURRY_SECONDS: Final = 0.1
"""How soon the kernel is made to ask again where nothing is known: after a flush, at a start."""
_AGAIN_SECONDS: Final = 5.0
_LINKS: Final = (rtnetlink.NEWLINK, rtnetlink.DELLINK)
_NEIGHBORS: Final = (rtnetlink.NEWNEIGH, rtnetlink.DELNEIGH)


class Watcher:
    """Watches the way to the peers; *changed* is called in the loop with each new fact."""

    def __init__(
        self, changed: Callable[[HostFacts], None], *, ask_seconds: float = ASK_SECONDS
    ) -> None:
        self.facts = HostFacts()
        self._changed = changed
        self._peers: frozenset[Address] = frozenset()
        self._thread = WokenThread(
            "host",
            lambda woken, tell: _Watch(lambda: self._peers, tell, woken, ask_seconds).run(),
            self._heard,
        )

    def set_peers(self, addresses: Iterable[Address]) -> None:
        """Watch the way to these peers, and to no others."""
        peers = frozenset(addresses)
        if peers != self._peers:
            self._peers = peers
            self._thread.wake()

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._thread.run()

    def _heard(self, facts: HostFacts) -> None:
        if facts != self.facts:
            self.facts = facts
            self._changed(facts)


class _Watch:
    """What the thread does."""

    def __init__(
        self,
        peers: Callable[[], frozenset[Address]],
        tell: Callable[[HostFacts], None],
        woken: int,
        ask_seconds: float,
    ) -> None:
        self._peers = peers
        self._tell = tell
        self._woken = woken
        self._ask_seconds = ask_seconds
        self._ended = False
        self._said: HostFacts | None = None
        self._calm_until = 0.0
        """Until when another change of routes may wait: one of hundreds, most likely."""

    def _say(self, facts: HostFacts) -> None:
        if facts != self._said:
            self._said = facts
            self._tell(facts)

    def run(self) -> None:
        """Watch until the other end of the pipe is closed."""
        while not self._ended:
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 a thread that ends is a watch that lies
                sentence = f"the kernel's view of the uplinks cannot be had: {because(error)}"
                self._say(HostFacts(problem=sentence))
                self._wait([self._woken], _AGAIN_SECONDS)

    def _watch(self) -> None:
        events = Events()
        try:
            kernel = NetlinkKernel()
            try:
                self._follow(events, Observer(kernel))
            finally:
                kernel.close()
        finally:
            events.close()

    def _follow(self, events: Events, observer: Observer) -> None:
        asked = -self._ask_seconds
        while not self._ended:
            now = time.monotonic()
            facts = observer.look(self._peers())
            if now - asked >= (_HURRY_SECONDS if observer.in_the_dark else self._ask_seconds):
                asked = now
                observer.ask()
                facts = observer.look(self._peers())
            self._say(facts)
            self._until_it_matters(events, observer, latest=asked + self._ask_seconds)

    def _until_it_matters(self, events: Events, observer: Observer, *, latest: float) -> None:
        """Return when it is time to look again."""
        pending = False
        while not self._ended and (left := latest - time.monotonic()) > 0.0:
            ready = self._wait([self._woken, events.fileno()], min(left, CARRIER_SECONDS))
            if self._woken in ready or (not ready and observer.carrier_moved()):
                return
            urgent, soon = _weigh(events, observer)
            if urgent:
                return
            if soon:
                pending, latest = True, min(latest, self._calm_until)
        if pending:
            self._calm_until = time.monotonic() + _CALM_SECONDS

    def _wait(self, files: list[int], seconds: float) -> set[int]:
        poll = select.poll()  # select() refuses files beyond the 1024th
        for file in files:
            poll.register(file, select.POLLIN)
        ready = {file for file, _ in poll.poll(max(0.0, seconds) * 1000.0)}
        if self._woken in ready and not os.read(self._woken, 1 << 10):
            self._ended = True
        return ready


def _weigh(events: Events, observer: Observer) -> tuple[bool, bool]:
    """Return whether something must be looked at now, and whether something must be soon."""
    urgent = soon = False
    for message in events.heard():
        if message is None:
            urgent = True
        elif message.kind in _LINKS:
            urgent |= rtnetlink.link_index(message.body) in observer.indexes
        elif message.kind in _NEIGHBORS:
            urgent |= _is_watched(message, observer)
        else:
            soon = True
    return urgent, soon


def _is_watched(message: wire.Message, observer: Observer) -> bool:
    if rtnetlink.neighbor_index(message.body) not in observer.indexes:
        return False
    index, address, _ = rtnetlink.decode_neighbor(message.body)
    return observer.matters(index, address)
