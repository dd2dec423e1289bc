"""What was seen when a person asked for a list: one node from close by, or all through the API."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgpd.ctl.view import View
from bgpd.model.grounds import SpeakerRoutes
from bgpd.model.inventory import Inventory

if TYPE_CHECKING:
    from bgpd.ctl.fleet import NodeSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One node, and what is known of it."""

    node: str
    view: View
    seen: "NodeSeen | None" = None
    """What the cluster knows of it besides; None: the node itself was asked."""

    @property
    def gone(self) -> bool:
        """Whether its speaker is dead, by the others' word: what it told last is over."""
        return self.seen is not None and self.seen.gone

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why what it told may be old, a sentence each."""
        return self.seen.doubts if self.seen is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that one list is made from."""

    places: tuple[Place, ...]
    inventory: Inventory | None = None
    """None: it was not asked for, or nobody said."""
    routes: SpeakerRoutes | None = None
    whole: bool = False
    """Whether all nodes of the cluster are meant, and not the one at hand."""
