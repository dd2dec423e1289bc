"""The thread that keeps routes and addresses: look, plan, change, look again, wait for news.

It looks at everything when the kernel tells of a change that matters, and now and then in any
case. What was there and is gone was taken by somebody: it is put back at once, counted, and
reported. While nothing is wanted nothing is listened to, and pyroute2 is not loaded.
"""

import os
import select
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from bgpd.host import apply as hands
from bgpd.host.apply import Failure
from bgpd.host.hostplan import HostPlan, changes
from bgpd.host.hostroute import concerns_host, destination_of
from bgpd.host.inventory import Inventory, interface_index
from bgpd.host.look import Looking, switches
from bgpd.host.losses import Losses
from bgpd.host.netlink import Events, because
from bgpd.host.outcome import Outcome, Round, outcome
from bgpd.host.pathcheck import check
from bgpd.host.quarrel import PAUSE_SECONDS, Quarrel
from bgpd.host.rtnetlink import DELLINK, DELROUTE, NEWLINK, NEWROUTE, ROUTE, link_index
from bgpd.host.wire import Message
from bgpd.host.wish import Resolved, Wanted, destinations, gateways, resolve
from bgpd.model.prefix import Prefix
from bgpd.model.status import Condition

AGAIN_SECONDS: Final = 5.0
"""How soon what failed is tried again, if nothing happens before."""
LOOK_SECONDS: Final = 10.0
"""How often all is looked at in any case: no event tells of a sysctl."""
_CALM_SECONDS: Final = 0.05
_SHARE: Final = 0.1
"""The part of the time that may be spent on looking at what probably does not matter."""
_ROUNDS: Final = 3
"""Look, plan, do; and a look that finds nothing left to do."""
_AT_ONCE: Final = 200
"""Changes between two looks: while ten thousand addresses are bound, a route may be taken."""
_GROUPS: Final = (1, 5, 7, 9, 11)
"""RTNLGRP: links, addresses and routes of IPv4 and of IPv6."""

Tell: TypeAlias = Callable[[Outcome, tuple[str, ...]], None]


