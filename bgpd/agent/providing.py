"""Asking the providers that BGPPeers name, beside the loop; what they said is for the planner.

Each BGPPeer has a `Course` (what to believe, when to look) and at most one look under way. A look
by HTTP has a thread of its own, because nothing bounds what a resolver takes; a thread is a daemon,
so that leaving waits for none. What was understood is on the disk before anybody needs it again.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bgpd.agent.noting import Note, nowhere
from bgpd.disk import Write, at_once
from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import PeerState
from bgpd.model.provider import Discovery, ProviderChoice, ProviderPeer
from bgpd.model.status import Condition, SessionStatus
from bgpd.policy.selector import matches_any
from bgpd.provider import cache
from bgpd.provider.adapter import Asker
from bgpd.provider.adapters import ADAPTERS
from bgpd.provider.course import Course, Failure
from bgpd.provider.look import UNREACHABLE, asks_elsewhere, look

PATIENCE_SECONDS: Final = 5.0
"""How long a start waits for the first answers, where nothing is on the disk."""
_GIVE_UP_SECONDS: Final = 15.0
"""After so long a look counts as failed, though its thread may still wait for a resolver."""

Found: TypeAlias = tuple[ProviderPeer, ...] | Failure
Find: TypeAlias = Callable[[ProviderChoice, Asker, Mapping[str, str]], Found]

_HANGS: Final = Failure(
    UNREACHABLE, "NoAnswer", "its name is looked up for ever; see to the node's resolver"
)


class Providing:
    """The providers of this node's BGPPeers; `run` it in a task."""

    def __init__(  # noqa: PLR0913 - a directory, and the seams to time, disk and network
        self,
        directory: Path | None,
        *,
        origin: str,
        changed: Callable[[], None],
        told: Callable[[], None],
        submit: Callable[[Write], None] = at_once,
        note: Note = nowhere,
        find: Find = look,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Keep in *directory* what is understood for *origin*, and go on with what is there.

        *changed* is called in the loop when there is something else to decide on, *told* when
        there is news for people.
        """
        self._path = None if directory is None else directory / cache.FILE_NAME
        self._origin = origin
        self._changed = changed
        self._told = told
        self._submit = submit
        self._note = note
        self._find = find
        self._clock = clock
        self._chance = chance
        self._kept = self._recall()
        self.discovered: Mapping[str, Discovery] = {
            name: one.discovery for name, one in self._kept.items()
        }
        """What each provider said, by the BGPPeer's name; replaced whole."""
        self._courses: dict[str, Course] = {}
        self._askers: dict[str, Asker] = {}
        self._annotations: Mapping[str, str] = {}
        self._threads: dict[Course, threading.Thread] = {}
        self._established: dict[str, frozenset[str]] = {}
        self._patient_until: float | None = None
        self._waited_for = False
        """Whether somebody waits for the first answers."""
        self._unwritten = ""
        self._wake = asyncio.Event()

    # What is asked

    def follow(self, documents: Iterable[BGPPeer], node: Node | None) -> bool:
        """Ask the providers that *documents* name on behalf of *node*; return whether that is news.

        What needs nobody's answer is known when this returns.
        """
        if node is None:
            return False
        now = self._clock()
        wanted = {
            one.name: (one, one.provider)
            for one in documents
            if one.provider is not None and matches_any(one.node_selectors, node.labels)
        }
        # Also what only the disk knows: the document may have gone while there was no agent.
        for name in (self._courses.keys() | self._kept.keys()) - wanted.keys():
            self._forget(name)
        anew = node.annotations != self._annotations
        self._annotations = node.annotations
        for name, (document, choice) in wanted.items():
            self._askers[name] = Asker(
                node=node.name,
                addresses=node.addresses,
                site=choice.site,
                gateway=document.gateway,
            )
            course, fresh = self._course(name, choice, now)
            if (fresh or anew) and not asks_elsewhere(choice):
                self._look_here(course)
        if wanted and self._patient_until is None:
            self._patient_until = now + PATIENCE_SECONDS
        self._waited_for = not self.settled
        self._wake.set()
        return self._publish()

    def _course(self, name: str, choice: ProviderChoice, now: float) -> tuple[Course, bool]:
        """Return the course of the BGPPeer *name*, and whether it has just begun."""
        course = self._courses.get(name)
        if course is not None and course.choice == choice:
            return course, False
        if course is not None:
            self._threads.pop(course, None)
        kept = self._kept.get(name)
        same = kept is not None and kept.choice == choice
        course = self._courses[name] = Course(
            name,
            choice,
            now=now,
            kept=kept.discovery if kept is not None and same else None,
            empty=ADAPTERS[choice.kind].empty,
        )
        return course, True

    def _forget(self, name: str) -> None:
        course = self._courses.pop(name, None)
        if course is not None:
            self._threads.pop(course, None)
        self._established.pop(name, None)
        if self._kept.pop(name, None) is not None:
            self._write()

    @property
    def settled(self) -> bool:
        """Whether it is time to decide: every provider was heard, or it was waited for enough."""
        if all(one.settled for one in self._courses.values()):
            return True
        return self._patient_until is not None and self._clock() >= self._patient_until

    def heard(self, sessions: Iterable[SessionStatus]) -> None:
        """Take in how the sessions are: a provider is asked soon after one is lost."""
        up: dict[str, set[str]] = {name: set() for name in self._courses}
        down: set[str] = set()
        for one in sessions:
            if one.document in up and one.state is PeerState.ESTABLISHED:
                up[one.document].add(one.peer)
            else:
                down.add(one.document)
        now = self._clock()
        for name, peers in up.items():
            lost = bool(self._established.get(name, frozenset()) - peers)
            self._established[name] = frozenset(peers)
            course = self._courses[name]
            before = course.deadline()
            course.sessions(lost=lost, unwell=name in down, now=now)
            if course.deadline() != before:
                self._wake.set()

    # Looks

    async def run(self) -> None:
        """Look when it is time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._wake.wait()
                for course in self._due():
                    if asks_elsewhere(course.choice):
                        course.began(self._clock())
                        group.create_task(self._look_there(course), name=f"ask {course.name}")
                    else:
                        self._look_here(course)
                        self._tell()
                if self._waited_for and self.settled:
                    self._tell()

    def _due(self) -> list[Course]:
        """Return the courses that want a look now."""
        now = self._clock()
        times = [(one, one.deadline()) for one in self._courses.values()]
        return [one for one, due in times if due is not None and now >= due]

    def _pause(self) -> float | None:
        """Return how long nothing is to be done."""
        times = [one.deadline() for one in self._courses.values()]
        if self._waited_for:
            times.append(self._patient_until)
        due = min((at for at in times if at is not None), default=None)
        return None if due is None else max(0.0, due - self._clock())

    def _look_here(self, course: Course) -> None:
        course.began(self._clock())
        self._end(course, self._find(course.choice, self._askers[course.name], self._annotations))

    async def _look_there(self, course: Course) -> None:
        """Look in a thread, unless the one before still hangs in the resolver."""
        before = self._threads.get(course)
        found: Found = _HANGS
        if before is None or not before.is_alive():
            asker = self._askers[course.name]
            ask = partial(self._find, course.choice, asker, self._annotations)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GIVE_UP_SECONDS):
                    found = await self._in_thread(course, ask)
        self._end(course, found)
        self._tell()
        self._wake.set()

    async def _in_thread(self, course: Course, ask: Callable[[], Found]) -> Found:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found] = loop.create_future()

        def work() -> None:
            found = ask()
            # Without a loop nobody waits for the answer any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_answer, answer, found)

        thread = threading.Thread(target=work, name=f"ask {course.name}", daemon=True)
        self._threads[course] = thread
        thread.start()
        return await answer

    def _end(self, course: Course, found: Found) -> None:
        """Take in what a look gave, unless it is another that is wanted by now."""
        if self._courses.get(course.name) is not course:
            return
        now, chance = self._clock(), self._chance()
        if isinstance(found, Failure):
            course.failed(found, now=now, chance=chance)
            return
        wall = time.time()
        if course.understood(found, now=now, wall=wall, chance=chance):
            keys = [
                ("peer", course.name),
                ("provider", course.choice.kind),
                ("routers", len(found)),
            ]
            self._note("info", "provider_understood", keys)
        known = course.discovery
        kept = cache.Kept(choice=course.choice, peers=known.peers, fetched=known.fetched)
        self._kept[course.name] = kept
        self._write()

    def _tell(self) -> None:
        over = self._waited_for and self.settled
        if over:
            self._waited_for = False
        if self._publish() or over:
            self._changed()
        self._told()

    def _publish(self) -> bool:
        """Replace `discovered`; return whether it means something else."""
        before = self.discovered
        self.discovered = {name: one.discovery for name, one in self._courses.items()}
        return _meaning(before) != _meaning(self.discovered)

    # The disk

    def _recall(self) -> dict[str, cache.Kept]:
        if self._path is None:
            return {}
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._note("warning", "state", [("problem", f"{self._path}: ignored: {error}")])
            return {}
        found, problems = cache.decode(content, origin=self._origin)
        for one in problems:
            self._note("warning", "state", [("problem", f"{self._path}: {one}")])
        return found

    def _write(self) -> None:
        if self._path is not None:
            content = cache.encode(self._kept, origin=self._origin)
            self._submit(Write(path=self._path, content=lambda: (content,), done=self._written))

    def _written(self, error: str) -> None:
        self._unwritten = error

    # What people are told

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        now = self._clock()
        for name in sorted(self._courses):
            yield from self._courses[name].conditions(now)
        if self._unwritten:
            yield Condition(
                type="StateNotWritten",
                status=True,
                reason="WriteFailed",
                message=f"{self._path}: not written: {self._unwritten}; make the directory"
                " writable, with room",
            )


def _answer(future: asyncio.Future[Found], found: Found) -> None:
    if not future.done():
        future.set_result(found)


def _meaning(discovered: Mapping[str, Discovery]) -> dict[str, tuple[ProviderPeer, ...]]:
    """Return what decisions depend on: when it was read, or why not anew, is for people."""
    return {name: one.peers for name, one in discovered.items() if one.known}
