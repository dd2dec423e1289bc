"""What to believe of one provider, and when to look again; time is an argument, as elsewhere.

Theory of operation. A look ends in a document that was understood, or in a sentence. A sentence
changes nothing but the time of the next look: what was understood last holds, however long ago.
A document that was understood holds at once, with one exception: a peer that it no longer lists
stays until a second document, ten seconds later or more, does not list it either, because half an
answer looks just like it, and so do annotations that a controller writes one after the other.
A look follows every ten minutes, every minute while a session is down, and soon after one is lost,
because a provider that renumbers or changes a password closes the session first.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bgpd.model.prefix import Address
from bgpd.model.provider import Discovery, ProviderChoice, ProviderPeer
from bgpd.model.status import Condition

LOOK_SECONDS: Final = 600.0
"""Between two looks while all is well."""
UNWELL_SECONDS: Final = 60.0
"""The same while a session is down, or a peer is no longer listed."""
AGAIN_SECONDS: Final = 10.0
"""The least between two looks, whatever happens to sessions."""
RETRY_SECONDS: Final = 1.0
"""After the first failure; it doubles with each one."""
RETRY_MOST: Final = 60.0
STALE_SECONDS: Final = 3 * LOOK_SECONDS
JITTER: Final = 0.1
"""The part by which a pause is lengthened at most: an API is not to hear all nodes at once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a look gave nothing."""

    type: str
    """Of the condition: `ProviderUnreachable`, `ProviderDocumentRefused`…"""
    reason: str
    message: str


class Course:
    """One BGPPeer that names a provider; times are monotonic seconds, except where they say."""

    def __init__(
        self,
        name: str,
        choice: ProviderChoice,
        *,
        now: float,
        kept: Discovery | None = None,
        empty: str = "",
    ) -> None:
        """Begin for the BGPPeer *name*, with what was *kept* of an earlier look if there is any.

        *empty* is what to say, and to do, where the provider offers nothing.
        """
        self.name = name
        self.choice = choice
        self.attempted = False
        """Whether a first look ended, however."""
        self._empty = empty
        self._kept = kept or Discovery()
        self._missing: dict[Address, float] = {}
        """Since when a peer that is believed is no longer listed."""
        self._failure: Failure | None = None
        self._failures = 0
        self._unwell = False
        self._due: float | None = now
        self._began = float("-inf")
        self._since = now
        """When what is known was last confirmed, or we began."""

    @property
    def discovery(self) -> Discovery:
        """What is known now."""
        problem = self._failure.message if self._failure is not None else ""
        kept = self._kept
        return Discovery(peers=kept.peers, known=kept.known, fetched=kept.fetched, problem=problem)

    @property
    def settled(self) -> bool:
        """Whether there is something to go on with, or nothing was to be had."""
        return self._kept.known or self.attempted

    def deadline(self) -> float | None:
        """Return when to look; None while a look is under way."""
        return self._due

    def began(self, now: float) -> None:
        """Note that a look began."""
        self._began = now
        self._due = None

    def understood(
        self, peers: tuple[ProviderPeer, ...], *, now: float, wall: float, chance: float = 0.0
    ) -> bool:
        """Take in a good document, read at *wall*; return whether what is believed changed.

        *chance* is a random number below 1.
        """
        before = self._kept
        believed = self._believe(peers, now)
        self._kept = Discovery(peers=believed, known=True, fetched=wall)
        self.attempted, self._failure, self._failures, self._since = True, None, 0, now
        self._due = now + self._pause * (1 + JITTER * chance)
        return (before.known, before.peers) != (True, believed)

    def failed(self, failure: Failure, *, now: float, chance: float = 0.0) -> None:
        """Take in that a look gave nothing: what was understood last holds."""
        self.attempted, self._failure = True, failure
        pause = min(RETRY_SECONDS * 2.0**self._failures, RETRY_MOST)
        self._failures = min(self._failures + 1, 10)
        self._due = now + pause * (1 + JITTER * chance)

    def sessions(self, *, lost: bool, unwell: bool, now: float) -> None:
        """Take in that a session was *lost* just now, and whether one is down (*unwell*)."""
        self._unwell = unwell
        if self._due is None:
            return
        soonest = max(now, self._began + AGAIN_SECONDS)
        if lost:
            self._due = min(self._due, soonest)
        elif unwell:
            self._due = min(self._due, max(soonest, self._began + UNWELL_SECONDS))

    def conditions(self, now: float) -> tuple[Condition, ...]:
        """Return what a person should know."""
        found = []
        provider = f"BGPPeer {self.name}: provider {self.choice.kind}"
        if self._failure is not None:
            message = f"{provider}: {self._failure.message}; {self._holds}"
            found.append(_condition(self._failure.type, self._failure.reason, message))
            if self._kept.known and now - self._since >= STALE_SECONDS:
                message = f"{provider}: {self._holds}, for want of a newer word"
                found.append(_condition("ProviderStale", "NoNewerWord", message))
        elif self._kept.known and not self._kept.peers:
            message = f"{provider} offers this node no session: {self._empty}"
            found.append(_condition("ProviderEmpty", "NoSession", message))
        if self._missing:
            names = ", ".join(sorted(self._missing))
            message = (
                f"{provider} no longer lists {names}, which stays until a second document says so"
            )
            found.append(_condition("ProviderPeerVanishing", "NotListed", message))
        return tuple(found)

    @property
    def _holds(self) -> str:
        if not self._kept.known:
            return "nothing is known of its routers yet, and it is asked again"
        if self._kept.fetched is None:
            return "what it said before holds"
        moment = datetime.fromtimestamp(self._kept.fetched, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"what it said at {moment} holds"

    @property
    def _pause(self) -> float:
        return UNWELL_SECONDS if self._unwell or self._missing else LOOK_SECONDS

    def _believe(self, peers: tuple[ProviderPeer, ...], now: float) -> tuple[ProviderPeer, ...]:
        listed = {one.address for one in peers}
        gone = [one for one in self._kept.peers if one.address not in listed]
        since = {one.address: self._missing.get(one.address, now) for one in gone}
        first = {address for address, at in since.items() if now - at < AGAIN_SECONDS}
        self._missing = {address: since[address] for address in first}
        return (*peers, *(one for one in gone if one.address in first))


def _condition(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=True, reason=reason, message=message)
