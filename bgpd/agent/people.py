"""What people hear on agent.sock: a greeting, the status, and what became of a question."""

from collections.abc import Callable, Mapping

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, Answer, AnyMessage, Ask, Hello, Welcome
from bgpd.model.event import Event
from bgpd.model.member import NodeName
from bgpd.model.status import NodeStatus


class People:
    """The handler of agent.sock (bgpd.ipc.connection.Handler)."""

    def __init__(
        self,
        *,
        node: NodeName,
        program: str,
        status: Callable[[], NodeStatus],
        accept: Callable[[], int],
        events: Callable[[], tuple[Event, ...]],
        knows: Callable[[str, Mapping[str, str]], object],
    ) -> None:
        """Answer with what is asked for; *accept* lets go of what vanished, and counts it.

        *knows* answers what is asked about configuration and decisions, by question and arguments.
        """
        self._welcome = Welcome(version=VERSION, node=node, program=program)
        self._status = status
        self._accept = accept
        self._events = events
        self._knows = knows

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet or answer."""
        match message:
            case Hello():
                connection.send(self._welcome)
            case Ask(question="status"):
                connection.send(Answer(content=self._status()))
            case Ask(question="events"):
                connection.send(Answer(content=self._events()))
            case Ask(question="inventory" | "grounds" | "routes" | "timeline" as question):
                connection.send(Answer(content=self._knows(question, message.arguments)))
            case Ask(question="accept-vanished"):
                connection.send(Answer(content={"accepted": self._accept()}))
            case Ask():
                connection.send(
                    Answer(ok=False, error=f"the agent cannot answer {message.question!r}")
                )
            case _:
                pass

    def closed(self, connection: Connection) -> None:
        """Nothing depends on a person's connection."""
