"""Which levers were found to move the traffic of a peer's router, and what follows from that.

`bgpctl probe` finds it out (`bgpd.ctl.probe`); it is kept on the disk and shown in the status,
until another probe says otherwise or the peer has another address.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from bgpd.model.errors import ConfigError
from bgpd.model.peer import Lever, Peer, PeerName, Takeover
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, SessionStatus

TYPE: Final = "LeverDoesNotMove"
ORDER: Final = (Lever.LOCAL_PREF, Lever.MED, Lever.AS_PATH, Lever.ORIGIN)
"""The first that works is the best: those with room for ranks, those that travel farther."""
_MOST_LEVERS: Final = 16
_LAST_MOMENT: Final = 253_402_300_799
"""The end of the year 9999."""


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found out about one peer."""

    address: Address
    at: Annotated[float, msgspec.Meta(ge=0, le=_LAST_MOMENT)]
    """Wall clock, seconds since the epoch: a day that has a name, for it comes from a disk."""
    moves: dict[str, bool]
    """Lever, or community -> whether the traffic followed it both ways."""


Memory = Mapping[PeerName, Probed]


def noted(
    memory: Memory, text: str, *, peers: Mapping[PeerName, Peer], at: float
) -> dict[PeerName, Probed]:
    """Return *memory* with what *text* says, JSON of peer -> lever -> bool; raise `ConfigError`."""
    try:
        found = msgspec.json.decode(text, type=dict[PeerName, dict[str, bool]])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ConfigError(f"levers: {error}") from None
    for name, moves in found.items():
        if name not in peers:
            raise ConfigError(f"there is no peer {name} here")
        if len(moves) > _MOST_LEVERS:
            raise ConfigError(f"levers of {name}: at most {_MOST_LEVERS}")
    news = {
        name: Probed(address=peers[name].address, at=at, moves=moves)
        for name, moves in found.items()
    }
    return {**memory, **news}


def shown(memory: Memory, session: SessionStatus) -> tuple[dict[str, bool], float | None]:
    """Return what is known of the levers of *session*, and since when."""
    known = memory.get(session.peer)
    if known is None or known.address != session.address:
        return {}, None
    return known.moves, known.at


def conditions(memory: Memory, peers: Iterable[Peer]) -> tuple[Condition, ...]:
    """Return the condition that the configured lever of a peer does not move its router."""
    sentences = []
    for peer in sorted(peers, key=lambda peer: peer.name):
        known = memory.get(peer.name)
        if known is None or known.address != peer.address or peer.takeover is Takeover.NEVER:
            continue
        if known.moves.get(peer.lever.value) is False:
            sentences.append(_sentence(peer, known))
    if not sentences:
        return ()
    message = "; ".join(sentences)
    return (Condition(type=TYPE, status=True, reason="Probed", message=message),)


def best(moves: Mapping[str, bool]) -> Lever | None:
    """Return the lever to configure, None where none of those that can be moves anything."""
    return next((lever for lever in ORDER if moves.get(lever.value)), None)


def _sentence(peer: Peer, known: Probed) -> str:
    day = datetime.fromtimestamp(known.at, tz=UTC).strftime("%Y-%m-%d")
    better = best(known.moves)
    remedy = (
        f"{better.value} does: set spec.takeover.lever to it"
        if better is not None
        else "no other does, so a dead node is left when its hold time, or BFD, says so"
    )
    return (
        f"lever {peer.lever.value} does not move the traffic of peer {peer.name} (probed {day});"
        f" {remedy}"
    )
