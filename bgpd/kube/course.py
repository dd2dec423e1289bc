"""What one watch asks next, and when: every decision of a reflector, without its sockets.

A round asks for one of three things. STREAM asks for the whole state and then every change of it
(WatchList); the state ends with a bookmark. LIST asks for the state page by page, where the server
does not stream it. WATCH asks for what changed since a version.

    STREAM ── state complete ──▶ the same stream goes on as WATCH
       │ 400, 422, or silence                 │  ended, broken: WATCH again from the last version
       ▼                                      │  410, an error in the stream, versions that go back
      LIST ── last page ──▶ WATCH ────────────┴──▶ STREAM

Nothing here takes an object away. What a complete answer does not hold is the mirror's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

from bgpd.kube import backoff
from bgpd.kube.resource import PAGE
from bgpd.kube.watchline import Status

IDLE: Final = 75.0
"""Seconds without a byte after which a watch counts as dead: bookmarks come once a minute."""
SYNC_IDLE: Final = 20.0
"""The same while the state is still incomplete."""
HEAD_WITHIN: Final = (5.0, 10.0, 20.0, 30.0)
"""Seconds for the head of an answer: more after each failure, so that a slow server can answer."""
WATCH_SECONDS: Final = (240, 360)
"""A watch ends after a random time within these, so that agents spread over the servers again."""
_MISSING: Final = 10.0
"""The longest pause where a CRD is not installed: a person may be about to."""
_FOREIGN: Final = 600.0
"""The same of MetalLB's CRDs: most clusters never have them, and a thousand agents ask."""
_GUESS: Final = 1.0
"""The most of a Retry-After that holds once another watch got an answer: a server that starts asks
for 5 s, and needs them for none of its resources."""
_STARTING: Final = 2
"""Refusals in a row that are no news where it worked before: a server that starts refuses all."""
_STUCK: Final = 5
"""Failures in a row after which a version is given up."""


class Phase(Enum):
    """What is asked for."""

    STREAM = auto()
    LIST = auto()
    WATCH = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """The server ended the answer in an orderly way."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with an error: in place of an answer, or *within* a stream."""

    status: Status
    within: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer, or the end of one in the middle."""

    why: str
    reached: bool = True
    """Whether somebody answered: then it is not an outage that ends with the next answer."""


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Who answers cannot be believed to be the API server."""

    why: str


@dataclass(frozen=True, slots=True)
class Past:
    """A complete answer, older than what is known (`bgpd.kube.history`)."""

    version: str


@dataclass(frozen=True, slots=True)
class Backwards:
    """A watch went back behind the version that it started from."""


Outcome: TypeAlias = Ended | Refused | Broken | Untrusted | Past | Backwards


class Reason(Enum):
    """Why a resource is not followed; the value is the condition's reason."""

    UNREACHABLE = "ApiUnreachable"
    UNTRUSTED = "ApiUntrusted"
    UNAUTHORIZED = "ApiUnauthorized"
    FORBIDDEN = "ApiForbidden"
    MISSING = "KindNotInstalled"
    REFUSED = "ApiRefused"
    PAST = "ApiTellsThePast"


def reason_of(failed: Refused | Broken | Untrusted | Past | Backwards) -> Reason:
    """Return the word for what *failed*, whether or not it is worth a person's attention."""
    match failed:
        case Refused():
            return _BY_CODE.get(failed.status.code, Reason.REFUSED)
        case Broken():
            return Reason.UNREACHABLE
        case Untrusted():
            return Reason.UNTRUSTED
        case Past() | Backwards():
            return Reason.PAST
        case _:
            assert_never(failed)


_BY_CODE: Final = {401: Reason.UNAUTHORIZED, 403: Reason.FORBIDDEN, 404: Reason.MISSING}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a person should know, and in which words."""

    reason: Reason
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do before the next round."""

    delay: float = 0.0
    trouble: Trouble | None = None
    renew: bool = False
    """Whether to read the credentials anew."""
    wakeable: bool = False
    """Whether to go on at once when any other watch gets a good answer."""
    least: float = 0.0
    """Seconds to wait all the same then."""


