"""The driver of the reflex: sockets, pipes, files and the clock, and no decisions.

After every stimulus the same three steps: let the mesh's and the reflex's decisions out, carry
them out in order, arm one timer. Datagrams go first, because other speakers wait for a raise.
"""

import asyncio
import gc
import os
import random
import secrets
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

import msgspec

from bgpd.exabgp.pipe import ExabgpPipe
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, Answer, AnyMessage, Ask, Desired, Hello, Report, Welcome
from bgpd.ipc.server import Server
from bgpd.mesh import keys as mesh_keys
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import Keys
from bgpd.mesh.transport import Transport
from bgpd.model.errors import BgpdError
from bgpd.model.member import MESH_PORT, Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, SpeakerStatus
from bgpd.policy import lever
from bgpd.speaker import effect, status
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.reflex import GOODBYE_SECONDS, Reflex, mesh_settings
from bgpd.speaker.state import State
from bgpd.speaker.timeline import Timeline
from bgpd.telemetry import logs

SOCKET_NAME: Final = "speaker.sock"
CONFIGURATION_NAME: Final = "exabgp.conf"
_RETRY_SECONDS: Final = 0.2
"""How often the mesh address is tried while this host does not have it yet."""
_KEYS_SECONDS: Final = 1.0
"""How often the key file is looked at: a mounted Secret changes without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the reflex."""

    node: NodeName
    run_dir: Path
    state_dir: Path
    mesh_key_file: Path
    command: str
    """The command line that starts us, as ExaBGP's configuration names it."""
    program: str
    socket_group: str | None = None
    log_level: str = "info"


