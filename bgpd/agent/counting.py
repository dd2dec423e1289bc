"""While a drain waits for connections: which of our prefixes have open ones, once a second."""

import asyncio
from collections.abc import Callable, Iterable

from bgpd.host.connections import Census, census
from bgpd.model.prefix import Prefix

SECONDS = 1.0


class Counting:
    """Counts while it is `wanted`; *counted* is called after each count."""

    def __init__(
        self, prefixes: Callable[[], Iterable[Prefix]], counted: Callable[[], None]
    ) -> None:
        self.busy: tuple[Prefix, ...] | None = None
        """The prefixes with open connections, sorted; None: nobody has counted yet.

        Where it cannot be counted all of them may have some: then each keeps its time.
        """
        self.problems: tuple[str, ...] = ()
        """Why the count is not known."""
        self._prefixes = prefixes
        self._counted = counted
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
            found = await census(prefixes, seconds=SECONDS)
            if self._wanted.is_set():
                self.busy = busy_of(prefixes, found)
                self.problems = found.problems
                self._counted()
            await asyncio.sleep(SECONDS)


def busy_of(prefixes: Iterable[Prefix], found: Census) -> tuple[Prefix, ...]:
    """Return which of *prefixes* have open connections, or may have."""
    counts = found.connections
    return tuple(sorted(one for one in prefixes if counts is None or counts.get(one)))
