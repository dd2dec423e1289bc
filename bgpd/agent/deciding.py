"""When to decide: at once on what changed, and piece by piece on everything.

There is no queue between a change and the decision on it, because a withdrawn endpoint is a
millisecond of lost packets. But ten thousand Services in one go would keep everything else from
its turn; so the first look at them, and every one that a change of configuration asks for, is
taken in slices and told as a whole at its end. What changes meanwhile is told at once, as ever;
another change of configuration waits for the end, so that changes without a pause still have one.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from bgpd.agent.passwords import Passwords
from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects

AT_ONCE: Final = 100
"""Services that are decided on in one go."""


class Source(Protocol):
    """What there is to decide on."""

    @property
    def objects(self) -> Objects:
        """The objects in force."""

    @property
    def synced(self) -> bool:
        """Whether everything is known once."""


class Deciding:
    """Feeds the planner from the source; *act* hears what it says."""

    def __init__(
        self,
        planner: Planner,
        source: Source,
        passwords: Passwords,
        *,
        act: Callable[[Desired | Delta | None], None],
        at_once: int = AT_ONCE,
    ) -> None:
        self.started = False
        """Whether there was a first complete look, and it did not end the start."""
        self.complete = False
        """Whether everything was decided on what the source said itself."""
        self._planner = planner
        self._source = source
        self._passwords = passwords
        self._act = act
        self._at_once = at_once
        self._later: Changes | None = None
        """A change of configuration that waits until there was a decision on the one before."""
        self._of_source = False
        """Whether the decisions under way are on what the source said itself."""
        self._begun = asyncio.Event()

    async def run(self) -> None:
        """Decide piece by piece where that was begun."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            while self._planner.busy:
                await asyncio.sleep(0)
                self.go_on()
            await asyncio.sleep(0)
            self._planner.forget()

    def go_on(self) -> None:
        """Decide on one piece of what is under way."""
        message = self._planner.go_on(self._source.objects, self._at_once)
        if not self._planner.busy:
            self._end(message)

    def changed(self, changes: Changes) -> None:
        """Decide on *changes*, at once if it can be."""
        if changes.configuration or not self._on_course:
            self.configure(changes)
        else:
            self._update(changes)

    def again(self, services: Iterable[str]) -> None:
        """Decide anew on *services*: what is known of them beside their objects changed."""
        self._update(Changes(services=frozenset(services)))

    def configure(self, changes: Changes) -> None:
        """Decide on everything: the configuration changed, and *changes* with it."""
        if self._planner.busy:
            self._later = changes if self._later is None else self._later.then(changes)
            self._update(changes)
            return
        objects = self._source.objects
        self._of_source = self._source.synced
        self._passwords.read(objects.peers, objects.bfd_profiles.values())
        message = self._planner.begin(changes, objects, self._passwords.contents)
        if self._planner.busy and len(objects) > self._at_once:
            self._update(changes)
            self._begun.set()
            return
        while self._planner.busy:
            message = self._planner.go_on(objects, self._at_once)
        self._end(message)

    @property
    def _on_course(self) -> bool:
        """Whether what the source says is decided on, or about to be."""
        return self.complete or (self._planner.busy and self._of_source)

    def _update(self, changes: Changes) -> None:
        message = self._planner.update(changes, self._source.objects)
        if self.started:
            self._act(message)

    def _end(self, message: Desired | Delta | None) -> None:
        """Tell what was decided on everything, and go on with what changed in the meantime."""
        self.complete = self.complete or self._of_source
        self._act(message)
        later, self._later = self._later, None
        if later is not None:
            self.configure(later)
