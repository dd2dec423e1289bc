"""What the speaker says with its routes to each peer: generation, least rank, shutdown."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from bgpd.mesh.packet import MAX_ROUTER_IDS
from bgpd.model.member import NodeName
from bgpd.model.peer import Lever, Peer, Takeover
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import RANK_DOUBT, RANK_DRAIN, RANK_NORMAL, Advertisement, Attributes
from bgpd.model.status import Condition, MemberState, MemberStatus
from bgpd.policy.lever import STEPS, Stance, effective_generation, step_of

DAMPING_CHANGES: Final = 3
DAMPING_SECONDS: Final = 600.0
"""How many changes of the generation a router that dampens flaps hears in how long: with the
figures in use (RFC 2439, section 4.2) a few more suppress the route, for up to an hour."""

_STEPPED = frozenset({Lever.AS_PATH, Lever.ORIGIN})


def floor(*, draining: bool, in_doubt: bool) -> int:
    """Return the least rank of every route."""
    if draining:
        return RANK_DRAIN
    return RANK_DOUBT if in_doubt else RANK_NORMAL


def staying(
    members: tuple[MemberStatus, ...], node: NodeName, *, connected: bool = False
) -> frozenset[str]:
    """Return the other live members that stay, and advertise: a drain may leave routes to them.

    Who is partial may withhold the very route that would be left to it, and does not say which.
    Where we ourselves are *connected*, a member that names no router of its own is not.
    """
    return frozenset(
        member.name
        for member in members
        if member.name != node
        and member.state is MemberState.ALIVE
        and not (member.draining or member.partial)
        and (member.router_ids or not connected)
    )


def better(
    members: tuple[MemberStatus, ...], node: NodeName, *, connected: bool = False
) -> frozenset[str]:
    """Return the other live members that a doubtful node may leave its routes to."""
    doubtful = {member.name for member in members if member.doubtful}
    return staying(members, node, connected=connected) - doubtful


def living(members: tuple[MemberStatus, ...], node: NodeName) -> frozenset[str]:
    """Return the other live members, those that are drained, too: their routes may return."""
    return frozenset(
        member.name
        for member in members
        if member.name != node and member.state is MemberState.ALIVE
    )


def present(
    members: Iterable[MemberStatus], rivals: AbstractSet[str], router: Address | None
) -> frozenset[str]:
    """Return which of *rivals* carry routes to *router*, as far as the mesh knows.

    A suspect counts until its death is certain. Who leaves, or is doubtful, carries nothing where
    the lever has no ranks; nor does a node whose own session with the router is down. While ours is
    down (*router* is None), nobody is ruled out: what waits for the session must not be too much.
    """
    return frozenset(
        member.name
        for member in members
        if member.name in rivals
        and member.state in {MemberState.ALIVE, MemberState.SUSPECT}
        and not (member.draining or member.doubtful)
        and (router is None or router in member.router_ids or _says_no_more(member))
    )


def _says_no_more(member: MemberStatus) -> bool:
    """Return whether *member* may have sessions that its heartbeats have no room for."""
    return len(member.router_ids) >= MAX_ROUTER_IDS


def half_are_in_doubt(members: tuple[MemberStatus, ...], *, we_are: bool) -> bool:
    """Return whether withdrawing in doubt could leave nobody: whoever has no agent counts, too."""
    live = [member for member in members if member.state is MemberState.ALIVE]
    doubtful = sum(member.doubtful or not member.agent_alive for member in live) + we_are
    return 2 * doubtful >= len(live) + 1


class Budget:
    """Changes that a router which dampens flaps (RFC 2439) hears without suppressing a route."""

    def __init__(self) -> None:
        self._spent: list[float] = []

    def left(self, now: float) -> int:
        """Return how many changes may be made now."""
        self._spent = [at for at in self._spent if now - at < DAMPING_SECONDS]
        return DAMPING_CHANGES - len(self._spent)

    def spend(self, now: float) -> None:
        """Note a change."""
        self._spent.append(now)

    def refills(self, now: float) -> float | None:
        """Return when a change is possible again; None when one is possible now."""
        return None if self.left(now) else self._spent[0] + DAMPING_SECONDS


class Stances:
    """Remembers the generation that each peer heard last, where it may lag behind ours.

    It lags with a lever of three steps, which must not wrap while a member is unheard, and with
    a router that dampens flaps, which would suppress a route that changes too often. And it lags
    for a moment with a router that notices a dead node itself, by BFD: a raise would move flows
    that the router alone leaves in peace. Peers are known by address: a router remembers flaps
    whatever its peer is called here.
    """

    def __init__(self) -> None:
        self._expressed: dict[Address, int] = {}
        self._budgets: dict[Address, Budget] = {}
        self._held: set[Address] = set()
        self._behind: set[Address] = set()
        """Peers whose lever did not wrap because a member was unheard."""
        self._told: dict[Address, int] = {}
        self._waiting: dict[Address, deque[tuple[float, int]]] = {}
        """For each peer that waits for its BFD: when it hears which generation."""

    def of(
        self,
        peer: Peer,
        base: Stance,
        *,
        unheard: bool,
        offered: bool,
        now: float,
        patience: float | None = None,
    ) -> Stance:
        """Return *base* as it applies to *peer*; *offered* says that it has routes of ours now.

        What nobody hears costs nothing: a peer that is down, or has no route, spends no budget.
        A generation that is raised is told after *patience* seconds.
        """
        told = self._patiently(peer.address, base.generation, patience if offered else None, now)
        if told != base.generation:
            base = replace(base, generation=told)
        stepped = peer.lever in _STEPPED
        if not stepped and not may_lag(peer):
            return base
        address = peer.address
        previous = self._expressed.get(address, base.generation)
        generation = base.generation
        if stepped:
            generation = effective_generation(previous, generation, unheard=unheard)
            (self._behind.add if generation < base.generation else self._behind.discard)(address)
        self._held.discard(address)
        if may_lag(peer) and offered and generation != previous:
            generation = self._afford(address, previous, generation, now)
        self._expressed[address] = generation
        return replace(base, generation=generation)

    def recall(
        self,
        peer: Peer,
        said: Mapping[Prefix, Attributes],
        wanted: Mapping[Prefix, Advertisement],
        generation: int,
    ) -> None:
        """Note what the process before us *said* to *peer*, while we have said nothing.

        It may have held a wrap back: whoever forgets that loses to the path of a dead node.
        """
        if peer.lever not in _STEPPED or peer.address in self._expressed:
            return
        steps = (step_of(said[p], wanted[p], peer.lever) for p in said if p in wanted)
        step = next((one for one in steps if one is not None), None)
        if step is not None:
            since = (generation - (STEPS - 1 - step)) % STEPS
            self._expressed[peer.address] = generation - since

    def _patiently(
        self, address: Address, generation: int, patience: float | None, now: float
    ) -> int:
        """Return what the peer at *address* may hear of *generation* now."""
        told = self._told.get(address, generation)
        if patience is None or generation <= told:
            self._told[address] = generation
            self._waiting.pop(address, None)
            return generation
        waiting = self._waiting.setdefault(address, deque())
        if not waiting or generation > waiting[-1][1]:
            # Each raise is about another death, and each death has its own time.
            waiting.append((now + patience, generation))
        while waiting and waiting[0][0] <= now:
            _, told = waiting.popleft()
        if not waiting:
            del self._waiting[address]
        self._told[address] = told
        return told

    @property
    def waits_until(self) -> float | None:
        """When the first peer that waits for its BFD hears a generation."""
        return min((waiting[0][0] for waiting in self._waiting.values()), default=None)

    def _afford(self, address: Address, previous: int, generation: int, now: float) -> int:
        budget = self._budgets.setdefault(address, Budget())
        if not budget.left(now):
            self._held.add(address)
            return previous
        budget.spend(now)
        return generation

    def budget(self, peer: Peer, now: float) -> int | None:
        """Return how many changes *peer* may still hear; None where they are not counted."""
        if not may_lag(peer):
            return None
        return self._budgets.get(peer.address, Budget()).left(now)

    def refills(self, peer: Peer, now: float) -> float | None:
        """Return when the spent budget of *peer* allows a change again."""
        budget = self._budgets.get(peer.address)
        return None if budget is None or not may_lag(peer) else budget.refills(now)

    def conditions(
        self, peers: Iterable[Peer], *, now: float, wall_offset: float
    ) -> Iterator[Condition]:
        """Yield one condition for each of *peers* whose budget is spent."""
        for peer in peers:
            refills = self.refills(peer, now)
            if refills is not None:
                moment = datetime.fromtimestamp(refills + wall_offset, UTC)
                yield Condition(
                    type="DampingBudgetSpent",
                    status=True,
                    reason="TooManyChanges",
                    message=f"peer {peer.name} dampens flaps and heard {DAMPING_CHANGES} changes in"
                    f" {DAMPING_SECONDS / 60:.0f} minutes: its routes keep their generation, so"
                    f" nothing is taken over there, until {moment:%Y-%m-%dT%H:%M:%SZ}",
                )

    @property
    def lagging(self) -> frozenset[Address]:
        """The routers that are not told our generation because they heard too many."""
        return frozenset(self._held)

    def catch_up_due(self, now: float, *, unheard: bool) -> bool:
        """Return whether a peer that lags behind could be told the generation now."""
        if self._behind and not unheard:
            return True
        if any(waiting[0][0] <= now for waiting in self._waiting.values()):
            return True
        return any(self._budgets[address].left(now) for address in self._held)

    def forget_all_but(self, peers: Iterable[Peer], now: float) -> None:
        """Drop what is known of peers that are gone and remember no recent change."""
        here = {peer.address for peer in peers}
        spent = {a for a, budget in self._budgets.items() if budget.left(now) < DAMPING_CHANGES}
        kept = here | spent
        self._expressed = {a: value for a, value in self._expressed.items() if a in kept}
        self._budgets = {a: budget for a, budget in self._budgets.items() if a in kept}
        # Who is gone hears nothing, so nothing would ever end the wait for it.
        self._told = {a: value for a, value in self._told.items() if a in here}
        self._waiting = {a: value for a, value in self._waiting.items() if a in here}
        self._held &= here
        self._behind &= here


def may_lag(peer: Peer) -> bool:
    """Return whether changes of the generation are counted for *peer*."""
    return peer.damping and peer.lever is not Lever.NONE and peer.takeover is not Takeover.NEVER
