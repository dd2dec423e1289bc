"""Who watches whom in a mesh of more than sixteen members."""

from collections.abc import Mapping

from bgpd.mesh.liveness import Track
from bgpd.mesh.packet import Echo
from bgpd.model.member import NodeName


class Watch:
    """Which members we exchange heartbeats with."""

    def __init__(self, node: NodeName) -> None:
        self._node = node

    def members(self, tracks: Mapping[NodeName, Track]) -> None:
        """Take over the member list."""

    def heard(self, track: Track, us: Echo | None, now: float) -> None:
        """Note a heartbeat of *track*."""

    def tidy(self, tracks: Mapping[NodeName, Track], now: float) -> None:
        """Look at subscriptions, once a second."""
