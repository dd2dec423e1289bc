"""Tells the cluster about our node: its BGPNodeStatus, and Events for what a person cares about.

One loop with a connection of its own; nothing waits for it. It looks at the node when something
may have changed, at most once a second, and never for more than a small part of a core.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlencode

from bgpd.kube import backoff, series
from bgpd.kube.access import Access
from bgpd.kube.call import APPLY, MERGE, Call, Caller
from bgpd.kube.documents import Key
from bgpd.kube.happening import happenings
from bgpd.kube.nodestatus import FIELD_MANAGER, KIND, PLURAL, document
from bgpd.kube.nodewrite import Need, NodeWrite
from bgpd.kube.objects import OUR_GROUP
from bgpd.kube.problem import Problem
from bgpd.kube.reply import Reply, Unanswered
from bgpd.kube.series import Entry, Series
from bgpd.kube.store import Changes
from bgpd.kube.wellbeing import noted, wellbeing
from bgpd.kube.withholding import withholding
from bgpd.model.member import Member
from bgpd.model.status import Condition, NodeStatus

LOOKS_APART: Final = 1.0
"""Seconds between two looks at the node, at least."""
SHARE: Final = 0.05
"""The part of the time that may be spent on looking."""
LARGE: Final = 200
"""Routes from which on a document is composed in a thread, so that no decision waits for it."""
_FAILED_PAUSE: Final = 30.0
_PATH: Final = f"/apis/{OUR_GROUP}/{PLURAL}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Our node at one moment."""

    status: NodeStatus
    member: Member | None
    """Where our speaker listens; None while nobody knows."""
    problems: tuple[Problem, ...] = ()


