"""Follows one resource of the API server for ever: the driver of a course and a mirror.

What the server says reaches the listener in the callback that read it from the socket. Whatever
goes wrong is an outcome that the course decides on; nothing but the cancellation of `run` ends it,
except what the listener itself raises.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol

import msgspec

from bgpd.kube.access import Access
from bgpd.kube.answer import PageReader, Stop, WatchReader
from bgpd.kube.course import (
    Backwards,
    Broken,
    Course,
    Ended,
    Outcome,
    Past,
    Phase,
    Reason,
    Refused,
    Step,
    Trouble,
    Untrusted,
    reason_of,
)
from bgpd.kube.history import History, Verdict
from bgpd.kube.http1 import Request
from bgpd.kube.mirror import Mirror
from bgpd.kube.quiet import Quiet
from bgpd.kube.resource import Page
from bgpd.kube.store import Changes
from bgpd.kube.transport import SLICE, Connection, UnreachableError, UntrustedError
from bgpd.kube.watchline import Verb, bookmark, event, status
from bgpd.model.errors import ProtocolError

_AGENT: Final = "bgpd"


_MISSING: Final = frozenset({Reason.MISSING})
_NEVER: Final = _MISSING | {Reason.FORBIDDEN, Reason.REFUSED}
"""What may stay so until a person does something about it."""


class Listener(Protocol):
    """Who hears what a reflector finds out."""

    def changed(self, reflector: "Reflector", changes: Changes) -> None:
        """Take what really changed, or that the state is complete, or a new trouble."""

    def answered(self) -> None:
        """Note that the server answers: others may have been waiting for that."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """What happened to one resource, for status and metrics."""

    events: int = 0
    resyncs: int = 0
    errors: int = 0
    """Rounds that ended in anything but an orderly end."""
    reasons: Counter[str] = field(default_factory=Counter)
    """The same by why; that MetalLB is not installed is no error."""
    heard: float | None = None
    """When the last byte of a good answer came, on the loop's clock."""


