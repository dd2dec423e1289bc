"""The next state of everything, made piece by piece beside the one in force.

A change of configuration asks for a decision on every Service. In one go ten thousand of them
would keep endpoints from being withdrawn meanwhile; sent piece by piece, half a state would pass
for a whole one. So the state in force goes on as it is, changes of Services included, until the
draft of the next one is complete and takes its place.
"""

from collections.abc import Iterable
from dataclasses import replace

from bgpd.agent.judging import Judge
from bgpd.kube.view import Objects
from bgpd.policy.context import Context
from bgpd.policy.merge import Decision, Merged, RouteKey


class Draft:
    """Decisions under a *context* that is not in force yet; *before* are the ones in force."""

    def __init__(self, context: Context, before: Merged, judge: Judge) -> None:
        self.context = context
        self.merged = Merged()
        self._before = before
        self._judge = judge
        self._left: list[str] | None = None
        """The Services without a decision; None until they are listed."""
        self._waiting: set[str] = set()
        """The same, to be found among them."""

    @property
    def complete(self) -> bool:
        """Whether every Service has its decision."""
        return self._left is not None and not self._left

    def go_on(self, objects: Objects, most: int) -> None:
        """List the Services, or decide on *most* more of them."""
        if self._left is None:
            self._left = sorted((one.key for one in objects.services), reverse=True)
            self._waiting = set(self._left)
            return
        some, self._left[-most:] = self._left[-most:], ()
        self._waiting.difference_update(some)
        self._decide(reversed(some), objects)

    def again(self, keys: Iterable[str], objects: Objects) -> None:
        """Note that *keys* changed: those who have a decision already need another."""
        if self._left is not None:
            self._decide((key for key in keys if key not in self._waiting), objects)

    def _decide(self, keys: Iterable[str], objects: Objects) -> None:
        touched: set[RouteKey] = set()
        for key in keys:
            service = objects.service(key)
            decision = None
            if service is not None:
                before = self._before.decision(key)
                decided = self._judge.decide(
                    service,
                    objects.slices(key),
                    self.context,
                    had=() if before is None else before.advertisements,
                )
                decision = self._shared(decided)
            touched.update(self.merged.put(key, decision))
        self.merged.settle(touched)
        self.merged.keep_up()

    def _shared(self, decision: Decision) -> Decision:
        """Return *decision* with the routes that are in force already: most do not change."""
        old = self._before.advertisements
        routes = decision.advertisements
        known = tuple(old.get((one.peer, one.prefix), one) for one in routes)
        if known == routes:
            return replace(decision, advertisements=known)
        return decision


def difference(before: Merged, after: Merged) -> frozenset[RouteKey]:
    """Return the routes that are in one of the two only, or not the same in both."""
    old, new = before.advertisements, after.advertisements
    others = [key for key, one in new.items() if old.get(key) is not one]
    changed = {key for key in others if old.get(key) != new[key]}
    return frozenset(changed | (old.keys() - new.keys()))
