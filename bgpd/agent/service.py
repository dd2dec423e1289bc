"""The driver of the agent: a source of documents in, a speaker's socket out, status for people.

One loop, level-driven: a change is decided on and sent in the callback that reports it.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Iterable
from typing import Final

from bgpd.agent.account import Account
from bgpd.agent.deciding import Deciding
from bgpd.agent.departing import Departing
from bgpd.agent.hosting import Hosting
from bgpd.agent.link import Link
from bgpd.agent.memory import Snapshot
from bgpd.agent.noting import HealthLog, to_log
from bgpd.agent.options import Options
from bgpd.agent.origin import source_of
from bgpd.agent.passwords import Passwords
from bgpd.agent.people import People
from bgpd.agent.planner import Planner
from bgpd.agent.providing import Providing
from bgpd.agent.recollection import Recollection
from bgpd.agent.remembering import Remembering
from bgpd.agent.replies import Replies
from bgpd.agent.rooms import Rooms
from bgpd.agent.starting import Start
from bgpd.agent.watching import Watching
from bgpd.ipc.message import Beat, Delta, Desired, Standing
from bgpd.ipc.server import Server
from bgpd.kube.store import Changes
from bgpd.model.prefix import Prefix
from bgpd.policy.merge import RouteKey
from bgpd.policy.startup import Boot
from bgpd.telemetry import logs

SOCKET_NAME: Final = "agent.sock"
SPEAKER_SOCKET_NAME: Final = "speaker.sock"
_BEAT_SECONDS: Final = 1.0
_PASSWORDS_SECONDS: Final = 5
_SWITCH_SECONDS: Final = 0.001
"""How long a thread that writes to the disk may keep the interpreter from the loop."""
_COLLECT_SECONDS: Final = 60
"""How often cycles are collected during a start that takes so long."""
_LOOK_SECONDS: Final = 0.02
"""How soon decisions are looked at that the speaker has heard of already."""


class Service:
    """One running agent."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = logs.start("agent", options.log_level, options.log_format, runs=options.program)
        origin = f"{options.source} {options.cluster_uid} {options.node}"
        self._disk = Recollection(
            self._log, options.state_dir, origin=origin, written=self._tell_conditions
        )
        snapshot = self._disk.recall()
        recalled = self._disk.recall_health(known=bool(snapshot.objects))
        clock = asyncio.get_running_loop().time
        note = to_log(self._log)
        self._watching = Watching(options.node, recalled, self, clock, note)
        self._planner = Planner(
            node=options.node,
            cluster_uid=options.cluster_uid,
            load_balancer_class=options.load_balancer_class,
            ignore_exclude_label=options.ignore_exclude_label,
            judge=self._watching.judge,
            boot=self._disk.boot,
        )
        self._providing = Providing(
            options.state_dir,
            origin=origin,
            changed=self._discovered,
            told=self._tell_conditions,
            submit=self._disk.submit,
            note=note,
            clock=clock,
        )
        self._planner.discovered = self._providing.discovered
        blamed = self._watching.judge.hearing.blamed
        self._health_log = HealthLog(note, self._planner, blamed, clock)
        primed = self._planner.prime(snapshot.view, snapshot.passwords)
        if primed:
            logs.write(self._log, "info", "recalled", [("documents", len(snapshot.objects))])
        self._passwords = Passwords(snapshot.passwords)
        before = snapshot if primed else Snapshot()
        self._source = source_of(
            options.source, before, node=options.node, documents=options.documents
        )
        self._deciding = Deciding(self._planner, self._source, self._passwords, act=self._act)
        self._replies = Replies(options.kept_in, self._log, self._tell_conditions)
        self._hosting = Hosting(
            self._planner,
            lambda: self._source.objects,
            self._log,
            told=self._heard_host,
            moved=self._addresses_moved,
            landed=self._landed,
            anew=recalled.boot is not Boot.SAME,
        )
        self._planner.source_for = self._hosting.source_for
        self._link = Link(
            options.run_dir / SPEAKER_SOCKET_NAME,
            program=options.program,
            log=self._log,
            desired=self._everything,
            told=self._heard_speaker,
            silent=self._replies.silent,
        )
        self._departing = Departing(
            options.node, self._link, self._log, self, state=options.kept_in
        )
        self._looks = False
        """Whether what follows from decisions waits to be looked at."""
        self._held = False
        """Whether the first decision waits for what providers say, or for a look at the host."""
        self._synced = False
        """Whether the log was told that everything was decided on."""
        self._beats = 0
        self._stood = Standing()
        """What the speaker heard last of the node as a whole."""
        rooms = Rooms(
            source=self._source,
            planner=self._planner,
            deciding=self._deciding,
            watching=self._watching,
            providing=self._providing,
            replies=self._replies,
            hosting=self._hosting,
            departing=self._departing,
            link=self._link,
            disk=self._disk,
        )
        self._remembering = Remembering(rooms, self._passwords)
        self._start = Start(
            rooms, self._log, primed=primed, whole=snapshot.whole, boot=recalled.boot
        )
        self._account = Account(rooms, options, self._log)
        self._telling = self._account.telling

    async def run(self) -> None:
        """Serve until a signal ends it; what was wanted last stays in force without us."""
        try:
            await self._serve()
        finally:
            self._account.close()
            self._health_log.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._account.open()
        people = People(
            node=self._options.node,
            program=self._options.program,
            status=self._account.status,
            accept=self._source.accept,
            events=logs.recorder(self._log).recent,
            knows=self._account.knows,
        )
        server = Server(
            self._options.run_dir / SOCKET_NAME,
            people,
            program="bgpd agent",
            group=self._options.socket_group,
        )
        async with server, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._source.run(self._changed), name="source"),
                group.create_task(self._link.run(), name="speaker"),
                group.create_task(self._watching.run(), name="watching"),
                group.create_task(self._providing.run(), name="providing"),
                group.create_task(self._replies.run(), name="replies"),
                group.create_task(self._hosting.run(), name="hosting"),
                group.create_task(self._start.await_host(self._decide_if_held), name="host"),
                group.create_task(self._departing.run(), name="departing"),
                group.create_task(self._beat(), name="beat"),
                group.create_task(self._start.from_memory(self._decide_anew), name="memory"),
                group.create_task(self._deciding.run(), name="deciding"),
            ]
            if self._telling is not None:
                tasks.append(group.create_task(self._telling.run(), name="telling"))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, _cancel, tasks)
        await self._remembering.close()

    # The source of documents

    def _changed(self, changes: Changes) -> None:
        """Take in what the source says, once it is complete."""
        if self._telling is not None:
            self._telling.heard(changes)
        if self._source.synced:
            # First, so that an agent which starts while it is to leave brings no route back.
            self._departing.heard(self._source.objects)
            self._decide(changes, self._source.read_at)
            return
        if changes.services:
            self._deciding.meanwhile(changes.services)
        if changes.conditions:
            self._tell_conditions()

    def _decide(self, changes: Changes, at: float | None = None) -> None:
        """Decide on *changes*, which were read *at* a time.

        The first time not before what sessions depend on is known. What ran before us has sessions
        from the right source: a guess would move them twice.
        """
        news = False
        if changes.configuration or not self._deciding.started:
            objects = self._source.objects
            news = self._providing.follow(objects.peers, objects.node(self._options.node))
            self._planner.discovered = self._providing.discovered
            self._held = self._start.waits
        if self._held:
            self._tell_conditions()
        elif news:
            self._deciding.configure(changes, at)
        else:
            self._deciding.changed(changes, at)

    def _discovered(self) -> None:
        """Take in that a provider said something else, or need not be waited for any more."""
        self._planner.discovered = self._providing.discovered
        if self._deciding.started:
            self._deciding.configure(Changes())
        else:
            self._decide_if_held()

    def _decide_if_held(self) -> None:
        """Look whether the first decision can be made now."""
        if self._held:
            self._decide_anew()

    def _decide_anew(self) -> None:
        """Decide on what is known now, though nothing changed."""
        self._decide(Changes(conditions=True))

    def _act(self, message: Desired | Delta | None) -> None:
        """Tell the speaker what was decided, and everybody else soon."""
        if not self._deciding.started:
            self._tell_conditions()
            # Before anything is sent: a configuration that ends the start must change no route.
            self._start.end(self._options.source)
        message = self._passes(message)
        self._link.send(message)
        if isinstance(message, Desired):
            self._stood = message.standing
        elif self._planner.standing_now != self._stood:
            self._send_standing()
        self._disk.changed()
        if not self._looks:
            self._looks = True
            loop = asyncio.get_running_loop()
            if isinstance(message, Desired):
                loop.call_soon(self._look)
            else:
                # The processors are the speaker's, who has something to do.
                loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Ask what the decisions want to be asked, and tell people."""
        self._looks = False
        self._link.send(self._deciding.why())
        self._tell_conditions()
        self._health_log.soon()
        if self._deciding.complete and not self._synced:
            self._synced = True
            self._watching.doubt_reading("")
            logs.write(self._log, "info", "synced", [("documents", len(self._source.objects))])
        complete = self._deciding.complete and not self._planner.busy
        self._watching.follow(complete=complete)
        self._hosting.follow(complete=complete)
        if self._planner.context is not None and not self._departing.leaving:
            self._replies.want(wanted=self._planner.context.policy.egress)
        # What is told is made in one go, so it has a turn of its own.
        asyncio.get_running_loop().call_soon(self._account.tell)

    def _everything(self) -> Desired | None:
        message = self._planner.desired() if self._deciding.started else None
        found = self._passes(message)
        if not isinstance(found, Desired):
            return None
        self._stood = found.standing
        return found

    def _passes(self, message: Desired | Delta | None) -> Desired | Delta | None:
        """Return what the speaker may hear of *message* now."""
        found = self._hosting.passes(self._departing.passes(message))
        self._planner.awaits = self._hosting.partial
        return found

    def _landed(self, routes: Iterable[RouteKey]) -> None:
        """Tell the speaker of *routes* that waited for their addresses."""
        self._link.send(self._departing.passes(self._planner.tell_again(routes)))
        if self._planner.awaits:
            self._planner.awaits = self._hosting.partial
            self._send_standing()

    # The end of all of it (bgpd.agent.departing.Acts)

    def withdraw_all(self) -> None:
        """Have the speaker hear that there is no route any more."""
        self._link.send(self._everything())

    def let_go(self) -> None:
        """Take back what was added to the host."""
        self._hosting.leave()
        self._replies.want(wanted=False)

    def departed(self) -> None:
        """Tell people how far that is."""
        self._heard_host()

    # What was seen of the node (bgpd.agent.watching.Acts)

    def decide_again(self, services: Iterable[str]) -> None:
        """Decide on *services*: what a probe says of them changed."""
        self._deciding.again(services)

    def decide_everything(self) -> None:
        """Decide on every Service: what holds for all of them changed."""
        self._deciding.configure(Changes())

    def stand(self, standing: Standing) -> None:
        """Tell the speaker how the node is as a whole."""
        self._planner.standing = standing
        if self._deciding.started:
            self._send_standing()
            self._tell_conditions()
            self._account.tell()

    def _send_standing(self) -> None:
        self._stood = self._planner.standing_now
        self._link.send(self._stood)

    # The clock

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._beats += 1
            if not gc.isenabled() and self._beats % _COLLECT_SECONDS == 0:
                gc.collect()
            self._account.beat()
            self._link.send(Beat())
            self._watching.beat()
            if self._deciding.started and self._beats % _PASSWORDS_SECONDS == 0:
                self._read_passwords()
            self._remembering.keep()

    def _read_passwords(self) -> None:
        objects = self._source.objects
        if self._passwords.read(objects.peers, objects.bfd_profiles.values()):
            self._deciding.configure(Changes())

    # What people are told, and what else the rooms say

    def prefixes(self) -> Iterable[Prefix]:
        """Return what is advertised, or could be."""
        return self._planner.services

    def _heard_speaker(self) -> None:
        self._watching.heard(self._link.speaker)
        self._replies.heard(self._link.speaker)
        if self._link.speaker is not None:
            self._providing.heard(self._link.speaker.sessions)
        self._account.tell()

    def _heard_host(self) -> None:
        self._tell_conditions()
        self._account.tell()

    def _addresses_moved(self) -> None:
        """Decide anew where a session may come from."""
        moved, owed = self._planner.moved(self._hosting.addresses), self._hosting.owes_source()
        if (moved or owed) and self._deciding.started:
            self._deciding.configure(Changes())

    def _tell_conditions(self) -> None:
        self._account.tell_conditions()


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
