"""Who comes in by the unix socket: one agent, whose word counts, and any number of bgpctl."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, Answer, AnyMessage, Ask, Desired, Hello, Welcome
from bgpd.model.errors import ConfigError
from bgpd.model.event import Event
from bgpd.model.status import SpeakerStatus
from bgpd.policy import lever
from bgpd.speaker import trial, turns
from bgpd.speaker.offered import Offered
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.rows import Rows
from bgpd.speaker.status import offered_by, rows_of

MOST_QUESTIONS: Final = 100
"""What one connection may ask while its last question is being answered."""
_AGENTS: Final = {
    "accept-vanished": "what vanished",
    "inventory": "what is configured",
    "grounds": "what a decision rests on",
}


class Door:
    """Greets, answers, and hands the agent's words to the reflex (`bgpd.ipc` Handler)."""

    def __init__(
        self,
        *,
        program: str,
        reflex: Reflex,
        status: Callable[[float, Rows], SpeakerStatus],
        flush: Callable[[], None],
        events: Callable[[], tuple[Event, ...]] = tuple,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.last: Desired | None = None
        """What the agent said last as a whole, for the disk."""
        self._program = program
        self._reflex = reflex
        self._status = status
        self._flush = flush
        self._events = events
        self._agent: Connection | None = None
        self._asked: dict[Connection, deque[Ask]] = {}
        """Who waits for a status or routes, and what they asked meanwhile."""
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
                self._take_question(connection, message)
            case _ if connection is self._agent:
                before = self._reflex.desired
                self._reflex.orders.take(message, now)
                if isinstance(message, Desired) and self._reflex.desired is not before:
                    self.last = message
            case _:
                self.counters["messages_out_of_turn"] += 1
        self._flush()

    def closed(self, connection: Connection) -> None:
        """Note that an agent, or whoever asked, is gone."""
        self._asked.pop(connection, None)
        if connection is self._agent:
            self._agent = None
            self._reflex.orders.lost(connection.reason, self._loop.time())
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
            self._reflex.orders.connected(now)

    def _take_question(self, connection: Connection, ask: Ask) -> None:
        """Answer *ask* when all that *connection* asked before is answered.

        Answers have no names: their order says what they answer.
        """
        waiting = self._asked.get(connection)
        if waiting is not None and len(waiting) == MOST_QUESTIONS:
            connection.close(f"more than {MOST_QUESTIONS} questions wait for their answers")
        elif waiting is not None:
            waiting.append(ask)
        else:
            self._answer(connection, ask)

    def _tell_status(self, connection: Connection, rows: Rows, _: float) -> None:
        self._tell_later(connection, lambda: self._status(self._loop.time(), rows))

    def _tell_routes(self, connection: Connection, offered: Offered, _: float) -> None:
        self._tell_later(connection, lambda: offered.found)

    def _tell_later(self, connection: Connection, content: Callable[[], object]) -> None:
        """Answer the question that *connection* waits for, and what it asked meanwhile."""
        waiting = self._asked.pop(connection, None)
        if waiting is None:
            return  # who asked is gone
        connection.send(Answer(content=content()))
        for ask in waiting:
            self._take_question(connection, ask)
        if waiting:
            self._flush()

    def _answer(self, connection: Connection, ask: Ask) -> None:
        match ask.question:
            case "status":
                self._asked[connection] = deque()
                turns.make(rows_of(self._reflex), partial(self._tell_status, connection))
            case "routes":
                self._asked[connection] = deque()
                offered = offered_by(self._reflex, ask.arguments)
                turns.make(offered, partial(self._tell_routes, connection))
            case "timeline":
                connection.send(Answer(content=self._reflex.timeline.failovers))
            case "events":
                connection.send(Answer(content=self._events()))
            case "generation-reset":
                connection.send(self._reset_generation(ask, self._loop.time()))
            case "drain":
                connection.send(self._drain(ask, self._loop.time()))
            case "undrain":
                self._reflex.draining.take_back(self._loop.time())
                connection.send(self._drained())
            case "trial" | "probed":
                connection.send(self._probe(ask, self._loop.time()))
            case "accept-vanished" | "inventory" | "grounds":
                error = f"only the agent knows {_AGENTS[ask.question]}; ask agent.sock"
                connection.send(Answer(ok=False, error=error))
            case _:
                assert_never(ask.question)

    def _drain(self, ask: Ask, now: float) -> Answer:
        request = DrainRequest(
            forced=ask.arguments.get("force") == "true",
            patient=ask.arguments.get("patient") == "true",
            boot="this" if ask.arguments.get("until") == "boot" else "",
            since=round(now + self._reflex.wall_offset, 3),
        )
        if ask.arguments.get("dry-run") == "true":
            return Answer(content={"alone": self._reflex.draining.alone(now)})
        refused = self._reflex.draining.ask(request, now)
        return self._drained() if refused is None else Answer(
            ok=False, error=refused.sentence, content={"alone": refused.alone}
        )  # fmt: skip

    def _drained(self) -> Answer:
        """Tell how the drain is now: there may be other causes than a person."""
        return Answer(content={"drain": self._reflex.draining.status(self._loop.time())})

    def _probe(self, ask: Ask, now: float) -> Answer:
        """Let `bgpctl probe` try something out, or keep what it found."""
        try:
            if ask.question == "probed":
                self._reflex.note_probed(ask.arguments.get("levers", ""), now)
                return Answer()
            if ask.arguments.get("end") == "true":
                self._reflex.trials.end(ask.arguments.get("owner", ""), now)
                return Answer()
            prolonged = self._reflex.trials.running
            peers = self._reflex.trials.ask(trial.parsed(ask.arguments), now)
        except ConfigError as error:
            return Answer(ok=False, error=str(error))
        return Answer(content={"peers": peers, "prolonged": prolonged})

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