class Course:
    """Where one watch stands."""

    def __init__(self, *, ours: bool = False, foreign: bool = False) -> None:
        self.phase = Phase.STREAM
        self.version = ""
        """What to watch from."""
        self.narrowed = True
        """Whether the field selector is used."""
        self._ours = ours
        self._longest_missing = _FOREIGN if foreign else _MISSING
        self._page = ""
        self._failures = 0
        self._answered = True
        self._allowed = False
        """Whether the server ever let us ask for this."""

    @property
    def head_within(self) -> float:
        """Seconds to wait for the head of the next answer."""
        return HEAD_WITHIN[min(self._failures, len(HEAD_WITHIN) - 1)]

    @property
    def idle(self) -> float:
        """Seconds to wait for the next byte of the next answer."""
        return IDLE if self.phase is Phase.WATCH else SYNC_IDLE

    def parameters(self, chance: float) -> Mapping[str, str]:
        """Return the query of the next request; *chance* is random, 0 <= chance < 1."""
        if self.phase is Phase.LIST:
            return {"limit": str(PAGE), **({"continue": self._page} if self._page else {})}
        least, most = WATCH_SECONDS
        common = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(least + int(chance * (most - least))),
        }
        if self.phase is Phase.WATCH:
            return {**common, "resourceVersion": self.version}
        return {**common, "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}

    def turned(self, page: str) -> None:
        """Ask for the next *page* of the list."""
        self._page = page

    def completed(self, version: str) -> None:
        """Watch from *version*: the state is complete."""
        self.phase, self.version, self._page = Phase.WATCH, version, ""
        self._allowed = True

    def after(self, outcome: Outcome, *, healthy: float, chance: float) -> Step:
        """Return what to do after *outcome*; the answer had been good for *healthy* seconds."""
        answered = not isinstance(outcome, Broken) or outcome.reached
        if self.phase is Phase.STREAM:
            # A stream that began well and never completes its state is a failure, however long.
            healthy = 0.0
        if healthy >= backoff.HEALTHY or (answered and not self._answered):
            # A server that is back begins with errors; the outage's long pauses are over.
            self._failures = 0
        elif healthy >= backoff.WELL:
            self._failures = min(self._failures, backoff.FEW)
        self._answered = answered
        self._failures += 1
        match outcome:
            case Ended():
                return self._ended(chance)
            case Refused():
                return self._refused(outcome.status, within=outcome.within, chance=chance)
            case Broken():
                return self._broken(outcome, chance)
            case Untrusted():
                trouble = Trouble(Reason.UNTRUSTED, outcome.why)
                return Step(delay=self._pause(chance), trouble=trouble, renew=True)
            case Past():
                self._again()
                why = f"it answers with version {outcome.version}, older than what it said before"
                return Step(delay=self._pause(chance), trouble=Trouble(Reason.PAST, why))
            case Backwards():
                return self._resync(chance)
            case _:
                assert_never(outcome)

    def woken(self) -> None:
        """Note that another watch's answer ended the pause: a guess that fails is no failure more.

        A server that starts answers for one resource after the other. Each answer wakes all who
        still wait, and a few such guesses within milliseconds would make the next pause a long one.
        """
        self._failures = max(1, self._failures - 1)

    def _pause(self, chance: float, most: float = backoff.LONGEST, told: float = 0.0) -> float:
        return backoff.pause(self._failures, chance, most=most, told=told)

    def _again(self) -> None:
        self.phase, self._page = Phase.STREAM, ""

    def _first(self, chance: float) -> float:
        """Return no pause for the first failure: it is what servers do every few minutes."""
        return 0.0 if self._failures == 1 else self._pause(chance)

    def _resync(self, chance: float) -> Step:
        self._again()
        return Step(delay=self._first(chance))

    def _ended(self, chance: float) -> Step:
        if self.phase is Phase.WATCH:
            return Step(delay=self._first(chance))
        return self._broken(Broken("it ended before the state was complete"), chance)

    def _broken(self, outcome: Broken, chance: float) -> Step:
        if self.phase is Phase.LIST:
            self._again()
        elif self.phase is Phase.STREAM and outcome.reached and self._failures % 2 == 0:
            # Something in between may swallow streams; a list goes through anything.
            self.phase = Phase.LIST
        # The first is not worth a word: a server that restarts ends every watch.
        trouble = Trouble(Reason.UNREACHABLE, outcome.why) if self._failures > 1 else None
        delay = self._pause(chance, most=backoff.UNREACHABLE)
        return Step(delay=delay, trouble=trouble, renew=True, wakeable=not outcome.reached)

    def _refused(self, status: Status, *, within: bool, chance: float) -> Step:
        self._allowed |= status.code not in {401, 403}
        why = f"{status.code} {status.reason}: {status.message}".rstrip(": ")
        match status.code:
            case 410:
                return self._resync(chance)
            case 400 | 422 if not within and self._simpler():
                return Step()
            case 401:
                # The token was replaced on disk long before the old one ended; if not, it is
                # soon, and the server is well meanwhile.
                trouble = Trouble(Reason.UNAUTHORIZED, why) if self._failures > 1 else None
                most = 0.0 if self._failures == 1 else backoff.UNREACHABLE
                return Step(delay=self._pause(chance, most), trouble=trouble, renew=True)
            case 403:
                return self._forbidden(Trouble(Reason.FORBIDDEN, why), chance)
            case 404 if self._ours:
                return self._missing(Trouble(Reason.MISSING, why), chance)
            case _:
                return self._failed(status, why, within=within, chance=chance)

    def _forbidden(self, trouble: Trouble, chance: float) -> Step:
        # A server that starts forbids everything until it has read its roles.
        worth = trouble if self._failures > _STARTING or not self._allowed else None
        return Step(delay=self._pause(chance), trouble=worth, wakeable=self._allowed)

    def _missing(self, trouble: Trouble, chance: float) -> Step:
        worth = trouble if self._failures > _STARTING or not self.version else None
        self._again()
        delay = self._pause(chance, most=self._longest_missing)
        return Step(delay=delay, trouble=worth, wakeable=bool(self.version))

    def _simpler(self) -> bool:
        """Ask for the state in words that an older server knows; return False where none are."""
        if self.phase is Phase.STREAM:
            # A server without WatchList, or one that does not know the field selector.
            self.phase = Phase.LIST
            return True
        if self.phase is Phase.LIST and self.narrowed:
            self.narrowed = False
            self._again()
            return True
        return False

    def _failed(self, status: Status, why: str, *, within: bool, chance: float) -> Step:
        if within or self.phase is not Phase.WATCH or self._failures >= _STUCK:
            self._again()
        delay = self._pause(chance, told=status.retry_after)
        trouble = Trouble(Reason.REFUSED, why) if self._failures > 1 else None
        least = min(status.retry_after, _GUESS)
        return Step(delay=delay, trouble=trouble, wakeable=bool(self.version), least=least)