class Reflector:
    """One resource."""

    def __init__(
        self,
        mirror: Mirror,
        *,
        access: Access,
        listener: Listener,
        quiet: Quiet,
        newest: int = 0,
    ) -> None:
        self.resource = mirror.resource
        self.mirror = mirror
        self.trouble: Trouble | None = None
        self.counters = Counters()
        self.history = History(newest)
        self._access = access
        self._listener = listener
        self._quiet = quiet
        self._course = Course(ours=mirror.resource.ours, foreign=mirror.resource.foreign)
        self._connection: Connection | None = None
        self._wake = asyncio.Event()
        self._wakeable = False
        self._good_since: float | None = None
        self._followed: float | None = None
        """Since when no event can have been missed; None while one can be."""

    def followed_since(self, at: float) -> bool:
        """Return whether one watch tells every event since then, and has not ended."""
        return self._followed is not None and self._followed <= at

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for: it is known, or it is known not to exist."""
        return self.mirror.synced or (
            self.trouble is not None
            and self.trouble.reason in (_NEVER if self.resource.optional else _MISSING)
        )

    def wake(self) -> None:
        """Ask at once, if what we wait for is an answer from anybody."""
        if self._wakeable:
            self._wake.set()

    async def run(self) -> NoReturn:
        """Follow the resource until cancelled."""
        try:
            while True:
                await self._round()
        except _OursError as ours:
            raise ours.error from None
        finally:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _round(self) -> None:
        """Ask once, and do what the outcome asks for."""
        self._good_since = None
        outcome = await self._outcome()
        self._followed = None
        if outcome is None:
            return
        if not isinstance(outcome, Ended):
            self.counters.errors += 1
            why = reason_of(outcome)
            if not (self.resource.foreign and why is Reason.MISSING):
                self.counters.reasons[why.value] += 1
        chance = random.random()  # noqa: S311 - spreads agents, hides nothing
        step = self._course.after(outcome, healthy=self._healthy(), chance=chance)
        self._note(step.trouble or self._lasting(outcome))
        if step.renew:
            await self._access.renew()
        await self._pause(step)

    def _healthy(self) -> float:
        """Return for how long the last answer had been good."""
        since = self._good_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def _lasting(self, outcome: Outcome) -> Trouble | None:
        """Return the trouble to go on showing: a first failure says nothing about an older one."""
        return None if isinstance(outcome, Ended) else self.trouble

    async def _pause(self, step: Step) -> None:
        if self.resource.foreign and self.trouble is not None:
            # Most clusters never have it: nobody keeps a connection open to ask for it again.
            self._close()
        self._wake.clear()
        self._wakeable = step.wakeable
        try:
            async with asyncio.timeout(step.delay):
                await asyncio.sleep(step.least)
                await self._wake.wait()
                self._course.woken()
        except TimeoutError:
            pass
        finally:
            self._wakeable = False

    async def _outcome(self) -> Outcome | None:  # noqa: PLR0911 - one for each way to end
        """Ask once; return how it ended, or None where the next request follows at once."""
        try:
            if self._connection is None or not self._connection.usable:
                # Who says that he closes a connection may leave that to us (RFC 9112, 9.6).
                self._close()
                self._connection = await Connection.open(self._access.endpoint())
            if self._course.phase is Phase.LIST:
                await self._list(self._connection)
                return None
            await self._stream(self._connection)
        except Stop as stop:
            return stop.outcome
        except UntrustedError as error:
            return Untrusted(str(error))
        except UnreachableError as error:
            return Broken(str(error), reached=self._good_since is not None)
        except ProtocolError as error:
            return Broken(str(error))
        except OSError as error:
            return Untrusted(f"the credentials cannot be read: {error}")
        return Ended()

    def _request(self) -> Request:
        parameters = self._course.parameters(random.random())  # noqa: S311
        fields = {"Accept": self.resource.accept, "User-Agent": _AGENT}
        authorization = self._access.authorization()
        if authorization:
            fields["Authorization"] = authorization
        target = self.resource.target(parameters, narrowed=self._course.narrowed)
        return Request(target=target, fields=fields)

    async def _ask(self, connection: Connection, reader: WatchReader | PageReader) -> None:
        await connection.exchange(
            self._request(), reader, head_within=self._course.head_within, idle=self._course.idle
        )

    # STREAM and WATCH

    async def _stream(self, connection: Connection) -> None:
        if self._course.phase is Phase.STREAM:
            self.mirror.begin()
            self._quiet.hold(self)
        reader = WatchReader(self, connection)
        try:
            await self._ask(connection, reader)
        finally:
            self._quiet.release(self)
        reader.end()

    def answered(self) -> None:
        """Note a good head."""
        self._good_since = asyncio.get_running_loop().time()
        self._listener.answered()
        if self._course.phase is Phase.WATCH:
            self._followed = self._good_since
            self._note(None)

    def heard(self) -> None:
        """Note that bytes of a good answer came."""
        self.counters.heard = asyncio.get_running_loop().time()

    def line(self, line: bytes) -> bool:
        """Take one line of the stream; return whether the state is complete with it."""
        found = event(line)
        match found.verb:
            case Verb.BOOKMARK:
                return self._bookmark(found.object)
            case Verb.ERROR:
                raise Stop(Refused(status(found.object, code=500), within=True))
            case _:
                self._event(found.verb, found.object)
                return False

    def _event(self, verb: Verb, raw: msgspec.Raw) -> None:
        self.counters.events += 1
        version, changes = self.mirror.take(verb, raw)
        if self._course.phase is Phase.WATCH:
            self._advance(version)
            if changes:
                self._tell(changes)

    def _bookmark(self, raw: msgspec.Raw) -> bool:
        found = bookmark(raw)
        if self._course.phase is Phase.WATCH:
            self._advance(found.version)
        elif found.complete:
            self._complete(found.version)
            return True
        return False

    def _advance(self, version: str) -> None:
        if not self.history.saw(version):
            raise Stop(Backwards())
        if version:
            self._course.version = version

    def _complete(self, version: str) -> None:
        """Believe the whole state, or refuse to go back in time."""
        now = asyncio.get_running_loop().time()
        if not version:
            raise ProtocolError("a complete state has no version")
        verdict = self.history.judge(
            version, items=self.mirror.incoming, known=self.mirror.known, now=now
        )
        if verdict is Verdict.PAST:
            raise Stop(Past(version))
        self._course.completed(version)
        self.counters.resyncs += 1
        changes = self.mirror.complete()
        self._quiet.release(self)
        self._note(None)
        self._tell(changes)
        # What the comparison found gone may have gone in any way.
        self._followed = asyncio.get_running_loop().time()

    # LIST

    async def _list(self, connection: Connection) -> None:
        """Take the state page by page; one connection carries them all."""
        self.mirror.begin()
        self._quiet.hold(self)
        try:
            while True:
                reader = PageReader(self)
                await self._ask(connection, reader)
                page = reader.page()
                await self._page(page)
                if not page.metadata.next_page:
                    break
                self._course.turned(page.metadata.next_page)
        finally:
            self._quiet.release(self)
        self._complete(page.metadata.resource_version or "")

    async def _page(self, page: Page) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        self.counters.heard = since
        for raw in page.items or ():
            self.mirror.take(Verb.ADDED, raw)
            if loop.time() - since > SLICE:
                await asyncio.sleep(0)
                since = loop.time()

    # The listener

    def _tell(self, changes: Changes) -> None:
        """Tell the listener; what it raises must not pass for a fault of the server's."""
        try:
            self._listener.changed(self, changes)
        except Exception as error:
            raise _OursError(error) from error

    def _note(self, trouble: Trouble | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._tell(Changes(conditions=True))


class _OursError(Exception):
    """What the listener raised: no fault of the server's, so no outcome."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
