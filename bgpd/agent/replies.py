"""The opt-in `host.egress`: while BFD says that a router is down, replies leave by another one."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from bgpd.disk import Write, carry_out
from bgpd.host.egress import Egress, put_back
from bgpd.host.egressroutes import Outcome
from bgpd.model.peer import BFDState
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, SessionStatus, SpeakerStatus
from bgpd.telemetry import logs


class Replies:
    """Moves default routes while a SpeakerPolicy wants that; `run` it in a task."""

    def __init__(self, directory: Path, log: logging.Logger, changed: Callable[[], None]) -> None:
        """Remember in *directory* what is replaced; call *changed* when there is news."""
        self._directory = directory
        self._log = log
        self._told = changed
        self._wanted: bool | None = None
        self._turned = asyncio.Event()
        self._down: frozenset[Address] | None = None
        self._egress: Egress | None = None
        self._outcome = Outcome()

    def want(self, *, wanted: bool) -> None:
        """Take the policy's word."""
        if wanted is not self._wanted:
            self._wanted = wanted
            self._turned.set()

    def heard(self, speaker: SpeakerStatus | None) -> None:
        """Take in how the sessions are; a speaker that is away says nothing of routers."""
        if speaker is None:
            return
        self._take(down(self._down or frozenset(), speaker.sessions))

    def silent(self, peers: Iterable[Address]) -> None:
        """Take in which peers are gone by BFD; a report says so later, and who is back."""
        self._take((self._down or frozenset()).union(peers))

    def _take(self, routers: frozenset[Address]) -> None:
        self._down = routers
        if self._egress is not None:
            self._egress.set_down(routers)

    async def run(self) -> None:
        """Move default routes while it is wanted; put back what an agent before us left."""
        while True:
            await self._turned.wait()
            self._turned.clear()
            if self._wanted:
                await self._move()
            else:
                self._note(await put_back(self._directory, write=_write))

    def conditions(self) -> Iterable[Condition]:
        """Yield what a person should know."""
        for reason, sentences in (
            ("Moved", self._outcome.moved),
            ("LeftAlone", self._outcome.problems),
        ):
            for sentence in sentences:
                yield Condition(
                    type="EgressMoved" if reason == "Moved" else "EgressProblem",
                    status=True,
                    reason=reason,
                    message=sentence,
                )

    async def _move(self) -> None:
        """Move default routes until it is wanted no more; at the end all is as it was."""
        egress = Egress(self._directory, write=_write, changed=self._changed)
        self._egress = egress
        if self._down is not None:
            egress.set_down(self._down)
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(egress.run(), name="egress")
                await self._turned.wait()
                task.cancel()
        finally:
            self._egress = None
            self._note(Outcome())

    def _changed(self) -> None:
        if self._egress is not None:
            self._note(self._egress.outcome)

    def _note(self, outcome: Outcome) -> None:
        for report in outcome.reports:
            logs.write(self._log, "warning", "egress", [("report", report)])
        if outcome != self._outcome:
            self._outcome = outcome
            self._told()


def down(before: frozenset[Address], sessions: Iterable[SessionStatus]) -> frozenset[Address]:
    """Return the routers that are down; *before* are those that were.

    One that was never up may not speak BFD at all. A speaker that has only just started has not
    seen it up, so what was known before it holds until there is a word.
    """
    found = set()
    for one in sessions:
        if one.bfd is None or one.bfd.state in {BFDState.UP, BFDState.ADMIN_DOWN}:
            continue
        if one.bfd.transitions or one.address in before:
            found.add(one.address)
    return frozenset(found)


def _write(path: Path, content: bytes) -> str:
    return carry_out(Write(path=path, content=lambda: (content,), done=_ignored))


def _ignored(_: str) -> None:
    """Whoever writes hears what became of it by itself."""
