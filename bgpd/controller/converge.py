"""What the status of one Service should say, and what to tell people about it.

The allocator is asked, and remembers; nothing else is touched. Whatever the document shows is kept
while it is legal. An address in no pool is given up only for another one: until there is room
elsewhere the Service keeps it, because nobody else can be given it.
"""

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from bgpd.allocator import Allocator, Assigned, Refused
from bgpd.controller.wish import (
    Nonsense,
    Reason,
    Wish,
    families_of,
    mismatch,
    one_of_each,
    shown,
    wish_of,
    words,
)
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, family_of

VIP: Final = "VIP"
"""`ipMode`: packets reach the node with the elastic IP as their destination (KEP-1860)."""
_QUIET: Final = frozenset(
    {Reason.IP_ALLOCATED, Reason.CLEAR_ASSIGNMENT, Reason.ADDITIONAL_ASSIGN_FAILED}
)


@dataclass(frozen=True, slots=True)
class News:
    """What to tell people of a Service, as an Event."""

    reason: Reason
    note: str

    @property
    def warning(self) -> bool:
        """Whether somebody should do something."""
        return self.reason not in _QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the document of one Service should say."""

    request: ServiceRequest
    """What was decided on."""
    addresses: tuple[Address, ...] | None = None
    """None: the document stays as it is."""
    pool: str = ""
    """Where the addresses are from."""
    kept: bool = False
    """Whether the addresses are in no pool, and there is no other one to be had."""
    why_kept: str = ""
    pending: bool = False
    """Whether to decide again when there is room somewhere."""
    waits: bool = False
    """Whether nothing is decided yet: the pools changed of late, and may change once more."""
    freed: bool = False
    """Whether there is more room for others than before."""
    news: tuple[News, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the document must be written."""
        if self.addresses is None:
            return False
        request = self.request
        return (
            self.addresses != request.ingress
            or self.pool != request.pool_noted
            or self.kept != request.kept
            or any(mode not in {"", VIP} for mode in request.ingress_modes)
        )

    @property
    def granted(self) -> frozenset[Address]:
        """The addresses that the document does not show yet."""
        return frozenset(self.addresses or ()) - frozenset(shown(self.request))

    @property
    def left(self) -> frozenset[Address]:
        """The addresses that the document still shows and should not."""
        if self.addresses is None:
            return frozenset()
        return frozenset(shown(self.request)) - frozenset(self.addresses)


def ours(request: ServiceRequest, load_balancer_class: str) -> bool:
    """Return whether it is for us to give *request* an address."""
    return (request.load_balancer_class or "") == load_balancer_class


def adopt(request: ServiceRequest, allocator: Allocator, now: float) -> bool:
    """Note that *request* has the addresses that it shows; return whether that is legal.

    Where it is not, and nothing else is noted of it, what is legal of them is.
    """
    current = one_of_each(shown(request))
    if not request.load_balancer or not request.cluster_ips or not current:
        return False
    if isinstance(allocator.assign(request, current, now), Assigned):
        return True
    if not allocator.addresses_of(request.key):
        _part(request, allocator, now, current)
    return False


def _part(
    request: ServiceRequest, allocator: Allocator, now: float, current: tuple[Address, ...]
) -> tuple[Address, ...]:
    """Let *request* have the first of *current* that is legal alone; return what it has then."""
    if len(current) < 2:
        return ()
    fit = (one for one in current if isinstance(allocator.assign(request, (one,), now), Assigned))
    return tuple(islice(fit, 1))


def _follow(request: ServiceRequest, allocator: Allocator, now: float) -> Decision:
    """Keep account of what MetalLB's controller gives, and write nothing: it still decides."""
    current = one_of_each(shown(request))
    if not request.load_balancer or set(current) != set(allocator.addresses_of(request.key)):
        # What it took from one Service it may give to the next.
        allocator.release(request.key, now)
        adopt(request, allocator, now)
    return Decision(request=request)


