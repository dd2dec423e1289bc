"""What of a BFD session outlives the process that held it, so that the peer notices no change."""

from dataclasses import dataclass
from typing import Final

from bgpd.model.errors import in_range

_LARGEST: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a session must know to go on where another process left it."""

    my_discr: int
    your_discr: int
    remote_detect_mult: int
    remote_desired_min_tx: int
    remote_min_rx: int

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no packet can say: it comes from a disk."""
        for name in ("my_discr", "your_discr"):
            in_range(name, getattr(self, name), 1, _LARGEST)
        in_range("remote_detect_mult", self.remote_detect_mult, 1, 255)
        for name in ("remote_desired_min_tx", "remote_min_rx"):
            in_range(name, getattr(self, name), 0, _LARGEST)
