"""What was there of ours and is gone although it is still wanted: somebody took it."""

from dataclasses import dataclass
from typing import Final

from bgpd.host.hostplan import HostPlan, wanted_addresses, wanted_routes
from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import INTERFACE, Inventory
from bgpd.model.prefix import Address

ROUTES: Final = "routes"
ADDRESSES: Final = "addresses"
THE_INTERFACE: Final = "interface"


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that is gone."""

    kind: str
    """`routes`, `addresses` or `interface`: what is counted."""
    what: HostRoute | Address | None = None
    """None: the interface, with all that was on it."""

    def __str__(self) -> str:
        if isinstance(self.what, HostRoute):
            return f"the route to {self.what.destination}"
        if self.what is None:
            return f"the interface {INTERFACE}"
        return f"the elastic IP {self.what}"


class Losses:
    """Tells what is gone from what is new; feed it each look."""

    def __init__(self) -> None:
        self._routes: frozenset[HostRoute] = frozenset()
        self._addresses: frozenset[Address] = frozenset()
        self._interface = False
        self._gone: frozenset[Loss] = frozenset()

    @property
    def missing(self) -> bool:
        """Whether something is gone that is still wanted."""
        return bool(self._gone)

    def look(self, plan: HostPlan, present: Inventory) -> None:
        """Take in what there is, before and while it is put right."""
        wanted = _wanted(plan, present)
        gone = {Loss(ROUTES, one) for one in self._routes}
        if plan.interface and self._interface and present.ours is None:
            gone.add(Loss(THE_INTERFACE))
        elif Loss(THE_INTERFACE) not in self._gone:
            gone |= {Loss(ADDRESSES, one) for one in self._addresses}
        self._gone = (self._gone | (gone - _there(present))) & wanted

    def back(self, plan: HostPlan, present: Inventory) -> list[Loss]:
        """Take in what there is after it was put right; return what is there again."""
        there = _there(present)
        found = self._gone & there
        self._gone -= found
        self._routes = present.routes & plan.routes
        self._addresses = plan.addresses & {one.address for one in present.bound}
        self._interface = present.ours is not None
        return sorted(found, key=str)


def _wanted(plan: HostPlan, present: Inventory) -> frozenset[Loss]:
    found = {Loss(ROUTES, one) for one in wanted_routes(plan, present)}
    if plan.interface:
        found |= {Loss(ADDRESSES, one) for one in wanted_addresses(plan, present)}
        found.add(Loss(THE_INTERFACE))
    return frozenset(found)


def _there(present: Inventory) -> frozenset[Loss]:
    found = {Loss(ROUTES, one) for one in present.routes}
    found |= {Loss(ADDRESSES, one.address) for one in present.bound}
    if present.ours is not None:
        found.add(Loss(THE_INTERFACE))
    return frozenset(found)
