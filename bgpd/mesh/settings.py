"""What a mesh is told from outside: who we are, how to beat, which keys to use."""

from dataclasses import dataclass
from typing import Final

from bgpd.model.member import MeshPolicy, NodeName

MAX_FULL_MESH: Final = 16
"""Members up to which everybody beats to everybody; beyond, watchers do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    """Our side of the mesh."""

    node: NodeName
    cluster_uid: str
    """Goes into the code of every datagram: two clusters never hear each other."""
    policy: MeshPolicy
    lever: str = "med"
    base: int = 2**31
    stride: int = 256

    @property
    def interval(self) -> float:
        """Seconds between heartbeats."""
        return self.policy.interval_milliseconds / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of the mesh: two during a change of keys, else one."""

    sending: bytes
    """Used as long as nobody has been heard; then the mesh chooses what everybody knows."""
    accepted: tuple[bytes, ...]
    """Newest first."""