class Telling:
    """What the cluster is told about our node."""

    def __init__(
        self,
        access: Access,
        *,
        node: str,
        agent: str,
        look: Callable[[], Look | None],
        on_conditions: Callable[[], None] = lambda: None,
    ) -> None:
        """Tell as the User-Agent *agent* what *look* sees; it sees None before the start."""
        self.counters: Counter[str] = Counter()
        self._look_at = look
        self._on_conditions = on_conditions
        self._namespace = access.namespace
        self.writes: Counter[str] = Counter()
        """Writes by how they ended: see `bgpd.kube.reply.written`."""
        self._caller = Caller(access, agent=f"{agent} ({node})", writes=self.writes)
        self._write = NodeWrite(node)
        self._series = Series(node)
        self._key = Key(KIND, "", node)
        self._look: Look | None = None
        self._known: NodeStatus | None = None
        self._look_due: float | None = None
        self._look_free = 0.0
        self._events_free = 0.0
        self._events_failed = 0
        self._events_trouble: tuple[str, str] | None = None
        self._bug = ""
        self._wake = asyncio.Event()
        self._told: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know: that the cluster is not told."""
        return tuple(self._conditions())

    def changed(self) -> None:
        """Note that our node may be different now."""
        if self._look_due is None:
            self._look_due = max(asyncio.get_running_loop().time(), self._look_free)
            self._wake.set()

    def heard(self, changes: Changes) -> None:
        """Note what the source told: somebody may have touched our own object."""
        if self._key in changes.removed or self._key in changes.changed:
            self._write.lost(asyncio.get_running_loop().time(), _chance())
            self._wake.set()

    async def run(self) -> NoReturn:
        """Tell for ever; what goes wrong here never ends anything else."""
        try:
            while True:
                try:
                    await self._turn()
                    self._bug = ""
                except Exception as error:  # noqa: BLE001 - routes matter more than what is said of them
                    self.counters["telling_failed"] += 1
                    self._bug = f"{type(error).__name__}: {error}"
                    self._note()
                    await asyncio.sleep(_FAILED_PAUSE)
        finally:
            self._caller.close()

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._look_due is not None and self._look_due <= now:
            self._take_look(now)
        due = self._write.due
        if self._look is not None and due is not None and due <= now:
            await self._write_status(self._look)
        elif now >= self._events_free and (entry := self._series.next(now)) is not None:
            await self._write_event(entry)
        else:
            await self._wait(now)
        self._note()

    async def _wait(self, now: float) -> None:
        self._wake.clear()
        dues = [] if self._look_due is None else [self._look_due]
        if self._look is not None and self._write.due is not None:
            dues.append(self._write.due)
        event = self._series.due(now)
        if event is not None:
            dues.append(max(event, self._events_free))
        timeout = max(0.0, min(dues) - now) if dues else None
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass

    # Looking

    def _take_look(self, now: float) -> None:
        self._look_due = None
        look = self._look_at()
        if look is not None:
            self._tell(look, now)
            self._look = replace(look, status=noted(look.status))
            self._write.crowd = _members(look.status)
            self._write.changed(now, _chance())
        spent = asyncio.get_running_loop().time() - now
        self._look_free = now + max(LOOKS_APART, spent / SHARE)

    def _tell(self, look: Look, now: float) -> None:
        wall = time.time()
        before = self._known
        found = happenings(
            before,
            look.status,
            problems=look.problems,
            problems_before=self._look.problems if self._look else (),
            namespace=self._namespace,
        )
        found += (*wellbeing(before, look.status), *withholding(before, look.status))
        for one in found:
            self._series.tell(one, now=now, wall=wall)
        self._known = noted(look.status)
        if look.status.speaker is None and before is not None:
            # A speaker that says nothing for a moment is compared with what it said last.
            self._known = replace(self._known, speaker=before.speaker)

    # The status

    async def _write_status(self, look: Look) -> None:
        write = self._write
        write.begin()
        while (need := write.need_object(look.member)) is not Need.NOTHING:
            if need is Need.NODE:
                outcome = await self._ask("GET", f"/api/v1/nodes/{quote(write.node)}")
                good = write.after_node(outcome, *_moment())
            else:
                wanted = write.object_document(look.member)
                outcome = await self._apply("", wanted)
                good = write.after_object(wanted, outcome, *_moment())
            if not good:
                return
        composed = await self._compose(look)
        if write.need_status(composed) is Need.NOTHING:
            write.settled()
            return
        outcome = await self._apply("/status", composed)
        if write.after_status(composed, outcome, *_moment()):
            self.counters["status_writes"] += 1

    async def _compose(self, look: Look) -> dict[str, Any]:
        speaker = look.status.speaker
        size = len(look.status.withheld) + (len(speaker.routes) if speaker else 0)

        def compose() -> dict[str, Any]:
            return document(
                look.status,
                now=time.time(),
                previous=self._write.previous,
                problems=look.problems,
                member=look.member,
            )

        return await asyncio.to_thread(compose) if size > LARGE else compose()

    async def _apply(self, part: str, wanted: dict[str, Any]) -> Reply | Unanswered:
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
        target = f"{_PATH}/{quote(self._write.node)}{part}?{query}"
        return await self._ask("PATCH", target, wanted, APPLY)

    # Events

    async def _write_event(self, entry: Entry) -> None:
        seen, made = entry.seen, entry.made
        target = quote(series.path(entry, name=made))
        if made:
            outcome = await self._ask("PATCH", target, dict(series.repeats(entry)), MERGE)
        else:
            wanted = series.new(entry, self._write.node)
            outcome = await self._ask("POST", target, wanted, "application/json")
        now, chance = _moment()
        if isinstance(outcome, Unanswered) or outcome.code in {401, 429} or outcome.code >= 500:
            self._events_failed += 1
            told = outcome.wait if isinstance(outcome, Reply) else 0.0
            self._events_free = now + backoff.pause(self._events_failed, chance, told=told)
            return
        self._events_failed = 0
        if outcome.good or (outcome.code == 409 and not made):
            # Who comes second finds it told, by another node or by us before an answer was lost.
            self._series.done(entry, seen)
            self._events_trouble = None
            self.counters["event_writes"] += 1
        elif outcome.code == 404 and made:
            self._series.gone(entry, wall=time.time())
        elif outcome.homeless:
            # It is about something that goes with its namespace: nobody can or need do anything.
            self._series.refused(entry)
        else:
            self._series.refused(entry)
            reason = "ApiForbidden" if outcome.code == 403 else "ApiRefused"
            self._events_trouble = (reason, outcome.words)

    # The rest

    async def _ask(
        self, method: str, target: str, wanted: dict[str, Any] | None = None, content: str = ""
    ) -> Reply | Unanswered:
        self.counters["calls"] += 1
        return await self._caller.ask(
            Call(method=method, target=target, document=wanted, content_type=content)
        )

    def _conditions(self) -> Iterator[Condition]:
        if self._write.condition is not None:
            yield self._write.condition
        if self._events_trouble is not None:
            reason, why = self._events_trouble
            message = f"an Event was refused: {why}; bind the agent's role to its ServiceAccount"
            yield Condition(type="EventsNotWritten", status=True, reason=reason, message=message)
        if self._bug:
            message = (
                f"the status of the node is not told, because of a defect of bgpd: {self._bug}"
            )
            yield Condition(type="StatusNotWritten", status=True, reason="Defect", message=message)

    def _note(self) -> None:
        now = self.conditions
        if now != self._told:
            self._told = now
            self._on_conditions()


def _members(status: NodeStatus) -> int:
    mesh = status.speaker.mesh if status.speaker else None
    return len(mesh.members) + 1 if mesh else 1


def _moment() -> tuple[float, float]:
    return asyncio.get_running_loop().time(), _chance()


def _chance() -> float:
    return random.random()  # noqa: S311 - spreads agents, hides nothing
