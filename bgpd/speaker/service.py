"""The driver of the reflex: pipes, files and the clock, and no decisions.

After every stimulus the same three steps: let the mesh's and the reflex's decisions out, carry
them out in order, arm one timer. Datagrams go first, because other speakers wait for a raise.
"""

import asyncio
import gc
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final, assert_never

from bgpd import stderr
from bgpd.disk import Writer
from bgpd.exabgp.message import Pong
from bgpd.exabgp.pipe import ExabgpPipe
from bgpd.ipc.server import Server
from bgpd.model.reason import Withheld
from bgpd.model.status import SpeakerStatus
from bgpd.speaker import effect, status
from bgpd.speaker.bfdwire import BFDWire
from bgpd.speaker.door import Door
from bgpd.speaker.meters import Meters
from bgpd.speaker.options import Options
from bgpd.speaker.pages import SpeakerPages
from bgpd.speaker.priority import come_first
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.remembering import CONFIGURATION_NAME, Remembering
from bgpd.speaker.reporting import Reporting
from bgpd.speaker.rows import Rows
from bgpd.speaker.state import State, boot_id
from bgpd.speaker.timeline import Timeline
from bgpd.speaker.wire import MeshWire
from bgpd.telemetry import logs
from bgpd.telemetry.http import Http
from bgpd.telemetry.procnumbers import stat_fields
from bgpd.telemetry.withheld import SETTLE_SECONDS, WithheldLog

SOCKET_NAME: Final = "speaker.sock"
_GOODBYES: Final = 3
_GOODBYE_PAUSE: Final = 0.002
_COMPANY_SECONDS: Final = 0.05
"""So long what concerns the reflex waits for a heartbeat: one wake-up instead of two."""
_REST_SECONDS: Final = 0.02
"""How soon routes that changed are looked at again, if ExaBGP's answer is no occasion before."""
_GC_THRESHOLD: Final = 20_000
"""New objects before the cycle collector looks: heartbeats make hundreds, and no cycles."""
_SWITCH_SECONDS: Final = 0.001
"""How long the thread that writes to the disk may keep the interpreter from the loop."""
_LAST_WRITE_SECONDS: Final = 2.0
"""How long leaving waits for the disk."""


