"""The driver of the agent: a source of documents in, a speaker's socket out, status for people.

One loop, level-driven: a change is decided on and sent in the callback that reports it. There is
no queue between the two, because a withdrawn endpoint is a millisecond of lost packets.
"""

import asyncio
import gc
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bgpd.agent import saying
from bgpd.agent.keeping import Keeping
from bgpd.agent.memory import Memory, Snapshot
from bgpd.agent.origin import persistent, source_of, versions
from bgpd.agent.passwords import Passwords
from bgpd.agent.planner import Planner
from bgpd.agent.public import telling_of
from bgpd.disk import Write, Writer
from bgpd.ipc.client import Client
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import (
    VERSION,
    Answer,
    AnyMessage,
    Applied,
    Ask,
    Beat,
    Delta,
    Desired,
    Hello,
    Report,
    Welcome,
)
from bgpd.ipc.server import Server
from bgpd.kube.documents import Key
from bgpd.kube.store import Changes
from bgpd.model.errors import ConfigError
from bgpd.model.member import NodeName
from bgpd.model.status import Condition, NodeStatus, SpeakerStatus
from bgpd.telemetry import logs

SOCKET_NAME: Final = "agent.sock"
SPEAKER_SOCKET_NAME: Final = "speaker.sock"
_BEAT_SECONDS: Final = 1.0
_PASSWORDS_SECONDS: Final = 5
_MEMORY_SECONDS: Final = 2.0
"""How long a start waits for its source, where there is something to go on with."""
_AT_ONCE: Final = 200
"""Services that the first look decides on in one go."""
_LAST_WRITE_SECONDS: Final = 2.0
"""How long leaving waits for the disk."""
_TELL_SECONDS: Final = 5
"""How long a start is nobody's business."""
_LOG_SECONDS: Final = 0.25
"""For how long conditions are gathered for the log: eight watches see one thing one by one."""
_LOG_FIRST_SECONDS: Final = 1.0
"""The same until everything is known once."""
_SHOWN: Final = 5
"""How many objects a condition names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the agent."""

    node: NodeName
    source: str
    """`directory:PATH`, `kubernetes` or `kubernetes:KUBECONFIG`."""
    cluster_uid: str
    run_dir: Path
    program: str
    state_dir: Path | None = None
    """Where the last accepted objects are kept; without it a mistake ends every start."""
    load_balancer_class: str | None = None
    socket_group: str | None = None
    log_level: str = "info"


