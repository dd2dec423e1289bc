"""When to decide: at once on what changed, and piece by piece on everything.

There is no queue between a change and the decision on it, because a withdrawn endpoint is a
millisecond of lost packets. But ten thousand Services in one go would keep everything else from
its turn; so the first look at them, and every one that a change of configuration asks for, is
taken in slices and told as a whole at its end. What changes meanwhile is told at once, as ever;
another change of configuration waits for the end, so that changes without a pause still have one.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from bgpd.agent.blaming import Turn, blame
from bgpd.agent.passwords import Passwords
from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired, Why
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects
from bgpd.model.timeline import Cause
from bgpd.telemetry.agentmetrics import RECONCILE_SECONDS
from bgpd.telemetry.instruments import Histogram

AT_ONCE: Final = 100
"""Services that are decided on in one go."""


_MOST_OWED: Final = 2_000
"""Messages of which the reason is told: of a storm the first ones are enough."""


class _Owed(NamedTuple):
    """A message, when that was seen and decided which it follows, and what was decided."""

    sequence: int
    at: float
    decided_at: float
    turns: list[Turn]

    def cause(self) -> Cause | None:
        """Return the fact that it follows, if it is one."""
        found = next((one for turn in self.turns if (one := blame(turn)) is not None), None)
        if found is None:
            return None
        return Cause(
            kind=found.kind, sentence=found.sentence, at=self.at, decided_at=self.decided_at
        )


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
        self.took = Histogram(RECONCILE_SECONDS)
        """How long decisions took."""
        self._planner = planner
        self._source = source
        self._passwords = passwords
        self._act = act
        self._at_once = at_once
        self._later: Changes | None = None
        """A change of configuration that waits until there was a decision on the one before."""
        self._of_source = False
        """Whether the decisions under way are on what the source said itself."""
        self._since = 0.0
        """When the change was seen that everything is decided on for."""
        self._later_since = 0.0
        """The same of the one that waits."""
        self._owed: list[_Owed] = []
        """Messages of which the speaker may want to know why."""
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

    def changed(self, changes: Changes, at: float | None = None) -> None:
        """Decide on *changes*, at once if it can be; they were read *at* a time, or now."""
        if changes.configuration or not self._on_course:
            self.configure(changes, at)
        else:
            self._update(changes, at)

    def again(self, services: Iterable[str]) -> None:
        """Decide anew on *services*: what is known of them beside their objects changed."""
        self._update(Changes(services=frozenset(services)))

    def meanwhile(self, services: frozenset[str]) -> None:
        """Decide anew on *services* while not everything is known, if that was begun from memory.

        What is known of them is true, and a kind that stays unreadable must not freeze endpoints.
        """
        if not self.started:
            return
        if len(services) > self._at_once:
            self.configure(Changes(services=services))
        else:
            self.again(services)

    def configure(self, changes: Changes, at: float | None = None) -> None:
        """Decide on everything: the configuration changed, and *changes* with it, read *at*."""
        if self._planner.busy:
            if self._later is None:
                self._later_since = time.monotonic()
            self._later = changes if self._later is None else self._later.then(changes)
            self._update(changes, at)
            return
        self._begin(changes, time.monotonic() if at is None else at)

    def _begin(self, changes: Changes, since: float) -> None:
        self._since = since
        objects = self._source.objects
        self._of_source = self._source.synced
        self._passwords.read(objects.peers, objects.bfd_profiles.values())
        message = self._planner.begin(changes, objects, self._passwords.contents)
        if self._planner.busy and len(objects) > self._at_once:
            self._update(changes, since)
            self._begun.set()
            return
        while self._planner.busy:
            message = self._planner.go_on(objects, self._at_once)
        self._end(message)

    @property
    def _on_course(self) -> bool:
        """Whether what the source says is decided on, or about to be."""
        return self.complete or (self._planner.busy and self._of_source)

    def _update(self, changes: Changes, at: float | None = None) -> None:
        since = time.monotonic()
        message = self._planner.update(changes, self._source.objects)
        if self.started:
            decided_at = time.monotonic()
            self._act(message)
            self._owe(message, since if at is None else at, decided_at)
            self.took.observe(time.monotonic() - since)

    def _owe(self, message: Desired | Delta | None, at: float, decided_at: float) -> None:
        """Note that a reason may be owed for *message*, decided on what was seen *at* a time."""
        if message is not None and self._planner.turns and len(self._owed) < _MOST_OWED:
            self._owed.append(_Owed(message.sequence, at, decided_at, self._planner.turns))

    def why(self) -> Why | None:
        """Return which facts the messages since the last call followed; None: none."""
        owed, self._owed = self._owed, []
        causes = [(one.sequence, cause) for one in owed if (cause := one.cause()) is not None]
        return Why(causes=tuple(causes)) if causes else None

    def _end(self, message: Desired | Delta | None) -> None:
        """Tell what was decided on everything, and go on with what changed in the meantime."""
        self.complete = self.complete or self._of_source
        decided_at = time.monotonic()
        self._act(message)
        self._owe(message, self._since, decided_at)
        self.took.observe(time.monotonic() - self._since)
        later, self._later = self._later, None
        if later is not None:
            self._begin(later, self._later_since)
