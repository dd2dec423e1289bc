"""When to decide: at once on what changed, and piece by piece on everything.

There is no queue between a change and the decision on it, because a withdrawn endpoint is a
millisecond of lost packets. But ten thousand Services in one go would keep everything else from
its turn, so the first look at them is taken in slices, and told as a whole at its end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from bgpd.agent.passwords import Passwords
from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.kept import KeptSource
from bgpd.kube.store import Changes

_AT_ONCE: Final = 200
"""Services that the first look decides on in one go."""


class Deciding:
    """Feeds the planner from the source; *act* hears what it says."""

    def __init__(
        self,
        planner: Planner,
        source: KeptSource,
        passwords: Passwords,
        *,
        act: Callable[[Desired | Delta | None], None],
    ) -> None:
        self.started = False
        """Whether there was a first complete look, and it did not end the start."""
        self.complete = False
        """Whether everything was decided on what the source said itself."""
        self._planner = planner
        self._source = source
        self._passwords = passwords
        self._act = act
        self._first: deque[str] | None = None
        """The Services that the first look has not decided on yet; None before and after."""
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """Take the first look, when there is something to look at."""
        await self._looked.wait()
        for work in self._slices():
            await asyncio.sleep(0)
            if self._first is None:
                # A change of configuration was decided on as a whole in the meantime.
                return
            work()

    def changed(self, changes: Changes) -> None:
        """Decide on *changes* and act, in one go."""
        objects = self._source.objects
        if self._first is not None and not changes.configuration:
            # What is wanted is told as a whole when the first look is over.
            self._planner.update(changes, objects)
            return
        if not self.started and self._first is None:
            self._look(changes)
            return
        if not self.complete or changes.configuration:
            self._first = None
            self._passwords.read(objects.peers)
            message = self._planner.configure(changes, objects, self._passwords.contents)
            if not self.started:
                message = self._planner.desired()
        else:
            message = self._planner.update(changes, objects)
        self._act(message)

    def _look(self, changes: Changes) -> None:
        """Begin the first look: ten thousand Services at once would stall the loop."""
        self._first = deque(changes.services)
        if len(self._source.objects) > _AT_ONCE:
            self._looked.set()
            return
        for work in self._slices():
            work()

    def _slices(self) -> Iterator[Callable[[], None]]:
        """Yield the work of the first look, piece by piece."""
        yield self._understand
        yield self._list
        while self._first is not None:
            yield self._look_on

    def _understand(self) -> None:
        objects = self._source.objects
        self._passwords.read(objects.peers)
        self._planner.understand(objects, self._passwords.contents)

    def _list(self) -> None:
        assert self._first is not None
        self._first.extend(service.key for service in self._source.objects.services)

    def _look_on(self) -> None:
        """Decide on some more Services; after the last, act."""
        first = self._first
        assert first is not None
        some = [first.popleft() for _ in range(min(_AT_ONCE, len(first)))]
        self._planner.decide(some, self._source.objects)
        if not first:
            self._first = None
            self._act(self._planner.desired())