class Service:
    """One running reflex."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = logs.start("speaker", options.log_level)
        self._state = State(options.state_dir)
        self._loop = asyncio.get_running_loop()
        self._started = time.time()
        self._keys = mesh_keys.load(options.mesh_key_file)
        self._kept = self._state.load_mesh()
        self._transport = Transport(self)
        self._bound: tuple[Address, int] | None = None
        self._bind_due = 0.0
        self._keys_due = 0.0
        self._mesh_problem = ""
        self._keys_problem = ""
        self._counters: Counter[str] = Counter()
        self._pipe = ExabgpPipe()
        self._agent: Connection | None = None
        self._saved: Desired | None = self._state.load_desired()
        self._timer: asyncio.TimerHandle | None = None
        self._flush_soon = False
        self._leaving = False
        self._parent = os.getppid()
        self._reflex = Reflex(
            node=options.node,
            command=options.command,
            make_mesh=self._make_mesh,
            timeline=Timeline(self._state.load_timeline()),
            now=self._loop.time(),
            wall_offset=time.time() - self._loop.time(),
        )

    async def run(self) -> None:
        """Serve until ExaBGP goes or tells us to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # ExaBGP got it too, and will tell us when it wants to leave.
            self._loop.add_signal_handler(number, lambda: None)
        server = Server(
            self._options.run_dir / SOCKET_NAME,
            self,
            program="bgpd speaker",
            group=self._options.socket_group,
        )
        async with server, self._pipe:
            self._note_problems()
            self._reflex.start(
                configuration=self._configuration(), saved=self._saved, now=self._loop.time()
            )
            self._flush()
            gc.collect()
            gc.freeze()
            async for message in self._pipe:
                self._reflex.exabgp(message, self._loop.time())
                self._flush()
            self._say_goodbye()
            self._transport.close()

    # What arrives: the mesh (bgpd.mesh.transport.Receiver)

    def datagram(self, data: bytes, source: Address, at: float) -> None:
        """Take one heartbeat."""
        if self._reflex.mesh is not None:
            self._reflex.mesh.receive_datagram(data, source, at)
            self._soon()

    def refused(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel whose speaker is gone."""
        if self._reflex.mesh is not None:
            self._reflex.mesh.refused(address, at)
            self._soon()

    def echo_reply(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel."""
        if self._reflex.mesh is not None:
            self._reflex.mesh.echo_reply(address, at)
            self._soon()

    # What arrives: agent and bgpctl (bgpd.ipc.connection.Handler)

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet, answer, or hand the agent's words to the reflex."""
        now = self._loop.time()
        match message:
            case Hello():
                self._greet(connection, message, now)
            case Ask():
                connection.send(self._answer(message, now))
            case _ if connection is self._agent:
                if isinstance(message, Desired):
                    self._saved = message
                self._reflex.agent_message(message, now)
            case _:
                self._counters["messages_out_of_turn"] += 1
        self._flush()

    def closed(self, connection: Connection) -> None:
        """Note that an agent is gone."""
        if connection is self._agent:
            self._agent = None
            self._reflex.agent_lost(connection.reason, self._loop.time())
            self._flush()

    def _greet(self, connection: Connection, hello: Hello, now: float) -> None:
        if hello.version < VERSION - 1:
            connection.close(f"version {hello.version} is too old; we speak {VERSION}")
            return
        connection.send(
            Welcome(version=VERSION, node=self._options.node, program=self._options.program)
        )
        if hello.role == "agent":
            if self._agent is not None:
                self._agent.close("another agent connected")
            self._agent = connection
            self._reflex.agent_connected(now)

    def _answer(self, ask: Ask, now: float) -> Answer:
        match ask.question:
            case "status":
                return Answer(content=self._status(now))
            case "timeline":
                return Answer(content=self._reflex.timeline.failovers)
            case "generation-reset":
                return self._reset_generation(ask, now)
            case _:
                assert_never(ask.question)

    def _reset_generation(self, ask: Ask, now: float) -> Answer:
        text = ask.arguments.get("to", "")
        if not text.isdecimal() or not 1 <= int(text) <= lever.MAX_GENERATION:
            return Answer(ok=False, error=f"generation {text!r}: must be 1..{lever.MAX_GENERATION}")
        if self._reflex.mesh is None:
            return Answer(ok=False, error="the mesh is not configured yet: no agent has been here")
        self._reflex.mesh.reset_generation(int(text), now)
        return Answer(content={"generation": int(text)})

    # Steps

    def _soon(self) -> None:
        """Flush once after the batch of datagrams that is being delivered."""
        if not self._flush_soon:
            self._flush_soon = True
            self._loop.call_soon(self._flush)

    def _on_timer(self) -> None:
        self._timer = None
        # Drain first, then judge silence: what has arrived is no longer missing.
        self._transport.drain()
        now = self._loop.time()
        if self._reflex.mesh is not None:
            self._reflex.mesh.handle_timer(now)
        self._look_at_keys(now)
        self._reflex.wall_offset = time.time() - now
        self._reflex.handle_timer(now)
        self._flush()

    def _flush(self) -> None:
        self._flush_soon = False
        now = self._loop.time()
        self._send_datagrams()
        self._reflex.after_mesh(now)
        for item in self._reflex.effects():
            self._carry_out(item)
        self._send_datagrams()
        if self._reflex.report_due(now):
            self._tell(Report(status=self._status(now)))
        self._bind(now)
        self._arm(now)

    def _send_datagrams(self) -> None:
        mesh = self._reflex.mesh
        if mesh is None:
            return
        for datagram in mesh.datagrams_to_send():
            self._transport.send(datagram.address, datagram.port, datagram.payload)
        for address in mesh.probes_to_send():
            self._transport.probe(address)

    def _carry_out(self, item: effect.Effect) -> None:  # noqa: C901 - one line for each kind
        match item:
            case effect.Send(command):
                self._pipe.send(command)
            case effect.WriteConfiguration(text):
                self._state.write_configuration(self._path(CONFIGURATION_NAME), text)
            case effect.Tell(message):
                self._tell(message)
            case effect.SaveDesired():
                self._save_desired()
            case effect.SaveMesh():
                self._save_mesh()
            case effect.DropAgent(reason):
                if self._agent is not None:
                    self._agent.close(reason)
            case effect.KillExabgp(reason):
                self._kill_exabgp(reason)
            case effect.Quit():
                self._leaving = True
            case effect.Note(level, event, keys):
                logs.write(self._log, level, event, keys)
            case _:
                assert_never(item)
        self._note_problems()

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        dues = [self._reflex.deadline(now)]
        if self._reflex.mesh is not None:
            due = self._reflex.mesh.deadline()
            dues += [] if due is None else [due]
            if self._bound is None:
                dues.append(self._bind_due)
        self._timer = self._loop.call_at(max(min(dues), now), self._on_timer)

    # The mesh's socket and keys

    def _make_mesh(self, desired: DesiredState, now: float) -> Mesh:
        return Mesh(
            mesh_settings(self._options.node, desired),
            keys=Keys(sending=self._keys[0], accepted=self._keys),
            incarnation=secrets.randbits(64),
            now=now,
            random=random.random,
            members=desired.members,
            generation=self._kept.generation,
            resets=self._kept.resets,
        )

    def _bind(self, now: float) -> None:
        """Listen where the desired state says; try again while the address is not there."""
        desired = self._reflex.desired
        if desired is None or desired.mesh_address is None:
            return
        wanted = (desired.mesh_address, port_of(self._options.node, desired.members))
        if wanted == self._bound or now < self._bind_due:
            return
        self._bind_due = now + _RETRY_SECONDS
        self._bound = None
        try:
            self._transport.open(*wanted)
        except BgpdError as error:
            if str(error) != self._mesh_problem:
                self._mesh_problem = str(error)
                logs.write(self._log, "error", "mesh_not_bound", [("error", error)])
            return
        self._bound = wanted
        self._mesh_problem = ""

    def _look_at_keys(self, now: float) -> None:
        if now < self._keys_due:
            return
        self._keys_due = now + _KEYS_SECONDS
        try:
            keys = mesh_keys.load(self._options.mesh_key_file)
        except BgpdError as error:
            self._keys_problem = str(error)
            return
        self._keys_problem = ""
        if keys != self._keys:
            self._keys = keys
            logs.write(self._log, "info", "mesh_keys_loaded", [("count", len(keys))])
            if self._reflex.mesh is not None:
                self._reflex.mesh.configure(keys=Keys(sending=keys[0], accepted=keys), now=now)

    # Telling and remembering

    def _tell(self, message: AnyMessage) -> None:
        if self._agent is not None:
            self._agent.send(message)

    def _status(self, now: float) -> SpeakerStatus:
        return status.observe(
            self._reflex,
            now=now,
            version=self._options.program.partition("/")[2],
            started=self._started,
            exabgp_pid=self._parent,
            counters={
                **{f"mesh_{name}": count for name, count in self._transport.counters.items()},
                **self._counters,
                "exabgp_lines_refused": self._pipe.refused,
            },
            conditions=self._conditions(),
        )

    def _conditions(self) -> tuple[Condition, ...]:
        problems = (
            ("MeshListening", "NotBound", self._mesh_problem),
            ("MeshKeysReadable", "KeyFileRefused", self._keys_problem),
        )
        return tuple(
            Condition(type=kind, status=False, reason=reason, message=problem)
            for kind, reason, problem in problems
            if problem
        )

    def _save_desired(self) -> None:
        if self._saved is not None and self._reflex.desired is not None:
            current = self._reflex.desired
            routes = (
                r for by_prefix in current.advertisements.values() for r in by_prefix.values()
            )
            self._saved = msgspec.structs.replace(
                self._saved, sequence=current.sequence, advertisements=tuple(routes)
            )
            self._state.save_desired(self._saved)

    def _save_mesh(self) -> None:
        if self._reflex.mesh is not None:
            self._state.save_mesh(self._reflex.mesh.persistent())
            self._state.save_timeline(self._reflex.timeline.failovers)

    def _note_problems(self) -> None:
        while self._state.problems:
            logs.write(self._log, "warning", "state", [("problem", self._state.problems.pop())])

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
            self._reflex.mesh.say_goodbye(GOODBYE_SECONDS, self._loop.time())
            self._send_datagrams()
            self._save_mesh()

    def _configuration(self) -> str:
        try:
            return self._path(CONFIGURATION_NAME).read_text()
        except OSError:
            return ""

    def _path(self, name: str) -> Path:
        return self._options.state_dir / name


def port_of(node: NodeName, members: tuple[Member, ...]) -> int:
    """Return the port that the member list gives *node*."""
    return next((member.port for member in members if member.name == node), MESH_PORT)
