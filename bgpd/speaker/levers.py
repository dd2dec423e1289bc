"""Levers that change: on all nodes at one generation, not on each when it hears of it.

Between the first and the last node that has another lever, routers compare unlike values, and the
node that they then like best gets all the traffic. So a speaker that is told of another lever
goes on with the old one until the generation is raised, and raises it itself a moment later: the
mesh carries a raise to everybody within milliseconds, as it does for a death.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bgpd.model.peer import Lever, Peer, PeerName

LEAST_SECONDS: Final = 1.0
"""Time for every node to hear of the change from its own agent."""
MOST_SECONDS: Final = 10.0
"""How long a member whose heartbeats still name another lever is waited for."""


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