class Service:
    """One running reflex."""

    def __init__(self, options: Options) -> None:
        self._options = options
        priority = come_first()
        self._log = logs.start("speaker", options.log_level, options.log_format)
        keys = [("program", options.program), ("priority", priority)]
        logs.write(self._log, "info", "started", keys)
        self._loop = asyncio.get_running_loop()
        self._disk = Writer(self._written)
        self._state = State(options.state_dir, self._disk.submit)
        self._started = time.time()
        self._wire = MeshWire(
            node=options.node,
            key_file=options.mesh_key_file,
            kept=self._state.load_mesh(),
            log=self._log,
            stirred=self._after_datagrams,
        )
        self._pipe = ExabgpPipe()
        self._timer: asyncio.TimerHandle | None = None
        self._leaving = False
        self._ended = False
        self._parent = os.getppid()
        self._reflex = Reflex(
            node=options.node,
            command=options.command,
            make_mesh=self._wire.make_mesh,
            timeline=Timeline(self._state.load_timeline(), node=options.node, boot=boot_id()),
            now=self._loop.time(),
            wall_offset=time.time() - self._loop.time(),
            random=random.random,
            bfd_memories=self._state.load_bfd(),
            known_levers=self._state.load_probed(),
        )
        self._bfd = BFDWire(
            sessions=self._reflex.bfd, log=self._log, stirred=self._after_control_packets
        )
        self._door = Door(
            program=options.program,
            reflex=self._reflex,
            status=self._status,
            flush=self._after_agent,
            events=logs.recorder(self._log).recent,
        )
        self._door.last = self._state.load_desired()
        self._remembering = Remembering(self._state, self._reflex, self._door, exabgp=self._parent)
        self._reporting = Reporting(self._reflex, self._door, observe=self._status)
        self._server = Server(
            options.run_dir / SOCKET_NAME,
            self._door,
            program="bgpd speaker",
            group=options.socket_group,
        )
        self._meters = Meters(self._state.count_start(_identity(self._parent)))
        self._reflex.timeline.ended = self._meters.failover
        self._http = Http(
            options.metrics,
            SpeakerPages(
                self._reflex,
                self._meters,
                self._log,
                observe=self._observed,
                backlog=lambda: self._pipe.backlog,
            ),
            self._log,
        )
        self._line_refused = ""
        self._withheld_log = WithheldLog(settle=SETTLE_SECONDS)

    async def run(self) -> None:
        """Serve until ExaBGP goes or tells us to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # ExaBGP got it too, and will tell us when it wants to leave.
            self._loop.add_signal_handler(number, lambda: None)
        async with self._pipe:
            self._note_problems()
            self._reflex.start(
                configuration=self._state.read_configuration(CONFIGURATION_NAME),
                saved=self._door.last,
                now=self._loop.time(),
                drain=self._state.load_drain(),
            )
            self._flush()
            # The socket comes last: an agent's first words must find ExaBGP at the other end.
            await self._serve()
        if not await self._disk.close(_LAST_WRITE_SECONDS):
            logs.write(self._log, "error", "state_not_written", [("reason", "the disk hangs")])

    async def _serve(self) -> None:
        async with self._server:
            gc.collect()
            gc.freeze()
            gc.set_threshold(_GC_THRESHOLD)
            sys.setswitchinterval(_SWITCH_SECONDS)
            self._http.open()
            async for message in self._pipe:
                now = self._loop.time()
                self._meters.dialogue.heard(message, now)
                self._reflex.exabgp(message, now)
                if not isinstance(message, Pong):  # of which nothing follows
                    self._flush()
            self._say_goodbye()
            self._wire.close()
            self._bfd.close()
            self._http.close()
            self._ended = True

    # Steps

    def _after_datagrams(self) -> None:
        """Let out what a heartbeat led to: nothing, nearly always, or our own, in step with it."""
        now = self._loop.time()
        self._wire.send()
        self._reflex.after_mesh(now)
        due = self._wire.deadline()
        if due is not None and due <= now:
            self._on_timer()
        elif self._reflex.has_effects or self._timer is None or _before(due, self._timer.when()):
            self._flush()

    def _after_control_packets(self) -> None:
        """Let out what BFD led to; packets that say nothing new do not come here."""
        self._reflex.after_bfd(self._loop.time())
        if self._reflex.has_effects:
            self._flush()

    def _after_agent(self) -> None:
        """Let out what the agent led to: no other speaker waits for that, but routers may."""
        for item in self._reflex.effects():
            self._carry_out(item)
        if self._reflex.offer.unreviewed:
            # ExaBGP has a route to send, and perhaps no other processor to do it on.
            now = self._loop.time()
            self._arm(now, now + _REST_SECONDS)
        else:
            self._flush()

    def _on_timer(self) -> None:
        if self._timer is not None:
            self._meters.woken(self._loop.time() - self._timer.when())
            self._timer.cancel()
            self._timer = None
        self._wire.handle_timer()
        now = self._loop.time()
        due = self._reflex.deadline(now)
        if now < due:
            self._wire.send()
            if self._reflex.is_calm and not self._wire.is_moving:
                # Most heartbeats end here; what concerns the reflex comes twice a second.
                self._arm(now, due)
                return
        else:
            self._reflex.wall_offset = time.time() - now
            self._reflex.handle_timer(now)
        self._flush()

    def _written(self) -> None:
        """Go on after a write; nothing waits for the last ones."""
        self._note_problems()
        if not self._ended:
            self._flush()

    def _flush(self) -> None:
        now = self._loop.time()
        self._wire.send()
        self._bfd.send()
        self._reflex.after_mesh(now)
        self._carry_out_all()
        self._note_problems()
        if self._reflex.report_due(now):
            if self._door.has_agent:
                self._reporting.begin()
            else:
                self._note_withheld(status.withheld(self._reflex), now)
        self._wire.listen(self._reflex.desired, now)
        self._bfd.flush()
        self._arm(now, self._reflex.deadline(now))

    def _carry_out_all(self) -> None:
        while effects := self._reflex.effects():
            for item in effects:
                self._carry_out(item)
            self._wire.send()

    def _carry_out(self, item: effect.Effect) -> None:
        match item:
            case effect.Send(command):
                self._pipe.send(command)
                self._meters.dialogue.sent(command, self._loop.time(), self._pipe.dropped)
            case effect.WriteConfiguration(text):
                self._remembering.write_configuration(text)
            case effect.Tell(message):
                self._door.tell(message)
            case effect.SaveDesired() | effect.SaveMesh() | effect.SaveDrain() | effect.SaveBFD():
                self._remembering.save(item)
            case effect.SaveProbed() | effect.SaveTimeline():
                self._remembering.save(item)
            case effect.DropAgent(reason):
                self._door.drop_agent(reason)
            case effect.KillExabgp(reason):
                self._kill_exabgp(reason)
            case effect.Quit():
                self._leaving = True
            case effect.Note(level, event, keys):
                logs.write(self._log, level, event, keys)
            case _:
                assert_never(item)

    def _arm(self, now: float, due: float) -> None:
        wire = self._wire.deadline()
        if wire is not None and wire <= due + _COMPANY_SECONDS:
            due = wire
        due = max(now, due)
        if self._timer is not None:
            if self._timer.when() <= due:
                # A timer that comes too early finds nothing due and sets itself again; most
                # often, though, nothing has moved, and a new one would cost as much as a beat.
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)

    # Telling

    def _note_withheld(self, withheld: tuple[Withheld, ...], now: float) -> None:
        for line in self._withheld_log.look(withheld, now):
            logs.write(self._log, line.level, line.event, line.keys)

    def _status(self, now: float, rows: Rows) -> SpeakerStatus:
        observed = self._observed(now, rows)
        self._note_withheld(observed.withheld, now)
        return observed

    def _observed(self, now: float, rows: Rows) -> SpeakerStatus:
        return status.observe(
            self._reflex,
            now=now,
            version=self._options.program.partition("/")[2],
            started=self._started,
            exabgp_pid=self._parent,
            counters={
                **{f"mesh_{name}": count for name, count in self._wire.counters.items()},
                **{f"socket_{name}": count for name, count in self._server.counters.items()},
                **{f"bfd_{name}": count for name, count in self._bfd.counters.items()},
                **self._door.counters,
                **self._state.counters,
                "exabgp_lines_refused": self._pipe.refused,
                "exabgp_commands_dropped": self._pipe.dropped,
                "log_lines_dropped": stderr.dropped(),
            },
            conditions=(
                *self._wire.conditions(),
                *self._bfd.conditions(),
                *self._state.conditions(),
                *self._http.conditions(),
            ),
            rows=rows,
        )

    def _note_problems(self) -> None:
        while self._state.problems:
            logs.write(self._log, "warning", "state", [("problem", self._state.problems.pop())])
        if self._pipe.refused_error != self._line_refused:
            self._line_refused = self._pipe.refused_error
            logs.write(self._log, "error", "exabgp_line_refused", [("reason", self._line_refused)])

    # Leaving

    def _kill_exabgp(self, reason: str) -> None:
        logs.write(self._log, "error", "exabgp_hangs", [("reason", reason)])
        if os.getppid() == self._parent:
            os.kill(self._parent, signal.SIGKILL)

    def _say_goodbye(self) -> None:
        """ExaBGP is gone, we follow, our kernel stays: nobody needs to take over."""
        if not self._leaving:
            logs.write(self._log, "warning", "exabgp_gone")
        if self._reflex.mesh is not None:
            self._reflex.say_goodbye(self._loop.time())
            self._wire.send()
            for _ in range(_GOODBYES - 1):
                # One may be lost, and later there is nobody to repeat it.
                time.sleep(_GOODBYE_PAUSE)
                self._reflex.mesh.handle_timer(self._loop.time())
                self._wire.send()
            self._remembering.save(effect.SaveMesh())
        self._remembering.save(effect.SaveTimeline())
        # After the sessions: a router that hears of this is not to take it for a failure, and one
        # that keeps our routes must not take our silence for one.
        self._reflex.bfd.say_goodbye(self._loop.time())
        self._bfd.send()
        self._remembering.save(effect.SaveDesired())


def _identity(process: int) -> str:
    """Return what no other process is called, in this boot or another."""
    fields = stat_fields(Path("/proc") / str(process))
    return f"{boot_id()} {process} {fields[19] if fields else ''}"


def _before(due: float | None, other: float) -> bool:
    return due is not None and due < other
