"""What the speaker says with its routes to each peer: generation, least rank, shutdown."""

from bgpd.model.member import NodeName
from bgpd.model.peer import Lever, Peer, PeerName
from bgpd.model.route import RANK_DOUBT, RANK_DRAIN, RANK_NORMAL
from bgpd.model.status import MemberState, MemberStatus
from bgpd.policy.lever import Stance, effective_generation

_STEPPED = frozenset({Lever.AS_PATH, Lever.ORIGIN})


def floor(*, draining: bool, in_doubt: bool) -> int:
    """Return the least rank of every route."""
    if draining:
        return RANK_DRAIN
    return RANK_DOUBT if in_doubt else RANK_NORMAL


def others_can_carry(members: tuple[MemberStatus, ...], node: NodeName) -> bool:
    """Return whether another live member stays: only then is GRACEFUL_SHUTDOWN of use."""
    return any(
        member.name != node and member.state is MemberState.ALIVE and not member.draining
        for member in members
    )


def half_of_the_agents_are_away(members: tuple[MemberStatus, ...], *, ours_away: bool) -> bool:
    """Return whether withdrawing in doubt could leave nobody."""
    states = [member.agent_alive for member in members if member.state is MemberState.ALIVE]
    away = states.count(False) + ours_away
    return 2 * away >= len(states) + 1


class Stances:
    """Remembers, for each peer, the generation that a lever with three steps expresses."""

    def __init__(self) -> None:
        self._expressed: dict[PeerName, int] = {}

    def of(self, peer: Peer, base: Stance, *, unheard: bool) -> Stance:
        """Return *base* as it applies to *peer*."""
        if peer.lever not in _STEPPED:
            return base
        previous = self._expressed.get(peer.name, base.generation)
        generation = effective_generation(previous, base.generation, unheard=unheard)
        self._expressed[peer.name] = generation
        return Stance(
            generation=generation,
            floor=base.floor,
            graceful_shutdown=base.graceful_shutdown,
            withdraw_unranked=base.withdraw_unranked,
        )
