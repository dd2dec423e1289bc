"""Holds the Lease while we do what only one controller may do, and lets go of it in time.

Whatever goes wrong with a request is a renewal that failed: a refusal, silence, an answer that
breaks off. The work ends when the right to it does, before a rival can have the Lease.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote

from bgpd.controller import lease
from bgpd.controller.lease import LOOK, RENEW, REQUEST, SERVER, Election, Record
from bgpd.kube.access import Access
from bgpd.kube.call import Call, Caller
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.status import Condition

NAME: Final = "bgpd-controller"
_CONFLICT: Final = 409
_STUCK: Final = 3 * (RENEW + REQUEST)
"""Seconds without a request after which the election counts as stuck."""
Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class End(Protocol):
    """What ends the process if it does not do so itself (`bgpd.controller.deadline.Deadline`)."""

    def move(self, at: float) -> None:
        """Set the end."""

    def off(self) -> None:
        """Take it back."""


class Leadership:
    """Our part in the election, for as long as the process runs."""

    def __init__(
        self,
        access: Access,
        *,
        identity: str,
        agent: str,
        end: End,
        clock: Callable[[], float],
        on_conditions: Callable[[], None],
    ) -> None:
        """Stand as *identity*; *end* ends the process where it overstays, by *clock*."""
        self.election = Election(identity)
        self.clock = clock
        self._end = end
        self._on_conditions = on_conditions
        self._caller = Caller(access, agent=agent)
        self._collection = (
            f"/apis/coordination.k8s.io/v1/namespaces/{quote(access.namespace)}/leases"
        )
        self._namespace = access.namespace
        self._trouble: Condition | None = None
        self._asked = clock()
        """When an answer was given up on, or came, last."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know."""
        return () if self._trouble is None else (self._trouble,)

    @property
    def stuck(self) -> str:
        """Why nobody knows who leads, in a sentence; empty: it is looked at all the time."""
        if self._trouble is not None:
            return self._trouble.message
        silent = self.clock() - self._asked
        return f"the Lease was not looked at for {silent:.0f} s" if silent > _STUCK else ""

    def may_begin(self) -> bool:
        """Return whether a write may begin now."""
        return self.election.may_begin(self.clock())

    async def run(self, work: Work, *, clean: Callable[[], bool]) -> None:
        """Do *work* whenever we are the leader, until cancelled; then give the Lease back.

        *clean* says whether nothing of the work can still take effect. Where something can, the
        Lease is not given back: whoever comes next waits until it cannot.
        """
        try:
            while True:
                await self._candidate()
                await self._lead(work)
        finally:
            self._end.off()
            if clean():
                await asyncio.shield(self._release())
            self._caller.close()

    async def _candidate(self) -> None:
        """Return when the Lease is ours."""
        while not await self._try():  # noqa: ASYNC110 - the server tells nothing by itself
            # Rivals that look at one instant would only disturb each other.
            await asyncio.sleep(LOOK * (0.8 + 0.2 * random.random()))  # noqa: S311

    async def _try(self) -> bool:
        began = self.clock()
        reply = await self._ask(Call(method="GET", target=f"{self._collection}/{NAME}"))
        if isinstance(reply, Reply) and reply.good:
            self.election.seen(lease.record_of(reply.document), self.clock())
        elif isinstance(reply, Reply) and reply.code == 404:
            self.election.seen(None, self.clock())
        else:
            self._note(reply)
            return False
        self._note(None)
        return self.election.may_take(began) and await self._renew()

    async def _renew(self) -> bool:
        """Ask for the Lease, once; return whether it is ours."""
        began = self.clock()
        wanted = self.election.wanted(time.time())
        reply = await self._write(wanted)
        if isinstance(reply, Reply) and reply.good:
            record = lease.record_of(reply.document)
            if record is not None and record.holder == self.election.identity:
                self.election.won(record, began=began, now=self.clock())
                self._end.move(self.election.kill_at)
                self._note(None)
                return self.election.holds(self.clock())
        if not (isinstance(reply, Reply) and reply.code == _CONFLICT):
            self._note(reply)
        return False

    async def _lead(self, work: Work) -> None:
        """Work until the right to it is over."""
        try:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(work(), name="work")
                await self._hold()
                working.cancel()
        finally:
            # The work is over, and its connections are closed.
            self.election.lost(self.clock())
            self._end.off()

    async def _hold(self) -> None:
        """Renew until that fails for too long, or somebody else has the Lease."""
        loop = asyncio.get_running_loop()
        while self.election.holds(self.clock()):
            due = loop.time() + RENEW
            try:
                async with asyncio.timeout(self.election.left(self.clock())):
                    held = await self._renew()
                    if not held and not await self._still_ours():
                        return
            except TimeoutError:
                return
            left = self.election.left(self.clock())
            await asyncio.sleep(min(left, max(0.0, due - loop.time()) if held else LOOK / 2))

    async def _still_ours(self) -> bool:
        """Look after a renewal that failed: an answer may have been lost; a rival may have won."""
        reply = await self._ask(Call(method="GET", target=f"{self._collection}/{NAME}"))
        if isinstance(reply, Unanswered):
            return True
        if reply.code == 404:
            self.election.seen(None, self.clock())
            return True
        if not reply.good:
            return True
        record = lease.record_of(reply.document)
        self.election.seen(record, self.clock())
        return record is not None and record.holder == self.election.identity

    async def _release(self) -> None:
        given = self.election.released(time.time())
        if given is not None:
            await self._write(given)

    async def _write(self, record: Record) -> Reply | Unanswered:
        document = lease.document(record, name=NAME, namespace=self._namespace)
        query = f"?timeout={SERVER:.0f}s"
        if record.version:
            target = f"{self._collection}/{NAME}{query}"
            return await self._ask(Call(method="PUT", target=target, document=document))
        target = f"{self._collection}{query}"
        return await self._ask(Call(method="POST", target=target, document=document))

    async def _ask(self, call: Call) -> Reply | Unanswered:
        try:
            return await self._asked_for(call)
        finally:
            self._asked = self.clock()

    async def _asked_for(self, call: Call) -> Reply | Unanswered:
        try:
            async with asyncio.timeout(REQUEST):
                return await self._caller.ask(call)
        except TimeoutError:
            self._caller.close()
            return Unanswered(f"no answer within {REQUEST:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, the Lease is not renewed
            self._caller.close()
            return Unanswered(f"{type(error).__name__}: {error}")

    def _note(self, failed: Reply | Unanswered | None) -> None:
        before, self._trouble = self._trouble, None if failed is None else _condition(failed)
        if self._trouble != before:
            self._on_conditions()


def _condition(failed: Reply | Unanswered) -> Condition:
    if isinstance(failed, Unanswered):
        reason = "ApiUntrusted" if failed.untrusted else "ApiUnreachable"
        why = failed.why
    else:
        reason = "ApiForbidden" if failed.code == 403 else "ApiRefused"
        why = failed.words
    message = f"Lease {NAME}: {why}; no address is given until it can be renewed"
    return Condition(type="LeaseNotHeld", status=True, reason=reason, message=message)
