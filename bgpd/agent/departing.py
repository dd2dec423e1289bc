"""Leave this node for good, because the cluster asks for it: `helm uninstall`, in the end.

First the speaker withdraws every route, then what was added to the host is taken back, and the
condition `Cleaned` of the BGPNodeStatus says so. Whoever asked waits for that on every node, and
takes the agents away afterwards. Who was asked once leaves, whatever happens to the request; the
next process begins anew. A request holds until the time in it, so that one that nobody took back
does not keep the next installation from working.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from bgpd.host.cleanup import clean
from bgpd.host.netlink import because
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.documents import Key
from bgpd.kube.nodestatus import KIND
from bgpd.kube.view import Objects
from bgpd.model.cluster import NodeReport
from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName
from bgpd.model.status import Condition, SpeakerStatus
from bgpd.telemetry import logs

CLEANED: Final = "Cleaned"
"""The condition by which the cluster hears that nothing of ours is left here."""
_WITHDRAWN_SECONDS: Final = 10.0
"""How long the routes may take to go: a speaker that does not answer keeps no host unclean."""
_LOOK_SECONDS: Final = 0.25


class Speaker(Protocol):
    """The way to the speaker (`bgpd.agent.link.Link`)."""

    @property
    def speaker(self) -> SpeakerStatus | None:
        """What it said of itself last; None while it cannot be reached."""


class Acts(Protocol):
    """What the driver does for us."""

    def withdraw_all(self) -> None:
        """Have the speaker hear what it may hear now."""

    def let_go(self) -> None:
        """Take back what was added to the host."""

    def departed(self) -> None:
        """Tell people how far we are."""


class Departing:
    """One agent's end; `run` it in a task."""

    def __init__(
        self,
        node: NodeName,
        link: Speaker,
        log: logging.Logger,
        acts: Acts,
        *,
        state: Path,
    ) -> None:
        """Leave *node* by *acts*; *state* is where the agent remembers changed default routes."""
        self.leaving = False
        """Whether we were asked to leave."""
        self._link = link
        self._log = log
        self._state = state
        self._acts = acts
        self._own = Key(KIND, "", node)
        self._asked = asyncio.Event()
        self._condition: Condition | None = None

    def heard(self, objects: Objects) -> None:
        """Take in our own BGPNodeStatus: somebody may ask there that we leave."""
        report = objects.get(self._own)
        if self.leaving or not isinstance(report, NodeReport) or report.leave <= time.time():
            return
        self.leaving = True
        logs.write(self._log, "warning", "leaving")
        self._note("Withdrawing", "the routes of this node are being withdrawn")
        self._acts.withdraw_all()
        self._asked.set()

    def passes(self, message: Desired | Delta | None) -> Desired | Delta | None:
        """Return what the speaker may hear of *message*: no route, once we leave."""
        if not self.leaving or message is None:
            return message
        return emptied(message) if isinstance(message, Desired) else None

    def conditions(self) -> Iterable[Condition]:
        """Yield how far we are."""
        if self._condition is not None:
            yield self._condition

    async def run(self) -> None:
        """Wait until somebody asks, and leave then."""
        await self._asked.wait()
        for _ in range(int(_WITHDRAWN_SECONDS / _LOOK_SECONDS)):
            if self._withdrawn():
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self._note("Cleaning", "what bgpd added to this host is being taken back")
        self._acts.let_go()
        while not await self._look():  # noqa: ASYNC110 - the kernel is looked at
            await asyncio.sleep(_LOOK_SECONDS)

    def _withdrawn(self) -> bool:
        speaker = self._link.speaker
        # One that says nothing may still have them.
        return speaker is not None and not speaker.routes

    async def _look(self) -> bool:
        """Look at the kernel; return whether nothing is left to be taken back."""
        try:
            left = await asyncio.to_thread(clean, self._state, write=_unwritten, dry_run=True)
        except (OSError, BgpdError) as error:
            words = because(error) if isinstance(error, OSError) else str(error)
            self._note("CannotLook", f"this host's network cannot be looked at: {words}")
            return False
        sentences = (*left.done, *left.problems)
        if sentences:
            self._note("Cleaning", f"still to do: {'; '.join(sentences[:3])}")
            return False
        self._note("Done", "no route is advertised, and nothing of bgpd's is left on this host")
        return True

    def _note(self, reason: str, message: str) -> None:
        done = reason == "Done"
        new = Condition(type=CLEANED, status=done, reason=reason, message=message)
        if new != self._condition:
            self._condition = new
            self._acts.departed()


def emptied(message: Desired) -> Desired:
    """Return *message* without any route."""
    return msgspec.structs.replace(message, advertisements=())


def _unwritten(path: Path, content: bytes) -> str:
    del content
    raise AssertionError(f"a look writes nothing, and so not {path}")
