"""While a drain waits for connections: which of our prefixes have open ones, once a second."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from bgpd.host.connections import Census, census
from bgpd.model.prefix import Prefix
from bgpd.model.status import Condition

SECONDS: Final = 1.0


class Counting:
    """Counts while it is `wanted`; *counted* is called after each count."""

    def __init__(
        self,
        prefixes: Callable[[], Iterable[Prefix]],
        counted: Callable[[], None],
        count: Callable[[tuple[Prefix, ...]], Awaitable[Census]] | None = None,
        *,
        busy: tuple[Prefix, ...] | None = None,
    ) -> None:
        """Begin with what an agent before us found *busy* in the same drain."""
        self.busy = busy
        """The prefixes with open connections, sorted; None: nobody has counted yet.

        Where it cannot be counted all of them may have some: then each keeps its time.
        """
        self.problems: tuple[str, ...] = ()
        """Why the count is not known."""
        self._told = False
        """Whether the others were counted."""
        self._prefixes = prefixes
        self._counted = counted
        self._count = count or partial(census, seconds=SECONDS)
        self._wanted = asyncio.Event()

    def want(self, *, wanted: bool) -> None:
        """Begin to count, or stop."""
        if wanted:
            self._wanted.set()
            return
        self._wanted.clear()
        self.busy = None
        self.problems = ()

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            await self._wanted.wait()
            prefixes = tuple(self._prefixes())
            found = await self._count(prefixes)
            if self._wanted.is_set():
                self.busy = busy_of(prefixes, found)
                self.problems = found.problems
                self._told = found.connections is not None
                self._counted()
            await asyncio.sleep(SECONDS)

    def conditions(self) -> Iterable[Condition]:
        """Yield what a person should know."""
        for problem in self.problems:
            yield Condition(
                type="ConnectionsNotCounted",
                status=True,
                reason="CannotLook",
                message=f"{problem}; what is not counted is not waited for by this drain"
                if self._told
                else f"{problem}; every route keeps the whole time of this drain",
            )


def busy_of(prefixes: Iterable[Prefix], found: Census) -> tuple[Prefix, ...]:
    """Return which of *prefixes* have open connections, or may have."""
    counts = found.connections
    return tuple(sorted(one for one in prefixes if counts is None or counts.get(one)))
