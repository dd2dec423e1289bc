"""Levers that change: on all nodes at one generation, not on each when it hears of it.

Between the first and the last node that has another lever, routers compare unlike values, and the
node that they then like best gets all the traffic. So a speaker that is told of another lever
goes on with the old one until the generation is raised, and raises it itself a moment later: the
mesh carries a raise to everybody within milliseconds, as it does for a death.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from bgpd.model.peer import Lever, Peer, PeerName, Takeover
from bgpd.policy.lever import STEPS

LEAST_SECONDS: Final = 1.0
"""Time for every node to hear of the change from its own agent."""
MOST_SECONDS: Final = 10.0
"""How long a member whose heartbeats still name another lever is waited for."""
CALM_SECONDS: Final = 5.0
"""How long all members must have been alive before a lever of three steps begins anew."""


class Levers:
    """The peers whose lever waits for a raise."""

    def __init__(self) -> None:
        self._wanted: dict[PeerName, Lever] = {}
        self._generation = 0
        self._since = 0.0

    @property
    def waiting(self) -> frozenset[PeerName]:
        """The peers that keep their old lever for now."""
        return frozenset(self._wanted)

    def hold(
        self,
        before: Mapping[PeerName, Peer],
        peers: Mapping[PeerName, Peer],
        *,
        generation: int,
        now: float,
    ) -> dict[PeerName, Peer]:
        """Return *peers* with the levers that they had *before*, as far as they had one."""
        changed = {
            name: peer.lever
            for name, peer in peers.items()
            if name in before
            and before[name].address == peer.address
            and before[name].lever is not peer.lever
        }
        if changed != self._wanted:
            self._generation, self._since = generation, now
        self._wanted = changed
        return {
            name: replace(peer, lever=before[name].lever) if name in changed else peer
            for name, peer in peers.items()
        }

    def release(
        self, peers: Mapping[PeerName, Peer], *, generation: int
    ) -> dict[PeerName, Peer] | None:
        """Return *peers* with their own levers once the generation changed; None until then."""
        if not self._wanted or generation == self._generation:
            return None
        wanted, self._wanted = self._wanted, {}
        return {
            name: replace(peer, lever=wanted.get(name, peer.lever)) for name, peer in peers.items()
        }

    def raise_due(self, now: float, *, generation: int, others_differ: bool) -> bool:
        """Return whether it is time to raise; *others_differ* says that a member waits yet."""
        if generation != self._generation:
            # Somebody did, and we are about to act on it.
            return False
        waited = now - self._since
        least = MOST_SECONDS if others_differ else LEAST_SECONDS
        return bool(self._wanted) and waited >= least


class Headroom:
    """When a lever of three steps begins anew, so that the next death finds a step left.

    On the last step no path can be better than that of a node that dies. While everybody lives a
    raise costs nothing: all paths become worse together, and the next two deaths are answered.
    A path that a dead node left behind would win, though. So every listed member must be heard,
    which no node can say of a mesh of many, and whoever is taken off the list may have left one
    for as long as routers wait.
    """

    def __init__(self) -> None:
        self._calm_since: float | None = None
        self._listed: frozenset[str] = frozenset()
        self._not_before = -math.inf

    def raise_due(
        self,
        now: float,
        *,
        generation: int,
        peers: Iterable[Peer],
        listed: frozenset[str],
        alive: Callable[[], frozenset[str]],
    ) -> bool:
        """Return whether it is time to raise; *alive* says which of the *listed* members live."""
        stepped = [peer for peer in peers if _stepped(peer)]
        if not self._listed <= listed and stepped:
            self._not_before = now + max(peer.hold_time for peer in stepped)
        self._listed = listed
        if generation % STEPS != STEPS - 1 or not stepped or not listed <= alive():
            self._calm_since = None
            return False
        if self._calm_since is None:
            self._calm_since = now
        return now >= max(self._calm_since + CALM_SECONDS, self._not_before)


def _stepped(peer: Peer) -> bool:
    return peer.lever in {Lever.AS_PATH, Lever.ORIGIN} and peer.takeover is not Takeover.NEVER
