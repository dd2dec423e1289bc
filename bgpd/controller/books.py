"""Which Services to decide on, which documents to write, and in which order that is safe.

An address is given to a Service only when no document of ours shows it for another one that has
given it up: a document that could not be written yet still attracts traffic. So a Service that is
to have an address that another is about to leave waits for the other's document; what it is to
leave itself goes at once, so that no two can wait for each other.

Times are seconds of a monotonic clock.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from bgpd.allocator import Allocator
from bgpd.controller.converge import Decision, News, adopt, converge, ours
from bgpd.controller.together import hold_together
from bgpd.controller.wish import shown
from bgpd.controller.written import End, Open
from bgpd.kube import backoff
from bgpd.kube.vanish import SETTLE
from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address

RARELY: Final = (15.0, 30.0)
"""Seconds between attempts at what a person has to correct."""
FEW: Final = 200
"""Services that are asked again at once when an address becomes free; where more wait, they are
asked together, `RETRY` seconds later at least, and `RETRY_EACH` for each of them: ten thousand are
seconds of work, and a cluster whose pools are exhausted may free an address each second."""
RETRY: Final = 1.0
NOTED: Final = 100
"""Services whose addresses are noted in one go."""
RETRY_EACH: Final = 0.002


class Books:
    """Everything that is known of Services, pools and the writes under way."""

    def __init__(self, *, load_balancer_class: str = "") -> None:
        self.allocator = Allocator()
        self.pools: tuple[IPAddressPool, ...] = ()
        """Those that hold, in the order of names."""
        self.clashes: tuple[tuple[IPAddressPool, str], ...] = ()
        """Pools that do not hold as they are written, because they overlap others; and why."""
        self._migrating = False
        """Whether MetalLB's controller still gives addresses: any pool may say so."""
        self.failures: dict[str, int] = {}
        """How often in a row a document could not be written."""
        self._class = load_balancer_class
        self._requests: dict[str, ServiceRequest] = {}
        self._adopt: deque[str] = deque()
        """Services that show addresses which nobody has noted yet: they come before all others."""
        self._dirty: dict[str, None] = {}
        self._pending: dict[str, None] = {}
        """Services that want more than there is."""
        self._wanted: dict[str, Decision] = {}
        self._ready: deque[str] = deque()
        self._writing: dict[str, Decision] = {}
        self._later: list[tuple[float, str]] = []
        self._open: dict[str, Open] = {}
        self._showing: dict[Address, set[str]] = {}
        """Which documents of ours show an address, or may yet do so."""
        self._shows: dict[str, frozenset[Address]] = {}
        self._blocked: dict[Address, dict[str, None]] = {}
        self._kept: set[str] = set()
        self._bereft: dict[str, float | None] = {}
        """Services that lost addresses by a change of pools -> until when to wait for another."""
        self._retry_at: float | None = None
        self._warned: dict[str, tuple[News, ...]] = {}

    # What is known

    @property
    def kept(self) -> Collection[str]:
        """The Services whose addresses are in no pool."""
        return self._kept

    @property
    def pending(self) -> Collection[str]:
        """The Services that want more than there is."""
        return self._pending.keys()

    @property
    def settled(self) -> bool:
        """Whether there is nothing to decide and nothing to write now."""
        return not (self._adopt or self._dirty or self._ready or self._writing)

    def configure(self, pools: Iterable[IPAddressPool], namespaces: Iterable[Namespace]) -> None:
        """Take the pools; if that changes anything, all is decided again, who has addresses first.

        Most Namespaces that come and go are of no pool's choice.
        """
        in_force = {one.name: one for one in self.pools}
        wanted = tuple(pools)
        followed, self._migrating = self._migrating, any(one.migrating for one in wanted)
        admission = hold_together(wanted, in_force, self._requests.values())
        self.pools, self.clashes = admission.admitted, admission.refused
        before = self.allocator.changes
        lost = self.allocator.set_pools(self.pools, tuple(namespaces))
        # A pool that is removed was waited for already, and what it said held meanwhile.
        there = {one.name for one in self.pools}
        moved = (key for key in sorted(lost) if self._requests[key].pool_noted in there)
        self._bereft = {**dict.fromkeys(moved), **self._bereft}
        if self.allocator.changes == before and self._migrating is followed:
            return
        holding = [key for key, one in self._requests.items() if one.ingress]
        held = self.allocator.addresses_of
        self._adopt.extend(key for key in holding if self._requests[key].ingress != held(key))
        self._dirty = {**dict.fromkeys(holding), **dict.fromkeys(self._requests)}

    def seen(self, request: ServiceRequest, now: float) -> None:
        """Take one Service as it is now."""
        key = request.key
        before = self._requests.get(key)
        self._requests[key] = request
        under_way = self._open.get(key)
        if under_way is not None and (
            under_way.answered or under_way.version != request.resource_version
        ):
            del self._open[key]
        self._note_shown(key)
        if request.ingress:
            self._adopt.append(key)
        self._dirty[key] = None
        if before is not None and _sharing(before) != _sharing(request):
            # Its address may be one that others can join now.
            self._more_room(now)

    def gone(self, key: str, now: float) -> None:
        """Note that there is no such Service any more."""
        if self._requests.pop(key, None) is None:
            return
        self._dirty.pop(key, None)
        self._pending.pop(key, None)
        self._wanted.pop(key, None)
        self._open.pop(key, None)
        self._warned.pop(key, None)
        self.failures.pop(key, None)
        self._kept.discard(key)
        self._bereft.pop(key, None)
        self._note_shown(key)
        if self.allocator.release(key, now):
            self._more_room(now)

    def _more_room(self, now: float) -> None:
        """See that those are decided on again who want more than there was.

        Where they are many that takes long, so they are not asked after each of many releases.
        """
        if len(self._pending) <= FEW:
            self._dirty.update(self._pending)
        elif self._retry_at is None:
            self._retry_at = now + max(RETRY, RETRY_EACH * len(self._pending))

    def _note_shown(self, key: str) -> None:
        """Keep which documents show which addresses; wake whoever waited for one to vanish."""
        request, before = self._requests.get(key), self._shows.pop(key, frozenset())
        now: frozenset[Address] = frozenset()
        if request is not None and self._is_managed(request):
            now = frozenset(shown(request))
            under_way = self._open.get(key)
            if under_way is not None:
                now |= under_way.addresses
        if now:
            self._shows[key] = now
        for address in now - before:
            self._showing.setdefault(address, set()).add(key)
        for address in before - now:
            self._showing[address].discard(key)
            if not self._showing[address]:
                del self._showing[address]
            self._ready.extend(self._blocked.pop(address, ()))

    def _is_managed(self, request: ServiceRequest) -> bool:
        return ours(request, self._class) and (
            request.load_balancer
            or bool(request.pool_noted)
            or bool(self.allocator.addresses_of(request.key))
        )

    # Deciding

    def note(self, now: float, *, most: int = NOTED) -> bool:
        """Note what *most* Services show that nobody has noted yet; return whether there are more.

        It comes before every decision, and in pieces, because a Lease must be renewed meanwhile.
        """
        for _ in range(min(most, len(self._adopt))):
            request = self._requests.get(self._adopt.popleft())
            if request is not None and ours(request, self._class):
                adopt(request, self.allocator, now)
        return bool(self._adopt)

    def decide(self, now: float) -> Decision | None:
        """Decide on the next Service; return the decision, or None if there was none to make."""
        while self.note(now):
            pass
        while self._later and self._later[0][0] <= now:
            self._dirty[heappop(self._later)[1]] = None
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            self._dirty.update(self._pending)
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            request = self._requests.get(key)
            if request is not None:
                return self._decide(request, now)
        return None

    def due(self, now: float) -> float | None:
        """Return when there may be something to decide although nothing changes."""
        waiting = self.allocator.due(now) if self._pending else None
        later = self._later[0][0] if self._later else None
        if waiting is not None:
            # An address has waited long enough then; those who want one are asked again.
            self._retry_at = waiting if self._retry_at is None else min(self._retry_at, waiting)
        return min((at for at in (self._retry_at, later) if at is not None), default=None)

    def _decide(self, request: ServiceRequest, now: float) -> Decision:
        key = request.key
        until = self._patience(key, now)
        decision = converge(
            request,
            self.allocator,
            now,
            pools=self.pools,
            load_balancer_class=self._class,
            migrating=self._migrating,
            patient=now < until,
        )
        if decision.waits:
            self._wanted.pop(key, None)
            heappush(self._later, (until, key))
            return decision
        self._bereft.pop(key, None)
        if decision.pending:
            self._pending[key] = None
        else:
            self._pending.pop(key, None)
        (self._kept.add if decision.kept else self._kept.discard)(key)
        if decision.freed:
            self._more_room(now)
            self._dirty.pop(key, None)
        decision = replace(decision, news=self._fresh(key, decision.news))
        if decision.differs:
            self._wanted[key] = decision
            self._ready.append(key)
        else:
            self._wanted.pop(key, None)
            self.failures.pop(key, None)
        return decision

    def _patience(self, key: str, now: float) -> float:
        """Return until when *key* is left alone, because it just lost an address by the pools.

        A range that goes from one pool to another is in neither between two writes, and a label
        that a pool chooses namespaces by may be taken off and put on. The Service would move, and
        not come back; nobody else is given its address meanwhile.
        """
        if key not in self._bereft:
            return now
        until = self._bereft[key]
        if until is None:
            until = self._bereft[key] = now + SETTLE
        return until

    def _fresh(self, key: str, news: tuple[News, ...]) -> tuple[News, ...]:
        """Return what was not told the last time, so that nobody is warned again and again."""
        warnings = tuple(one for one in news if one.warning)
        before = self._warned.pop(key, ())
        if warnings:
            self._warned[key] = warnings
        return tuple(one for one in news if one not in before)

    # Writing

    def next_write(self) -> Decision | None:
        """Return what to write now; it counts as begun."""
        while self._ready:
            key = self._ready.popleft()
            decision = self._wanted.get(key)
            if decision is None or key in self._writing:
                continue
            if decision.request is not self._requests.get(key):
                # The document is another one by now, and would refuse the write. If no answer to
                # that came, its address would count as shown until the document changes again.
                continue
            blocked = self._blocked_by(decision)
            if blocked:
                for address in blocked:
                    self._blocked.setdefault(address, {})[key] = None
                if not decision.left:
                    continue
                rest = tuple(one for one in decision.addresses or () if one not in decision.granted)
                decision = replace(decision, addresses=rest, pool=decision.pool if rest else "")
            self._writing[key] = decision
            self._begin(decision)
            return decision
        return None

    def _begin(self, decision: Decision) -> None:
        """Note what the document may show from now on."""
        key, version = decision.request.key, decision.request.resource_version
        before = self._open.get(key)
        lost: frozenset[Address] = frozenset()
        if before is not None and before.version == version and not before.answered:
            lost = before.lost
        self._open[key] = Open(version, decision.granted | lost, lost)
        self._note_shown(key)

    def _end(self, decision: Decision, end: End) -> None:
        """Note what the document may still show."""
        key = decision.request.key
        under_way = self._open.get(key)
        if under_way is None:
            return
        match end:
            case End.WRITTEN:
                under_way.answered = True
            case End.UNANSWERED:
                under_way.lost = under_way.addresses
            case End.FAILED | End.REFUSED if under_way.lost:
                under_way.addresses = under_way.lost
            case _:
                # Of another version, or none: nothing that was lost can land any more, either.
                del self._open[key]
        self._note_shown(key)

    def _blocked_by(self, decision: Decision) -> tuple[Address, ...]:
        key = decision.request.key
        return tuple(
            address
            for address in decision.granted
            if any(
                other != key and address not in self.allocator.addresses_of(other)
                for other in self._showing.get(address, ())
            )
        )

    def ended(
        self, decision: Decision, end: End, now: float, *, chance: float, told: float = 0.0
    ) -> None:
        """Take what became of a write; *told* is what the server asked to wait."""
        key = decision.request.key
        self._writing.pop(key, None)
        self._end(decision, end)
        if key not in self._requests:
            return
        wanted = self._wanted.get(key)
        if end is End.WRITTEN:
            self.failures.pop(key, None)
            if wanted is not None and wanted.request is decision.request:
                # The document changed, so it comes to be decided on again.
                del self._wanted[key]
                return
        else:
            self.failures[key] = self.failures.get(key, 0) + 1
            if end is End.REFUSED:
                delay = RARELY[0] + chance * (RARELY[1] - RARELY[0])
            else:
                delay = backoff.pause(self.failures[key], chance, told=told)
            heappush(self._later, (now + delay, key))
        if wanted is not None and wanted.request is not decision.request:
            self._ready.append(key)

    @property
    def writing(self) -> int:
        """How many writes wait for their answers."""
        return len(self._writing)

    @property
    def under_way(self) -> bool:
        """Whether a write could still change a document that we have not heard of."""
        return any(not one.answered for one in self._open.values())

    def requests(self) -> Iterator[ServiceRequest]:
        """Yield every Service."""
        yield from self._requests.values()


def _sharing(request: ServiceRequest) -> tuple[str, str, object]:
    return request.sharing_key, request.backend, request.ports
