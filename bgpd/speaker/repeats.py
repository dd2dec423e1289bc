"""Keep the log readable while a member of the mesh comes and goes several times a second.

A path that works in one direction only makes a member suspected and heard again for as long as it
lasts. The first line of each kind is written; what repeats it is counted, and the count is a line
once a minute and when the member has been quiet for a while. Nothing is decided here.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bgpd.mesh.events import MemberSuspected, MemberUp, MeshEvent, RaiseRefused
from bgpd.speaker.effect import Note

SETTLED_SECONDS: Final = 10.0
"""Without a repeat for so long an episode is over, and the next line is news again."""
TELL_SECONDS: Final = 60.0
"""How often an episode that goes on is told of."""

_NAMES: Final[dict[type[MeshEvent], str]] = {
    MemberSuspected: "member_suspected",
    MemberUp: "member_up",
    RaiseRefused: "raise_refused",
}
"""What may repeat, and what its lines are called."""


@dataclass(slots=True, kw_only=True)
class _Episode:
    """The lines of one member that were counted instead of written."""

    told_at: float
    latest_at: float
    latest: str = ""
    counts: Counter[str] = field(default_factory=Counter)


class Repeats:
    """Decides which events of the mesh get a line, and counts the others."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], float] = {}
        self._episodes: dict[str, _Episode] = {}

    def is_news(self, event: MeshEvent, now: float) -> bool:
        """Return whether *event* gets a line of its own; if not, it is counted."""
        if not isinstance(event, MemberSuspected | MemberUp | RaiseRefused):
            return True
        name = _NAMES[type(event)]
        # How long a member was silent differs each time; why nobody is raised for does not.
        why = event.reason if isinstance(event, RaiseRefused) else ""
        key = (event.member, name, why)
        before = self._seen.get(key)
        self._seen[key] = now
        episode = self._episodes.get(event.member)
        if episode is not None:
            episode.latest_at, episode.latest = now, name
        if before is None or now - before >= SETTLED_SECONDS:
            return True
        if episode is None:
            episode = _Episode(told_at=now, latest_at=now, latest=name)
            self._episodes[event.member] = episode
        episode.counts[name] += 1
        return False

    def due(self, now: float) -> Iterator[Note]:
        """Yield what is to be said of the lines that were not written."""
        self._seen = {key: at for key, at in self._seen.items() if now - at < SETTLED_SECONDS}
        for member, episode in list(self._episodes.items()):
            if now - episode.latest_at >= SETTLED_SECONDS:
                del self._episodes[member]
                yield _summary("info", "member_settled", member, episode)
            elif now - episode.told_at >= TELL_SECONDS:
                yield _summary("warning", "member_unsettled", member, episode)
                episode.told_at = now
                episode.counts.clear()


def _summary(level: str, event: str, member: str, episode: _Episode) -> Note:
    """Return how often each line was left out, and which was the latest: how the member is."""
    counts = tuple(sorted(episode.counts.items()))
    return Note(level, event, (("member", member), ("latest", episode.latest), *counts))
