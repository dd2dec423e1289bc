"""What a mesh is told from outside: who we are, how to beat, which keys to use."""

from dataclasses import dataclass, field
from typing import Final

from bgpd.model.errors import ConfigError
from bgpd.model.member import MeshPolicy, NodeName

MAX_FULL_MESH: Final = 16
"""Members up to which everybody beats to everybody; beyond, watchers do."""

MAX_NAME: Final = 253
"""Bytes; the longest name that Kubernetes gives a node."""


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
    interval: float = field(init=False, repr=False, compare=False)
    """Seconds between heartbeats: the policy's, in the unit in which it is asked for so often."""

    def __post_init__(self) -> None:
        """Refuse what does not fit into a heartbeat, before there is one."""
        object.__setattr__(self, "interval", self.policy.interval_milliseconds / 1000)
        if not 1 <= len(self.node.encode()) <= MAX_NAME:
            raise ConfigError(f"node: {self.node!r} must be 1 to {MAX_NAME} bytes long")
        for name, value in (("base", self.base), ("stride", self.stride)):
            if not 0 <= value < 2**32:
                raise ConfigError(f"{name}: {value} must be between 0 and {2**32 - 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of the mesh: two during a change of keys, else one."""

    sending: bytes
    """Used as long as nobody has been heard; then the mesh chooses what everybody knows."""
    accepted: tuple[bytes, ...]
    """Newest first."""
