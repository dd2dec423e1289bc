"""Writes into each object that people configure what became of it, a few at a time.

Nobody waits for it and nothing is decided by it. Each object is read first: what it says already is
not written, and a condition that goes on keeps the time since when it holds. Each is read again
after a while: one that was replaced, or copied from MetalLB's, has a status of its own.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, NoReturn

from bgpd.controller.lease import REQUEST
from bgpd.controller.review import Verdict, call, clashing, path_of, review
from bgpd.kube import backoff
from bgpd.kube.access import Access
from bgpd.kube.call import Call, Caller
from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.configuration import IPAddressPool

LOOKS_APART: Final = 1.0
AGAIN: Final = (300.0, 600.0)
"""Seconds after which an object is read again."""
AGAIN_ABSENT: Final = (15.0, 30.0)
"""The same where the server had none in our group: a person may be about to copy MetalLB's."""


class Reviewer:
    """The conditions of our objects, and which of them the server has."""

    def __init__(  # noqa: PLR0913 - where, what and when to write, and who counts it
        self,
        access: Access,
        source: KeptSource,
        *,
        agent: str,
        may_begin: Callable[[], bool],
        clashes: Callable[[], Iterable[tuple[IPAddressPool, str]]] = tuple,
        again: tuple[tuple[float, float], tuple[float, float]] = (AGAIN, AGAIN_ABSENT),
        writes: Counter[str] | None = None,
    ) -> None:
        """Say what *source* makes of its objects, as the User-Agent *agent*.

        *clashes* are the pools that do not hold beside others, and why; *again* is when to read
        once more what the server has, and what it has not; *writes* are counted by their end.
        """
        self._clashes = clashes
        self._namespace = access.namespace
        self._source = source
        self._caller = Caller(access, agent=agent, writes=writes)
        self._may_begin = may_begin
        self._again = again
        self._said: dict[Key, tuple[tuple[Verdict, ...], float]] = {}
        """What the server has, and until when that is believed."""
        self._failed: dict[Key, tuple[int, float]] = {}
        self._some = asyncio.Event()

    def wake(self) -> None:
        """Note that something may have become of some object."""
        self._some.set()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._pause()):
                        await self._some.wait()
                except TimeoutError:
                    pass
                await asyncio.sleep(LOOKS_APART)
                self._some.clear()
                await self._look()
        finally:
            self._caller.close()

    def _pause(self) -> float | None:
        """Return for how long there is nothing to do unless somebody wakes us."""
        dues = (*(due for _, due in self._failed.values()), *(at for _, at in self._said.values()))
        now = asyncio.get_running_loop().time()
        return max(0.0, min(dues) - now) if dues else None

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        objects = self._source.objects
        keys = [key for key in objects if key.kind not in _MANY]
        wanted = review(keys, (*self._source.problems, *clashing(self._clashes())))
        for gone in self._said.keys() - wanted.keys():
            self._said.pop(gone, None)
        self._failed = {key: one for key, one in self._failed.items() if key in wanted}
        for key, verdicts in wanted.items():
            _, due = self._failed.get(key, (0, 0.0))
            said, until = self._said.get(key, (None, 0.0))
            known = said == verdicts and now < until
            if not known and due <= now and self._may_begin():
                await self._write(key, verdicts)

    async def _write(self, key: Key, verdicts: tuple[Verdict, ...]) -> None:
        found = await self._ask(Call(method="GET", target=path_of(key, self._namespace)))
        if isinstance(found, Reply) and found.good:
            moment = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            write = call(key, verdicts, self._namespace, before=found.document, moment=moment)
            found = found if write is None else await self._ask(write)
        now = asyncio.get_running_loop().time()
        chance = random.random()  # noqa: S311 - spreads requests, hides nothing
        if isinstance(found, Reply) and (found.good or found.code == 404):
            # MetalLB's objects are somewhere else, and not ours to write.
            least, most = self._again[0 if found.good else 1]
            self._said[key] = (verdicts, now + least + chance * (most - least))
            self._failed.pop(key, None)
            return
        failures = self._failed.get(key, (0, 0.0))[0] + 1
        pause = max(LOOKS_APART, backoff.pause(failures, chance))
        self._failed[key] = (failures, now + pause)

    async def _ask(self, wanted: Call) -> Reply | Unanswered:
        try:
            async with asyncio.timeout(REQUEST):
                return await self._caller.ask(wanted)
        except TimeoutError:
            self._caller.close()
            return Unanswered(f"no answer within {REQUEST:.0f} s")


_MANY: Final = frozenset({"Service", "Namespace"})
