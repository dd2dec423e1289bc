"""When to write what about our own node into its BGPNodeStatus: the decisions, without the wire.

Three requests make it: the Node is asked for its uid, the object is applied (owned by that Node,
with our address in the mesh), and then its status, each only where the server does not have it
yet. A status that says what the last one said is not written. Whatever fails is tried again, ever
more rarely; a write never waits for anything but the next one.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from bgpd.kube import backoff
from bgpd.kube.nodestatus import identity
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.member import Member
from bgpd.model.status import Condition

APART: Final = 1.0
"""Seconds between two writes, at least."""
SPREAD: Final = 0.5
"""A change is written within so long: a random part of it, because a takeover is news for every
node at one instant."""
CROWD: Final = 100
"""Members up to which these hold; in a larger mesh both grow with it, for the server's sake."""
RARELY: Final = (15.0, 30.0)
"""Seconds between attempts at what a person has to correct."""
TYPE: Final = "StatusNotWritten"
_FEW: Final = 2
"""Failures in a row that are not worth a word: a server that restarts makes them."""

Document: TypeAlias = dict[str, Any]
Outcome: TypeAlias = Reply | Unanswered


class Need(Enum):
    """What to ask the server next."""

    NOTHING = auto()
    NODE = auto()
    OBJECT = auto()
    STATUS = auto()


class NodeWrite:
    """What the server has of one node, and what it lacks. Times are monotonic seconds."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.due: float | None = 0.0
        """When to look for something to write; None while nothing changed."""
        self.previous: Mapping[str, Any] | None = None
        """The document whose conditions say since when they hold."""
        self.crowd = 1
        """How many members the mesh has."""
        self.trouble: tuple[str, str] | None = None
        """Reason and sentence, where something keeps us from writing."""
        self._uid = ""
        self._object: Document | None = None
        self._status: Document | None = None
        self._gone = False
        self._lost = False
        self._failed = 0
        self._free = 0.0

    @property
    def condition(self) -> Condition | None:
        """What a person should know."""
        if self.trouble is None:
            return None
        reason, message = self.trouble
        return Condition(type=TYPE, status=True, reason=reason, message=message)

    def changed(self, now: float, chance: float) -> None:
        """Note that there may be something to write; *chance* is random, 0 <= chance < 1."""
        if self.due is None:
            self.due = max(now + chance * SPREAD * self._times, self._free)

    def lost(self, now: float, chance: float) -> None:
        """Note that somebody deleted or changed the object: it is written again."""
        self._lost = True
        self.changed(now, chance)

    def begin(self) -> None:
        """Note that what there is to write is written now; what changes later is news."""
        self.due = None
        if self._lost:
            self._lost, self._uid = False, ""
            self._object = self._status = None

    def need_object(self, member: Member | None) -> Need:
        """Return what the object still needs before its status, with us at *member*."""
        if member is None and not self._gone:
            # Where we are is not known yet; an older agent of ours may have known.
            return Need.NOTHING
        if not self._uid:
            return Need.NODE
        wanted = identity(self.node, self._uid, member)
        return Need.NOTHING if wanted == self._object else Need.OBJECT

    def need_status(self, document: Document) -> Need:
        """Return whether *document* must be written."""
        return Need.NOTHING if document == self._status else Need.STATUS

    def object_document(self, member: Member | None) -> Document:
        """Return what to apply to the object."""
        return identity(self.node, self._uid, member)

    def after_node(self, outcome: Outcome, now: float, chance: float) -> bool:
        """Take the answer to `Need.NODE`; return whether to go on."""
        if isinstance(outcome, Reply) and outcome.good:
            uid = (outcome.document.get("metadata") or {}).get("uid")
            self._uid = uid if isinstance(uid, str) else ""
            return bool(self._uid) or self._fail(
                "ApiRefused", "the Node has no uid", now, chance, rarely=True
            )
        if isinstance(outcome, Reply) and outcome.code == 404:
            words = f"there is no Node {self.node}; its BGPNodeStatus would belong to nobody"
            return self._fail("NoNode", words, now, chance, rarely=True)
        return self._failure(outcome, now, chance)

    def after_object(self, document: Document, outcome: Outcome, now: float, chance: float) -> bool:
        """Take the answer to `Need.OBJECT`; return whether to go on."""
        if isinstance(outcome, Reply) and outcome.good:
            self._object, self._gone = document, False
            self.previous = self.previous or outcome.document
            return True
        if isinstance(outcome, Reply) and outcome.code == 404:
            words = "the API server does not know BGPNodeStatus; install bgpd's CRDs"
            return self._fail("KindNotInstalled", words, now, chance, rarely=True)
        return self._failure(outcome, now, chance)

    def after_status(self, document: Document, outcome: Outcome, now: float, chance: float) -> bool:
        """Take the answer to `Need.STATUS`; return whether it is written."""
        if isinstance(outcome, Reply) and outcome.good:
            self._status = self.previous = document
            self._free = now + APART * self._times
            self._failed, self.trouble = 0, None
            return True
        if isinstance(outcome, Reply) and outcome.code == 404:
            self._object, self._uid, self._gone = None, "", True
        return self._failure(outcome, now, chance)

    def settled(self) -> None:
        """Note that the server has everything."""
        self._failed, self.trouble = 0, None

    @property
    def _times(self) -> float:
        return max(1.0, self.crowd / CROWD)

    def _failure(self, outcome: Outcome, now: float, chance: float) -> bool:
        if isinstance(outcome, Unanswered):
            reason = "ApiUntrusted" if outcome.untrusted else "ApiUnreachable"
            return self._fail(reason, outcome.why, now, chance, most=backoff.UNREACHABLE)
        why = outcome.words
        match outcome.code:
            case 403:
                words = f"the API server forbids it: {why}; bind the agent's role to its account"
                return self._fail("ApiForbidden", words, now, chance, rarely=True)
            case 401:
                return self._fail("ApiUnauthorized", why, now, chance)
            case _:
                return self._fail("ApiRefused", why, now, chance, told=outcome.wait)

    def _fail(  # noqa: PLR0913 - why, when, and how to go on
        self,
        reason: str,
        why: str,
        now: float,
        chance: float,
        *,
        rarely: bool = False,
        most: float = backoff.LONGEST,
        told: float = 0.0,
    ) -> bool:
        self._failed += 1
        if rarely:
            delay = RARELY[0] + chance * (RARELY[1] - RARELY[0])
        else:
            delay = backoff.pause(self._failed, chance, most=most, told=told)
        self.due = max(now + delay, self._free)
        if rarely or self._failed > _FEW:
            self.trouble = (reason, f"BGPNodeStatus {self.node} is not written: {why}")
        return False