def converge(  # noqa: PLR0913 - one Service, all that is known, and how to take it
    request: ServiceRequest,
    allocator: Allocator,
    now: float,
    *,
    pools: Collection[IPAddressPool],
    load_balancer_class: str = "",
    migrating: bool = False,
    patient: bool = False,
) -> Decision:
    """Return what to write and to tell; *pools* are those that *allocator* has.

    While *migrating*, or while one of *pools* is, nothing is written: MetalLB's controller writes.
    *patient* leaves a Service alone that cannot keep an address that it shows.

    Call `adopt` first for every Service that shows an address: this may give any other away.
    """
    if not ours(request, load_balancer_class):
        return Decision(request=request, freed=allocator.release(request.key, now))
    if not pools:
        # Nothing is configured yet, or nothing any more: both are no reason to touch anything.
        return Decision(request=request, pending=request.load_balancer)
    if migrating or any(one.migrating for one in pools):
        return _follow(request, allocator, now)
    turn = _Turn(request, allocator, now, pools, allocator.addresses_of(request.key), patient)
    if not request.load_balancer or not request.cluster_ips:
        return turn.give_up(pending=False)
    for annotation in request.deprecated:
        newer = annotation.rpartition("/")[2]
        turn.tell(Reason.DEPRECATED_ANNOTATION, f"{annotation} is deprecated; use bgpd.io/{newer}")
    wish = wish_of(request)
    if isinstance(wish, Nonsense):
        return turn.refuse(wish)
    return turn.fulfill(wish)


