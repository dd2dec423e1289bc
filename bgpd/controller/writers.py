"""Writes decisions to the API server, over several connections at once.

A write begins only while we hold the Lease, and says which version of the document it is about. One
that fails waits for its own next turn and holds up no other.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NoReturn

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.lease import REQUEST
from bgpd.controller.patch import end_of, pool_call, service_call
from bgpd.controller.written import End
from bgpd.kube import backoff
from bgpd.kube.access import Access
from bgpd.kube.call import Call, Caller
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.status import Condition

CONNECTIONS: Final = 8
_POOLS_EVERY: Final = 1.0
_OPEN_EVERY: Final = 30.0
"""Seconds after which a quiet connection is used: an API server ends it after 90."""
_FEW: Final = 3
"""Failures in a row that are not worth a word: a server that restarts makes them."""
_SHOWN: Final = 5


class Writers:
    """The connections, and what became of what went over them."""

    def __init__(
        self,
        access: Access,
        books: Books,
        *,
        agent: str,
        may_begin: Callable[[], bool],
        on_change: Callable[[], None],
        writes: Counter[str] | None = None,
    ) -> None:
        """Write what *books* wants as the User-Agent *agent*; tell *on_change* after each end.

        *writes* counts all that is written, also by those before us.
        """
        self._writes = writes
        self.counters: Counter[str] = Counter()
        self.why = ""
        """Why the last write that failed did so."""
        self._access = access
        self._agent = agent
        self._books = books
        self._may_begin = may_begin
        self._on_change = on_change
        self._some = asyncio.Event()
        self._closing = False
        self._idle = asyncio.Event()
        """Set once nothing waits for an answer while we close."""
        self._callers: list[Caller] = []
        self._free: list[Caller] = []
        """The one that was used last is used next: it is the likeliest to be open still."""

    def wake(self) -> None:
        """Note that there may be something to write."""
        self._some.set()

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                # One more than there are writers, so that there is one for each at any time.
                self._free = [self._caller() for _ in range(CONNECTIONS + 1)]
                for number in range(CONNECTIONS):
                    group.create_task(self._write_one_by_one(), name=f"write {number}")
                group.create_task(self._keep_open(), name="keep open")
                group.create_task(self._tell_pools(self._caller()), name="write pools")
        finally:
            for one in self._callers:
                one.close()

    async def drain(self, seconds: float) -> None:
        """Begin no more, and wait for answers, but no longer than *seconds*."""
        self._closing = True
        if self._books.writing:
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                pass

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know."""
        failing = sorted(key for key, times in self._books.failures.items() if times >= _FEW)
        if not failing:
            return ()
        more = f" and {len(failing) - _SHOWN} more" if len(failing) > _SHOWN else ""
        message = (
            f"the status of {', '.join(failing[:_SHOWN])}{more} cannot be written: {self.why};"
            " it is tried again"
        )
        return (
            Condition(type="StatusNotWritten", status=True, reason="WriteFailed", message=message),
        )

    def _caller(self) -> Caller:
        found = Caller(self._access, agent=self._agent, writes=self._writes)
        self._callers.append(found)
        return found

    async def _write_one_by_one(self) -> NoReturn:
        while True:
            # Looked at without a pause between it and the request: see `bgpd.controller.deadline`.
            decision = None
            if not self._closing and self._may_begin():
                decision = self._books.next_write()
            if decision is None:
                self._some.clear()
                await self._some.wait()
                continue
            caller = self._free.pop()
            await self._write(caller, decision)
            self._free.append(caller)

    async def _keep_open(self) -> NoReturn:
        """Have one connection open: the first Service after a quiet hour need not wait for TLS."""
        while True:
            caller = self._free.pop()
            await _ask(caller, Call(method="GET", target="/version"))
            self._free.append(caller)
            await asyncio.sleep(_OPEN_EVERY)

    async def _write(self, caller: Caller, decision: Decision) -> None:
        outcome = await _ask(caller, service_call(decision, time.time()))
        end = end_of(outcome)
        self.counters[f"writes_{end.name.lower()}"] += 1
        told = 0.0
        if isinstance(outcome, Unanswered):
            self.why = outcome.why
        elif not outcome.good:
            self.why, told = outcome.words, outcome.wait
        now = asyncio.get_running_loop().time()
        self._books.ended(decision, end, now, chance=_chance(), told=told)
        self._some.set()
        if self._closing and not self._books.writing:
            self._idle.set()
        if end is not End.WRITTEN:
            self._on_change()

    # Pools

    async def _tell_pools(self, caller: Caller) -> NoReturn:
        """Write the numbers of pools that changed; nobody decides by them."""
        told: dict[str, object] = {}
        free: dict[str, tuple[int, float]] = {}
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_POOLS_EVERY)
            for pool in self._books.pools:
                numbers = self._books.allocator.counters(pool.name)
                failed, due = free.get(pool.name, (0, 0.0))
                if told.get(pool.name) == numbers or loop.time() < due or not self._may_begin():
                    continue
                outcome = await _ask(caller, pool_call(pool.name, self._access.namespace, numbers))
                if isinstance(outcome, Reply) and outcome.good:
                    told[pool.name] = numbers
                    free.pop(pool.name, None)
                else:
                    pause = max(_POOLS_EVERY, backoff.pause(failed + 1, _chance()))
                    free[pool.name] = (failed + 1, loop.time() + pause)


async def _ask(caller: Caller, call: Call) -> Reply | Unanswered:
    try:
        async with asyncio.timeout(REQUEST):
            return await caller.ask(call)
    except TimeoutError:
        caller.close()
        return Unanswered(f"no answer within {REQUEST:.0f} s")


def _chance() -> float:
    return random.random()  # noqa: S311 - spreads requests, hides nothing
