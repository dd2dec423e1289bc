"""Writes into each object that people configure what became of it, a few at a time.

Nobody waits for it and nothing is decided by it. Each object is read first: what it says already is
not written, and a condition that goes on keeps the time since when it holds.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NoReturn

from bgpd.controller.lease import REQUEST
from bgpd.controller.review import Verdict, call, path_of, review
from bgpd.kube import backoff
from bgpd.kube.access import Access
from bgpd.kube.call import Call, Caller
from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource
from bgpd.kube.reply import Reply, Unanswered

LOOKS_APART: Final = 1.0


class Reviewer:
    """The conditions of our objects, and which of them the server has."""

    def __init__(
        self, access: Access, source: KeptSource, *, agent: str, may_begin: Callable[[], bool]
    ) -> None:
        """Say what *source* makes of its objects, as the User-Agent *agent*."""
        self._namespace = access.namespace
        self._source = source
        self._caller = Caller(access, agent=agent)
        self._may_begin = may_begin
        self._said: dict[Key, tuple[Verdict, ...]] = {}
        self._failed: dict[Key, tuple[int, float]] = {}
        self._some = asyncio.Event()

    def wake(self) -> None:
        """Note that something may have become of some object."""
        self._some.set()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(LOOKS_APART)
                self._some.clear()
                await self._look()
                if self._failed:
                    self._some.set()
        finally:
            self._caller.close()

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        objects = self._source.objects
        keys = [key for key in objects if key.kind not in _MANY]
        wanted = review(keys, self._source.problems)
        for gone in self._said.keys() - wanted.keys():
            self._said.pop(gone, None)
        self._failed = {key: one for key, one in self._failed.items() if key in wanted}
        for key, verdicts in wanted.items():
            _, due = self._failed.get(key, (0, 0.0))
            if self._said.get(key) != verdicts and due <= now and self._may_begin():
                await self._write(key, verdicts)

    async def _write(self, key: Key, verdicts: tuple[Verdict, ...]) -> None:
        found = await self._ask(Call(method="GET", target=path_of(key, self._namespace)))
        if isinstance(found, Reply) and found.good:
            moment = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            write = call(key, verdicts, self._namespace, before=found.document, moment=moment)
            found = found if write is None else await self._ask(write)
        if isinstance(found, Reply) and (found.good or found.code == 404):
            # MetalLB's objects are somewhere else, and not ours to write.
            self._said[key] = verdicts
            self._failed.pop(key, None)
            return
        failures = self._failed.get(key, (0, 0.0))[0] + 1
        chance = random.random()  # noqa: S311 - spreads requests, hides nothing
        pause = max(LOOKS_APART, backoff.pause(failures, chance))
        self._failed[key] = (failures, asyncio.get_running_loop().time() + pause)

    async def _ask(self, wanted: Call) -> Reply | Unanswered:
        try:
            async with asyncio.timeout(REQUEST):
                return await self._caller.ask(wanted)
        except TimeoutError:
            self._caller.close()
            return Unanswered(f"no answer within {REQUEST:.0f} s")


_MANY: Final = frozenset({"Service", "Namespace"})