@dataclass(slots=True)
class _Turn:
    """One decision in the making."""

    request: ServiceRequest
    allocator: Allocator
    now: float
    pools: Collection[IPAddressPool]
    before: tuple[Address, ...]
    """What the allocator had noted."""
    patient: bool = False
    news: list[News] = field(default_factory=list)

    def tell(self, reason: Reason, note: str) -> None:
        """Add an Event."""
        self.news.append(News(reason, note))

    # How a decision ends

    def give_up(self, *, pending: bool) -> Decision:
        """Leave the Service without an address, where it was ours to give."""
        touch = bool(self.before or self.request.pool_noted or self.request.load_balancer)
        self.allocator.release(self.request.key, self.now)
        return self._decision(() if touch else None, pending=pending)

    def keep(self, *, pending: bool = False) -> Decision:
        """Let it have what the allocator has noted."""
        held = self.allocator.addresses_of(self.request.key)
        order = [one for one in shown(self.request) if one in held]
        rest = [one for one in held if one not in order]
        pool = self.allocator.pool_of(self.request.key) or ""
        return replace(self._decision((*order, *rest), pending=pending), pool=pool)

    def _decision(self, addresses: tuple[Address, ...] | None, *, pending: bool) -> Decision:
        after = self.allocator.addresses_of(self.request.key)
        return Decision(
            request=self.request,
            addresses=addresses,
            pending=pending,
            freed=any(one not in after for one in self.before),
            news=tuple(self.news),
        )

    # What makes no sense whatever the pools hold

    def refuse(self, nonsense: Nonsense) -> Decision:
        """Tell why; a mistake in what is asked for takes no address away that works."""
        self.tell(nonsense.reason, nonsense.sentence)
        if nonsense.reason is Reason.NOT_ENOUGH_CLUSTER_IPS:
            return self.give_up(pending=False)
        current = self._current()
        if current and isinstance(self._assign(current), Assigned):
            return self.keep()
        return self._decision(None, pending=False)

    # What the Service has

    def _current(self) -> tuple[Address, ...]:
        """Return what the Service has: in its document, or on the way there."""
        return one_of_each(shown(self.request) or self.before)

    def _assign(self, addresses: tuple[Address, ...]) -> Assigned | Refused:
        return self.allocator.assign(self.request, addresses, self.now)

    def fulfill(self, wish: Wish) -> Decision:
        """Give the Service what it asks for."""
        found = shown(self.request)
        if len(one_of_each(found)) < len(found):
            self.tell(
                Reason.STATUS_FAMILY,
                f"status.loadBalancer.ingress {', '.join(found)}: more than one address of a"
                " family; the first of each is kept where it can be",
            )
        current = tuple(one for one in self._current() if family_of(one) in wish.families)
        if wish.addresses:
            return self._by_name(wish, current)
        return self._again(wish, current) if current else self._anew(wish, ())

    def _by_name(self, wish: Wish, current: tuple[Address, ...]) -> Decision:
        """Give the addresses that were asked for by name, or none."""
        wrong = mismatch(wish)
        if not set(current) <= set(wish.addresses):
            self.tell(Reason.CLEAR_ASSIGNMENT, f"{', '.join(current)}: another one is asked for")
        if not wrong:
            answer = self._assign(wish.addresses)
            if isinstance(answer, Assigned):
                if set(current) != set(wish.addresses):
                    self._tell_allocated(answer)
                return self.keep()
            if self._may_come_back(wish.addresses):
                return Decision(request=self.request, waits=True)
            wrong = answer.sentence
        return self._fail(wrong)

    def _may_come_back(self, addresses: Iterable[Address]) -> bool:
        """Return whether one of *addresses*, which cannot be kept, is shown and waited for."""
        found = shown(self.request)
        return self.patient and any(one in found for one in addresses)

    def _again(self, wish: Wish, current: tuple[Address, ...]) -> Decision:
        """Keep *current* if that is still legal."""
        answer = self._assign(current)
        if isinstance(answer, Refused):
            order = sorted(current, key=lambda one: wish.families.index(family_of(one)))
            kept = _part(self.request, self.allocator, self.now, tuple(order))
            lost = tuple(one for one in current if one not in kept)
            if self._may_come_back(lost):
                return Decision(request=self.request, waits=True)
            self.tell(
                Reason.CLEAR_ASSIGNMENT, f"{', '.join(lost)} cannot be kept: {answer.sentence}"
            )
            return self._mend(wish, kept, lost) if kept else self._anew(wish, current)
        if families_of(current) == frozenset(wish.families):
            return self.keep()
        return self._add(wish, current)

    def _add(self, wish: Wish, current: tuple[Address, ...]) -> Decision:
        """Add the family that is missing, from the pool that the rest is from."""
        answer = self.allocator.allocate(self.request, wish.families, self.now)
        if isinstance(answer, Assigned):
            if set(answer.addresses) != set(current):
                self._tell_allocated(answer)
            return self.keep(pending=len(answer.addresses) < len(wish.families))
        if wish.prefers:
            self.tell(Reason.ADDITIONAL_ASSIGN_FAILED, answer.sentence)
            return self.keep(pending=True)
        self.tell(
            Reason.CLEAR_ASSIGNMENT,
            f"{', '.join(current)} is not {words(wish.families)}, which the Service must have",
        )
        return self._anew(wish, ())

    def _mend(self, wish: Wish, kept: tuple[Address, ...], lost: tuple[Address, ...]) -> Decision:
        """Let the Service have *kept*, which is legal, and another address in place of *lost*."""
        if any(_within(one, self.pools) for one in lost):
            return self._add(wish, kept)
        key = self.request.key
        answer = self.allocator.allocate(self.request, wish.families, self.now)
        if not wish.prefers and isinstance(answer, Refused):
            self.allocator.release(key, self.now)
            answer = self.allocator.allocate(self.request, wish.families, self.now)
        if isinstance(answer, Assigned) and len(answer.addresses) == len(wish.families):
            self._tell_allocated(answer)
            return self.keep()
        self._assign(kept)
        return self._outside(lost, answer, beside=kept)

    def _anew(self, wish: Wish, current: tuple[Address, ...]) -> Decision:
        """Find addresses anywhere; *current* are those that cannot be kept by right."""
        self.allocator.release(self.request.key, self.now)
        answer = self.allocator.allocate(self.request, wish.families, self.now)
        if isinstance(answer, Assigned):
            self._tell_allocated(answer)
            return self.keep(pending=len(answer.addresses) < len(wish.families))
        if current and not any(_within(one, self.pools) for one in current):
            return self._outside(current, answer)
        return self._fail(answer.sentence)

    def _outside(
        self,
        lost: tuple[Address, ...],
        answer: Assigned | Refused,
        *,
        beside: tuple[Address, ...] = (),
    ) -> Decision:
        """Leave the Service what nobody else can be given, until there is another one for it.

        What it has *beside* is of a pool, and noted.
        """
        self.news = [one for one in self.news if one.reason is not Reason.CLEAR_ASSIGNMENT]
        why = (
            f"{', '.join(lost)} is in no pool, and stays until there is another address: give a"
            " pool room, or put this one back into a pool."
        )
        why += f" {answer.sentence}" if isinstance(answer, Refused) else ""
        self.tell(Reason.ADDRESS_OUTSIDE_POOLS, why)
        order = tuple(one for one in self._current() if one in {*lost, *beside})
        decision = self._decision(order, pending=True)
        pool = self.allocator.pool_of(self.request.key) or self.request.pool_noted
        return replace(decision, pool=pool, kept=True, why_kept=why)

    def _fail(self, why: str) -> Decision:
        self.tell(Reason.ALLOCATION_FAILED, why)
        return self.give_up(pending=True)

    def _tell_allocated(self, answer: Assigned) -> None:
        self.tell(Reason.IP_ALLOCATED, f"{', '.join(answer.addresses)} from pool {answer.pool}")


def _within(address: Address, pools: Iterable[IPAddressPool]) -> bool:
    """Return whether one of *pools* has *address*; asked only where nothing else is left."""
    number = ipaddress.ip_address(address)
    return any(
        number in ipaddress.ip_network(prefix)
        for pool in pools
        for prefix in pool.prefixes
        if family_of(prefix) is family_of(address)
    )