class Service:
    """One running agent."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = logs.start("agent", options.log_level)
        self._disk = Writer(self._written)
        self._keeping = Keeping()
        self._memory: Memory | None = None
        if options.state_dir is not None:
            origin = f"{options.source} {options.cluster_uid} {options.node}"
            self._memory = Memory(options.state_dir, origin=origin, submit=self._submit)
        self._planner = Planner(
            node=options.node,
            cluster_uid=options.cluster_uid,
            load_balancer_class=options.load_balancer_class,
        )
        recalled = self._recall()
        self._passwords = Passwords(recalled.passwords)
        self._source = source_of(options.source, recalled if self._primed else Snapshot())
        self._speaker: SpeakerStatus | None = None
        self._applied = 0
        self._lost_reason = ""
        self._told: set[Condition] = set()
        self._logging: asyncio.TimerHandle | None = None
        self._started = False
        self._first: deque[str] | None = None
        """The Services that the first look has not decided on yet; None before and after."""
        self._looked = asyncio.Event()
        self._complete = False
        """Whether everything was decided on what the source said itself."""
        self._client = Client(options.run_dir / SPEAKER_SOCKET_NAME, self, program=options.program)
        self._beats = 0
        self._telling = telling_of(
            self._source,
            self._planner,
            program=options.program,
            status=self._public,
            on_conditions=self._tell_conditions,
        )

    async def run(self) -> None:
        """Serve until a signal ends it; what was wanted last stays in force without us."""
        try:
            await self._serve()
        finally:
            if self._logging is not None:
                self._log_conditions()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = Server(
            self._options.run_dir / SOCKET_NAME,
            _People(self),
            program="bgpd agent",
            group=self._options.socket_group,
        )
        async with server, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._source.run(self._changed), name="source"),
                group.create_task(self._client.run(), name="speaker"),
                group.create_task(self._beat(), name="beat"),
                group.create_task(self._start_from_memory(), name="memory"),
                group.create_task(self._decide_first(), name="first"),
            ]
            if self._telling is not None:
                tasks.append(group.create_task(self._telling.run(), name="telling"))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, _cancel, tasks)
        if self._started and self._source.synced and self._keeping.behind:
            self._remember()
        if not await self._disk.close(_LAST_WRITE_SECONDS):
            logs.write(self._log, "error", "state_not_written", [("reason", "the disk hangs")])

    # What was accepted last

    def _recall(self) -> Snapshot:
        """Return what the disk remembers, and start from it if it makes a configuration."""
        found = self._memory.recall() if self._memory is not None else None
        self._note_problems()
        found = found or Snapshot()
        self._primed = self._planner.prime(found.view, found.passwords)
        if self._primed:
            logs.write(self._log, "info", "recalled", [("documents", len(found.objects))])
        return found

    async def _start_from_memory(self) -> None:
        """Go on with what was accepted last, where the source lets us wait."""
        await asyncio.sleep(_MEMORY_SECONDS)
        if self._primed and not self._started:
            logs.write(self._log, "warning", "started_from_memory")
            self._decide(Changes(conditions=True))

    def _keep(self) -> None:
        """Remember what is in force, when it is time; half a first look is not."""
        if (
            self._started
            and self._source.synced
            and self._keeping.due(asyncio.get_running_loop().time())
        ):
            self._remember()

    def _remember(self) -> None:
        objects = self._planner.accepted(self._source.objects)
        if self._memory is not None and objects is not None:
            self._memory.remember(
                Snapshot(
                    objects=objects,
                    sources=self._source.sources,
                    resource_versions=versions(objects, self._source.newest),
                    passwords=dict(self._passwords.contents),
                )
            )
        else:
            self._ended("")

    def _submit(self, write: Write) -> None:
        def done(error: str) -> None:
            write.done(error)
            self._ended(error)

        self._disk.submit(replace(write, done=done))

    def _ended(self, error: str) -> None:
        self._keeping.done(asyncio.get_running_loop().time(), failed=bool(error))

    def _written(self) -> None:
        self._note_problems()
        self._tell_conditions()

    def _note_problems(self) -> None:
        while self._memory is not None and self._memory.problems:
            problem = self._memory.problems.pop()
            logs.write(self._log, "warning", "state", [("problem", problem)])

    # The source of documents

    def _changed(self, changes: Changes) -> None:
        """Decide on *changes* and tell the speaker, in one go."""
        if self._telling is not None:
            self._telling.heard(changes)
        if self._source.synced:
            self._decide(changes)
        elif changes.conditions:
            self._tell_conditions()

    def _decide(self, changes: Changes) -> None:
        objects = self._source.objects
        if self._first is not None and not changes.configuration:
            # What is wanted is told as a whole when the first look is over.
            self._planner.update(changes, objects)
            return
        if not self._started and self._first is None:
            self._look(changes)
            return
        if not self._complete or changes.configuration:
            self._first = None
            self._passwords.read(objects.peers)
            message = self._planner.configure(changes, objects, self._passwords.contents)
            if not self._started:
                message = self._planner.desired()
        else:
            message = self._planner.update(changes, objects)
        self._act(message)

    def _look(self, changes: Changes) -> None:
        """Begin the first look: ten thousand Services at once would stall the loop."""
        self._first = deque(changes.services)
        if len(self._source.objects) > _AT_ONCE:
            self._looked.set()
            return
        for work in self._slices():
            work()

    async def _decide_first(self) -> None:
        await self._looked.wait()
        for work in self._slices():
            await asyncio.sleep(0)
            if self._first is None:
                # A change of configuration was decided on as a whole in the meantime.
                return
            work()

    def _slices(self) -> Iterator[Callable[[], None]]:
        """Yield the work of the first look, piece by piece."""
        yield self._understand
        yield self._list
        while self._first is not None:
            yield self._look_on

    def _understand(self) -> None:
        objects = self._source.objects
        self._passwords.read(objects.peers)
        self._planner.understand(objects, self._passwords.contents)

    def _list(self) -> None:
        assert self._first is not None
        self._first.extend(service.key for service in self._source.objects.services)

    def _look_on(self) -> None:
        """Decide on some more Services; after the last, tell the speaker."""
        first = self._first
        assert first is not None
        some = [first.popleft() for _ in range(min(_AT_ONCE, len(first)))]
        self._planner.decide(some, self._source.objects)
        if not first:
            self._first = None
            self._act(self._planner.desired())

    def _act(self, message: Desired | Delta | None) -> None:
        """Tell people and the speaker what was decided."""
        self._tell_conditions()
        if self._source.synced and not self._complete:
            self._complete = True
            logs.write(self._log, "info", "synced", [("documents", len(self._source.objects))])
        if not self._started:
            # Before anything is sent: a configuration that ends the start must change no route.
            self._start()
        self._send(message)
        self._keeping.changed(asyncio.get_running_loop().time())
        self._tell()

    def _start(self) -> None:
        """After the first complete look: refuse a configuration that cannot work."""
        context = self._planner.context
        errors = [self._planner.problem] if self._planner.problem else []
        errors += [] if context is None else context.errors
        if errors and not self._primed and not persistent(self._options.source):
            raise ConfigError("; ".join(errors))
        self._started = True
        gc.collect()
        gc.freeze()

    def _send(self, message: Desired | Delta | None) -> None:
        connection = self._client.connection
        if message is not None and connection is not None:
            connection.send(message)

    # The speaker (bgpd.ipc.client.Listener)

    def connected(self, connection: Connection) -> None:
        """Send everything: the speaker may be new."""
        logs.write(self._log, "info", "speaker_connected")
        self._lost_reason = ""
        desired = self._planner.desired() if self._started else None
        if desired is not None:
            connection.send(desired)

    def received(self, message: AnyMessage) -> None:
        """Remember what the speaker says of itself."""
        match message:
            case Report():
                self._speaker = message.status
                self._tell()
            case Applied():
                self._applied = message.sequence
            case _:
                pass

    def lost(self, reason: str) -> None:
        """Note it; the client connects again by itself."""
        if reason != self._lost_reason:
            self._lost_reason = reason
            logs.write(self._log, "warning", "speaker_lost", [("reason", reason)])
            self._tell()

    # The clock

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._beats += 1
            if self._beats % _TELL_SECONDS == 0:
                self._tell()
            if self._client.connection is not None:
                self._client.connection.send(Beat())
            objects = self._source.objects
            due = self._started and self._beats % _PASSWORDS_SECONDS == 0
            if due and self._passwords.read(objects.peers):
                self._send(self._planner.configure(Changes(), objects, self._passwords.contents))
                self._keeping.changed(asyncio.get_running_loop().time())
            self._keep()

    # People

    def status(self) -> NodeStatus:
        """Return what `bgpctl status` shows."""
        connected = self._client.connection is not None
        return NodeStatus(
            node=self._options.node,
            version=self._options.program.partition("/")[2],
            source=self._options.source,
            synced=self._source.synced,
            speaker=self._speaker if connected else None,
            withheld=self._planner.withheld,
            conditions=self._conditions,
            documents=len(self._source.objects),
            services=self._planner.services,
        )

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.changed()

    def _public(self) -> NodeStatus | None:
        """Return what the cluster is told: not that the cluster could not be told something."""
        if not self._started and self._beats < _TELL_SECONDS:
            return None
        return replace(self.status(), conditions=self._own_conditions)

    def accept(self) -> int:
        """Let go of configuration that vanished; return how many objects that were."""
        return self._source.accept()

    @property
    def _conditions(self) -> tuple[Condition, ...]:
        telling = () if self._telling is None else self._telling.conditions
        return (*self._own_conditions, *telling)

    @property
    def _own_conditions(self) -> tuple[Condition, ...]:
        kept = () if self._memory is None else tuple(self._memory.conditions())
        return (
            *self._source.conditions,
            *self._planner.conditions,
            *_last_accepted(self._source.outdated),
            *_from_memory(wanted=self._started and not self._source.synced),
            *kept,
        )

    def _tell_conditions(self) -> None:
        """Have conditions logged soon: what comes and goes within a moment is no news."""
        if self._logging is None:
            loop = asyncio.get_running_loop()
            pause = _LOG_SECONDS if self._source.synced else _LOG_FIRST_SECONDS
            self._logging = loop.call_later(pause, self._log_conditions)

    def _log_conditions(self) -> None:
        """Log each condition when it begins and when it ends."""
        if self._logging is not None:
            self._logging.cancel()
            self._logging = None
        now = set(self._conditions)
        for condition in saying.begun(self._told, now):
            keys = [("reason", condition.reason), ("message", condition.message)]
            logs.write(self._log, "warning", condition.type, keys)
        for condition in saying.over(self._told, now):
            logs.write(self._log, "info", condition.type, saying.end_of(condition))
        self._told = now


class _People:
    """The handler of agent.sock: greetings and questions (bgpd.ipc.connection.Handler)."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet or answer."""
        options = self._service._options  # noqa: SLF001 - the other half of the same thing
        match message:
            case Hello():
                connection.send(
                    Welcome(version=VERSION, node=options.node, program=options.program)
                )
            case Ask(question="status"):
                connection.send(Answer(content=self._service.status()))
            case Ask(question="accept-vanished"):
                connection.send(Answer(content={"accepted": self._service.accept()}))
            case Ask():
                connection.send(
                    Answer(ok=False, error=f"the agent cannot answer {message.question!r}")
                )
            case _:
                pass

    def closed(self, connection: Connection) -> None:
        """Nothing depends on a person's connection."""


def _last_accepted(outdated: Sequence[Key]) -> Iterator[Condition]:
    if outdated:
        names = ", ".join(map(str, outdated[:_SHOWN]))
        more = f" and {len(outdated) - _SHOWN} more" if len(outdated) > _SHOWN else ""
        yield Condition(
            type="LastAcceptedInForce",
            status=True,
            reason="NewestRefused",
            message=f"{names}{more}: the version that was accepted last is in force, because the"
            " newest cannot be used; correct it, or remove it to remove the object",
        )


def _from_memory(*, wanted: bool) -> Iterator[Condition]:
    if wanted:
        yield Condition(
            type="LastKnownState",
            status=True,
            reason="SourceUnread",
            message="the source has not been read completely since the start; what was accepted"
            " before it is in force",
        )


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