class Keeping:
    """Works until the other end of the pipe *woken* is closed."""

    def __init__(
        self,
        wanted: Callable[[], Wanted | None],
        tell: Tell,
        woken: int,
        kinds: tuple[str, ...],
    ) -> None:
        self._wanted = wanted
        self._tell = tell
        self._woken = woken
        self._kinds = kinds
        self._ended = False
        self._loopback = False
        self._losses = Losses()
        self._quarrel = Quarrel()
        self._late = False
        """Whether something is to be done, and not yet."""
        self._more = False
        """Whether there was more to be done than is done at once."""
        self._restored: Counter[str] = Counter()
        self._said = Outcome()
        self._destinations: frozenset[Prefix] = frozenset()
        self._watched: frozenset[int] = frozenset()
        """The interfaces whose changes matter."""

    def run(self) -> None:
        """Work."""
        while not self._ended:
            try:
                wanted = self._wanted()
                if wanted is None:
                    self._wait([self._woken], None)
                elif not wanted.idle or self._leftovers():
                    self._keep()
                else:
                    self._say(Outcome())
                    self._wait([self._woken], None)
            except Exception as error:  # noqa: BLE001 a thread that ends keeps nothing
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Say that nothing is known now, and try again later."""
        sentence = f"this host's network cannot be looked at: {because(error)}"
        unknown = Condition(type="HostUnknown", status=True, reason="CannotLook", message=sentence)
        status = replace(self._said.status, problems=(sentence,))
        self._say(Outcome(status=status, conditions=(unknown,)))
        self._wait([self._woken], AGAIN_SECONDS)

    def _leftovers(self) -> bool:
        """Return whether an agent before us left something that nobody wants."""
        with Looking() as looking:
            return looking.look().touched

    def _keep(self) -> None:
        events = Events(_GROUPS)
        try:
            with Looking() as looking:
                while not self._ended:
                    wanted = self._wanted()
                    if wanted is None:
                        return
                    if wanted.routes or wanted.interface:
                        hands.prepare()
                    begun = time.monotonic()
                    if not self._settle(looking, wanted).touched and wanted.idle:
                        return
                    self._until_it_matters(events, begun)
        finally:
            events.close()

    def _settle(self, looking: Looking, wanted: Wanted) -> Inventory:
        """Put everything right, say how it stands, and return what there is then."""
        self._destinations = destinations(wanted.routes)
        failures: tuple[Failure, ...] = ()
        resolved, plan, present = self._plan(looking, wanted)
        self._losses.look(plan, present)
        self._late = self._losses.missing and self._quarrel.wait(time.monotonic()) > 0.0
        todo = changes(plan, present)
        first = len(todo)
        for _ in range(_ROUNDS):
            if not todo or failures or self._late:
                break
            done = hands.apply(todo[:_AT_ONCE], kinds=self._kinds)
            failures = done.failures
            self._loopback |= done.kindless
            resolved, plan, present = self._plan(looking, wanted)
            self._losses.look(plan, present)
            todo = changes(plan, present)
        self._more = bool(todo) and not failures and not self._late
        # A kernel that makes something else of it each time must not keep a processor busy.
        self._late |= self._more and len(todo) >= first
        uplinks = _uplinks(wanted, plan, present)
        self._watched = uplinks if present.ours is None else uplinks | {present.ours.index}
        reports = self._account(plan, present)
        found = Round(
            wanted=wanted,
            resolved=resolved,
            plan=plan,
            present=present,
            failures=failures,
            checks=_checks(present, uplinks),
            restored=dict(sorted(self._restored.items())),
            quarrel=self._quarrel.look(time.monotonic()),
        )
        self._say(outcome(found), reports)
        return present

    def _plan(self, looking: Looking, wanted: Wanted) -> tuple[Resolved, HostPlan, Inventory]:
        """Look, and return what that makes of what is *wanted*."""
        present = looking.look(self._destinations, gateways(wanted.routes) | wanted.uplinks)
        resolved = resolve(wanted.routes, present)
        unclear = destinations(one for one in wanted.routes if one.peer in resolved.problems)
        # Where nobody knows a better one now, the route that is there goes on.
        kept = (one for one in present.routes if one.destination in unclear)
        plan = HostPlan(
            routes=frozenset({*resolved.routes.values(), *kept}),
            addresses=wanted.addresses,
            interface=wanted.interface,
            loopback=self._loopback,
            keep=wanted.keep,
        )
        return resolved, plan, present

    def _account(self, plan: HostPlan, present: Inventory) -> tuple[str, ...]:
        """Count what is there again, and return what is to be said of it."""
        back = self._losses.back(plan, present)
        if back:
            self._quarrel.corrected(time.monotonic())
            self._restored.update(one.kind for one in back)
        return tuple(f"{one} was gone, and was put back" for one in back)

    def _say(self, found: Outcome, reports: tuple[str, ...] = ()) -> None:
        if found != self._said or reports:
            self._said = found
            self._tell(found, reports)

    # Waiting

    def _until_it_matters(self, events: Events, begun: float) -> None:
        """Return when it is time to look again."""
        now = time.monotonic()
        calm = now + max(_CALM_SECONDS, (now - begun) / _SHARE)
        latest = now + (AGAIN_SECONDS if self._said.unfinished else LOOK_SECONDS)
        if self._late:
            latest = now + (self._quarrel.wait(now) or PAUSE_SECONDS)
        elif self._more:
            return
        elif (over := self._quarrel.deadline()) is not None:
            latest = min(latest, over)
        while not self._ended and (left := latest - time.monotonic()) > 0.0:
            ready = self._wait([self._woken, events.fileno()], left)
            if self._woken in ready:
                return
            urgent, soon = self._weigh(events)
            if urgent and not self._late:
                return
            if soon:
                latest = min(latest, calm)

    def _weigh(self, events: Events) -> tuple[bool, bool]:
        """Return whether something must be looked at now, and whether something must be soon."""
        urgent = soon = False
        for message in events.heard():
            if message is None or self._is_urgent(message):
                urgent = True
            elif message.kind not in (NEWROUTE, DELROUTE) or not concerns_host(message.body):
                soon = True
        return urgent, soon

    def _is_urgent(self, message: Message) -> bool:
        body = message.body
        if message.kind in (NEWLINK, DELLINK):
            return link_index(body) in self._watched
        if message.kind in (NEWROUTE, DELROUTE):
            if concerns_host(body):
                return destination_of(body) in self._destinations
            return len(body) >= ROUTE.size and body[1] == 0
        return interface_index(body) in self._watched

    def _wait(self, files: list[int], seconds: float | None) -> set[int]:
        poll = select.poll()  # select() refuses files beyond the 1024th
        for file in files:
            poll.register(file, select.POLLIN)
        limit = None if seconds is None else max(0.0, seconds) * 1000.0
        ready = {file for file, _ in poll.poll(limit)}
        if self._woken in ready and not os.read(self._woken, 1 << 10):
            self._ended = True
        return ready


def _uplinks(wanted: Wanted, plan: HostPlan, present: Inventory) -> frozenset[int]:
    """Return the interfaces by which peers are reached."""
    direct = {hop.interface for peer in wanted.uplinks for hop in present.ways.get(peer, ())}
    ours = {hop.interface for route in plan.routes for hop in route.hops}
    return frozenset((direct | ours) - present.loopbacks)


def _checks(present: Inventory, uplinks: frozenset[int]) -> tuple[str, ...]:
    """Return what is to be said of the kernel's settings, where we have something to lose."""
    if not present.touched:
        return ()
    bound = {one.interface for one in present.bound}
    others = {one.interface for one in present.addresses} - bound - present.loopbacks
    names = {present.name(index) for index in uplinks | others if index in present.interfaces}
    return tuple(check(present, uplinks, switches(names)))
