"""What becomes of a write, and what a document may show while nobody has said that."""

from dataclasses import dataclass
from enum import Enum, auto

from bgpd.model.prefix import Address


class End(Enum):
    """What became of a write."""

    WRITTEN = auto()
    CONFLICT = auto()
    """The document changed in the meantime."""
    GONE = auto()
    REFUSED = auto()
    """The server will not have it, and a person has to see to that."""
    FAILED = auto()
    """Trying again may help; it is certain that nothing was written."""
    UNANSWERED = auto()
    """Nobody knows whether it was written."""


@dataclass(slots=True)
class Open:
    """Writes about one version of a document, which may yet put *addresses* into it."""

    version: str
    addresses: frozenset[Address]
    lost: frozenset[Address] = frozenset()
    """Of those, the ones of writes that were never answered."""
    answered: bool = False
    """Whether it was written: the document says so itself before long."""
