"""The updates that are under way to ExaBGP, and what it would not take.

An update that is refused changes nothing at all, so one bad route would hold back every other.
After a refusal each group of routes goes alone; the group that is refused again is left out
until it is time for another attempt, and all others flow.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bgpd.exabgp.command import PeerUpdate, Ping, RouteGroup, Update
from bgpd.model.peer import Peer, PeerName
from bgpd.model.status import Condition
from bgpd.policy.reconcile import PeerPlan
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.rib import Rib
from bgpd.speaker.timeline import Timeline

AGAIN_SECONDS: Final = 10.0
"""How long a refused route is left out before it is tried again."""
CHANGES: Final = 2000
"""The most that one command changes: ExaBGP answers nothing else while it works on one."""
SHOWN: Final = 3
"""How many refused prefixes a condition names."""


class Updates:
    """Sends plans, and remembers which of them have no answer."""

    def __init__(self, *, rib: Rib, timeline: Timeline, outbox: Outbox) -> None:
        self._rib = rib
        self._timeline = timeline
        self._outbox = outbox
        self._sent: dict[int, tuple[PeerPlan, ...]] = {}
        self._apart = False
        self._again_at: float | None = None
        self._error = ""

    @property
    def outstanding(self) -> bool:
        """Whether an update has no answer yet."""
        return bool(self._sent)

    def send(self, plans: Sequence[PeerPlan], peers: Mapping[PeerName, Peer], now: float) -> None:
        """Tell ExaBGP about *plans*."""
        apart = ((len(piece), (piece,)) for plan in plans for piece in _pieces(plan))
        for count, (routes, whole) in enumerate(apart if self._apart else _parcels(plans)):
            if count:
                # ExaBGP answers in order, so a long row of commands leaves no long silence.
                self._outbox.send(Ping(id=self._outbox.number()))
            number = self._outbox.number()
            self._sent[number] = whole
            changes = tuple(_peer_update(plan, peers[plan.peer]) for plan in whole)
            watched = self._timeline.expects(now)
            self._outbox.send(Update(id=number, peers=changes, watched=watched))
            self._timeline.commanded(number, routes=routes, now=now)

    def done(self, command: int) -> None:
        """Note that ExaBGP has carried out *command*."""
        self._sent.pop(command, None)

    def failed(self, command: int | None, error: str, now: float) -> bool:
        """Note that *command* was refused; return whether it was an update.

        Each call for an update narrows down what is sent next, so asking ExaBGP what it has
        and planning again comes to an end.
        """
        plans = self._sent.pop(command, None) if command is not None else None
        if plans is None:
            return False
        self._error = error
        if self._apart:
            self._rib.refuse(plans)
        self._apart = True
        self._again_at = now + AGAIN_SECONDS
        return True

    def again(self, now: float) -> bool:
        """Return whether it is time to plan what was refused once more."""
        if self._again_at is None or now < self._again_at:
            return False
        if not self._rib.refused:
            self._apart, self._again_at = False, None
            return False
        self._rib.forgive()
        self._again_at = now + AGAIN_SECONDS
        return True

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        refused = [
            f"{prefix} to {peer}"
            for peer, prefixes in sorted(self._rib.refused.items())
            for prefix in sorted(prefixes)
        ]
        if refused:
            more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
            yield Condition(
                type="RoutesRefused",
                status=True,
                reason="ExabgpRefused",
                message=f"ExaBGP would not change {', '.join(refused[:SHOWN])}{more}:"
                f" {self._error}; tried again every {AGAIN_SECONDS:.0f} s",
            )


def _pieces(plan: PeerPlan) -> Iterator[PeerPlan]:
    """Return *plan* as plans that each change one thing and not too much, withdrawals first."""
    for start in range(0, len(plan.withdraw), CHANGES):
        yield PeerPlan(peer=plan.peer, withdraw=plan.withdraw[start : start + CHANGES])
    for attributes, prefixes in plan.advertise:
        for start in range(0, len(prefixes), CHANGES):
            group = (attributes, prefixes[start : start + CHANGES])
            yield PeerPlan(peer=plan.peer, advertise=(group,))


def _parcels(plans: Sequence[PeerPlan]) -> Iterator[tuple[int, tuple[PeerPlan, ...]]]:
    """Return *plans* in their order, in parcels of at most `CHANGES` changes, which are counted."""
    parcel: list[PeerPlan] = []
    size = 0
    for plan in plans:
        whole = len(plan)
        pieces = ((len(one), one) for one in _pieces(plan)) if whole > CHANGES else [(whole, plan)]
        for count, piece in pieces:
            if parcel and size + count > CHANGES:
                yield size, tuple(parcel)
                parcel, size = [], 0
            parcel.append(piece)
            size += count
    if parcel:
        yield size, tuple(parcel)


def _peer_update(plan: PeerPlan, peer: Peer) -> PeerUpdate:
    return PeerUpdate(
        peer=peer.address,
        withdraw=plan.withdraw,
        advertise=tuple(
            RouteGroup(attributes=attributes, prefixes=prefixes)
            for attributes, prefixes in plan.advertise
        ),
    )
