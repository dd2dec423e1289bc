"""Tells people of Services as Events, at a rate that an API server does not notice.

Events are no record: where ten thousand Services get their addresses at once, some are not told.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final, NoReturn
from urllib.parse import quote

from bgpd.controller.patch import CONTROLLER
from bgpd.kube import backoff, series
from bgpd.kube.access import Access
from bgpd.kube.call import JSON, MERGE, Call, Caller
from bgpd.kube.happening import Happening
from bgpd.kube.reply import Unanswered
from bgpd.kube.series import Entry, Series
from bgpd.model.status import Condition

BURST: Final = 200.0
RATE: Final = 20.0
MOST: Final = 2_000
_IDLE: Final = 60.0


class Telling:
    """What happened to Services, and what of it the cluster was told."""

    def __init__(
        self,
        access: Access,
        *,
        identity: str,
        agent: str,
        writes: Counter[str] | None = None,
    ) -> None:
        """Tell as the process *identity*, with the User-Agent *agent*; count *writes*."""
        self._identity = identity
        self._caller = Caller(access, agent=agent, writes=writes)
        self._series = Series(identity, burst=BURST, rate=RATE, most=MOST)
        self._failed = 0
        self._free = 0.0
        self._trouble: Condition | None = None
        self._some = asyncio.Event()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know."""
        return () if self._trouble is None else (self._trouble,)

    def tell(self, happenings: Iterable[Happening]) -> None:
        """Note that something happened."""
        now, wall = asyncio.get_running_loop().time(), time.time()
        for one in happenings:
            self._series.tell(one, now=now, wall=wall)
            self._some.set()

    async def run(self) -> NoReturn:
        """Tell until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now = loop.time()
                entry = self._series.next(now) if now >= self._free else None
                if entry is not None:
                    await self._write(entry)
                    continue
                due = self._series.due(now)
                until = now + _IDLE if due is None else max(due, self._free)
                self._some.clear()
                try:
                    async with asyncio.timeout_at(until):
                        await self._some.wait()
                        # What waits for its turn is not hurried by what is new.
                        await asyncio.sleep(max(0.0, self._free - loop.time()))
                except TimeoutError:
                    pass
        finally:
            self._caller.close()

    async def _write(self, entry: Entry) -> None:
        seen, made = entry.seen, entry.made
        target = quote(series.path(entry, name=made))
        if made:
            call = Call(
                method="PATCH",
                target=target,
                document=dict(series.repeats(entry)),
                content_type=MERGE,
            )
        else:
            document = series.new(entry, self._identity)
            # It is about no node, and no agent tells it.
            document.pop("related", None)
            document["reportingController"] = CONTROLLER
            call = Call(method="POST", target=target, document=document, content_type=JSON)
        outcome = await self._caller.ask(call)
        if isinstance(outcome, Unanswered) or outcome.code in {401, 429} or outcome.code >= 500:
            self._failed += 1
            told = 0.0 if isinstance(outcome, Unanswered) else outcome.wait
            chance = random.random()  # noqa: S311 - spreads requests, hides nothing
            pause = backoff.pause(self._failed, chance, told=told)
            self._free = asyncio.get_running_loop().time() + pause
            return
        self._failed = 0
        if outcome.good or (outcome.code == 409 and not made):
            self._series.done(entry, seen)
            self._trouble = None
        elif outcome.code == 404 and made:
            self._series.gone(entry, wall=time.time())
        else:
            self._series.refused(entry)
            if not outcome.homeless:
                self._trouble = Condition(
                    type="EventsNotWritten",
                    status=True,
                    reason="ApiForbidden" if outcome.code == 403 else "ApiRefused",
                    message=f"an Event was refused: {outcome.words}; bind the controller's role to"
                    " its ServiceAccount",
                )
