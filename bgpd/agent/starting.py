"""What an agent waits for before its first decision, and what it does when nothing comes.

What ran before us has sessions from the right source and routes on the wire: a decision on half of
what there is would move them twice. So the first one waits for providers and for a look at the
host, each for a short time; and where the source itself is away, what was accepted last is gone on
with.
"""

import asyncio
import gc
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bgpd.agent.origin import persistent
from bgpd.agent.rooms import Rooms
from bgpd.model.errors import ConfigError
from bgpd.policy.startup import Boot
from bgpd.telemetry import logs

_HOST_SECONDS: Final = 2.0
"""How long a start waits for a look at the host's addresses, which takes milliseconds."""
_MEMORY_SECONDS: Final = 2.0
"""How long a start waits for its source, where there is something to go on with."""
_UNREAD: Final = (
    "the cluster was not read since the node booted, and what is remembered may not run"
)


class Start:
    """One start; *primed*: what was remembered in *boot* makes a configuration.

    *whole*: and none of it is in words of another version.
    """

    def __init__(
        self, rooms: Rooms, log: logging.Logger, *, primed: bool, whole: bool, boot: Boot
    ) -> None:
        self._rooms = rooms
        self._log = log
        self._primed = primed
        self._whole = whole
        self._same = boot is not Boot.ANOTHER
        self._looked = False
        """Whether the host was looked at, or that was waited for long enough."""

    @property
    def waits(self) -> bool:
        """Whether what sessions depend on is still to be known."""
        known = self._rooms.providing.settled and self._host_known
        return not (self._rooms.deciding.started or known)

    @property
    def _host_known(self) -> bool:
        """Whether the host was looked at, as far as that is worth waiting for."""
        objects = self._rooms.source.objects
        matters = any(one.gateway or one.provider for one in objects.peers)
        # What an agent before us bound is there: its routes have nothing to wait for.
        return self._looked or not (matters or any(one.bind for one in objects.pools))

    async def await_host(self, known: Callable[[], None]) -> None:
        """Wait for a look at the host, then call *known*; in a task: a bad start ends us."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HOST_SECONDS):
                await self._rooms.hosting.looked.wait()
        self._looked = True
        known()

    async def from_memory(self, decide: Callable[[], None]) -> None:
        """Go on with what was accepted last, where the source lets us wait.

        After a boot that is the last resort: what ran here does not run now, so far as is known.
        In the same boot the speaker goes on anyway, and half a memory would take routes from it.
        """
        rooms = self._rooms
        if self._same and not self._whole:
            return
        await asyncio.sleep(_MEMORY_SECONDS if self._same else rooms.planner.patience)
        if self._primed and not (rooms.deciding.started or rooms.planner.busy):
            logs.write(self._log, "warning", "started_from_memory")
            if not self._same:
                rooms.watching.doubt_reading(_UNREAD)
            decide()

    def end(self, source: str) -> None:
        """After the first complete look: refuse a configuration from *source* that cannot work."""
        planner = self._rooms.planner
        context = planner.context
        errors = [planner.problem] if planner.problem else []
        errors += [] if context is None else context.errors
        if errors and not self._primed and not persistent(source):
            raise ConfigError("; ".join(errors))
        self._rooms.deciding.started = True
        # What is here stays: with ten thousand Services a look at all of it takes 20 ms and more.
        gc.freeze()
        gc.enable()
