"""Who comes in by the unix socket: one agent, whose word counts, and any number of bgpctl."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import assert_never

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, Answer, AnyMessage, Ask, Desired, Hello, Welcome
from bgpd.model.status import SpeakerStatus
from bgpd.policy import lever
from bgpd.speaker.reflex import Reflex


class Door:
    """Greets, answers, and hands the agent's words to the reflex (`bgpd.ipc` Handler)."""

    def __init__(
        self,
        *,
        program: str,
        reflex: Reflex,
        status: Callable[[float], SpeakerStatus],
        flush: Callable[[], None],
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.last: Desired | None = None
        """What the agent said last as a whole, for the disk."""
        self._program = program
        self._reflex = reflex
        self._status = status
        self._flush = flush
        self._agent: Connection | None = None
        self._loop = asyncio.get_running_loop()

    def tell(self, message: AnyMessage) -> None:
        """Send *message* to the agent, if there is one."""
        if self._agent is not None:
            self._agent.send(message)

    def drop_agent(self, reason: str) -> None:
        """Close the agent's connection: it comes again and says everything."""
        if self._agent is not None:
            self._agent.close(reason)

    @property
    def has_agent(self) -> bool:
        """Whether a report would be read by anybody."""
        return self._agent is not None

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
                before = self._reflex.desired
                self._reflex.agent_message(message, now)
                if isinstance(message, Desired) and self._reflex.desired is not before:
                    self.last = message
            case _:
                self.counters["messages_out_of_turn"] += 1
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
        connection.send(Welcome(version=VERSION, node=self._reflex.node, program=self._program))
        if hello.role == "agent":
            if self._agent is not None and self._agent is not connection:
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
            case "accept-vanished":
                return Answer(ok=False, error="only the agent knows what vanished; ask agent.sock")
            case _:
                assert_never(ask.question)

    def _reset_generation(self, ask: Ask, now: float) -> Answer:
        text = ask.arguments.get("to", "")
        # As many digits as one likes are no number for `int`, which gives up beyond some thousand.
        digits = text.isdecimal() and len(text) <= len(str(lever.MAX_GENERATION))
        if not digits or not 1 <= int(text) <= lever.MAX_GENERATION:
            shown = repr(text[:20])
            return Answer(ok=False, error=f"generation {shown}: must be 1..{lever.MAX_GENERATION}")
        if self._reflex.mesh is None:
            return Answer(ok=False, error="the mesh is not configured yet: no agent has been here")
        self._reflex.mesh.reset_generation(int(text), now)
        return Answer(content={"generation": int(text)})
