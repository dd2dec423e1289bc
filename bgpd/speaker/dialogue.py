"""How the talk with ExaBGP goes: what it was asked, what it answered, and how soon.

ExaBGP answers in order, so what is not answered yet is what waits in its pipe or in its hands.
"""

from collections import Counter
from typing import Final

from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    Hold,
    Ping,
    Reload,
    Show,
    Update,
)
from bgpd.exabgp.message import Done, Failed, Message, Pong, Reloaded, Shown
from bgpd.telemetry import speakermetrics
from bgpd.telemetry.instruments import Histogram

VERBS: Final[dict[type[Command], str]] = {
    Update: "update",
    Reload: "reload",
    Show: "show",
    Ping: "ping",
    Close: "close",
    EndOfRib: "end-of-rib",
    Hold: "hold",
    Exit: "exit",
}
"""What each command is called on the wire."""


class Dialogue:
    """Counts commands and answers, and times the pings."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """(verb, result) -> how often."""
        self.pings = Histogram(speakermetrics.EXABGP_ANSWER)
        self.heard_at: float | None = None
        """When ExaBGP last answered anything."""
        self._open: dict[int, tuple[str, float]] = {}
        self._dropped = 0

    @property
    def waiting(self) -> int:
        """How many commands have no answer yet."""
        return len(self._open)

    def sent(self, command: Command, now: float, dropped: int) -> None:
        """Note that *command* left for ExaBGP, unless more were *dropped* than before it."""
        verb = VERBS.get(type(command), "other")
        if dropped > self._dropped:
            self._dropped = dropped
            self.counts[verb, "dropped"] += 1
            return
        self.counts[verb, "sent"] += 1
        if not isinstance(command, Exit):  # which has no answer
            self._open[command.id] = (verb, now)

    def heard(self, message: Message, now: float) -> None:
        """Take in what ExaBGP says, which may be an answer."""
        if not isinstance(message, Done | Reloaded | Shown | Pong | Failed) or message.id is None:
            return
        self.heard_at = now
        asked = self._open.pop(message.id, None)
        if asked is None:
            return
        verb, at = asked
        self.counts[verb, "failed" if isinstance(message, Failed) else "done"] += 1
        if isinstance(message, Pong):
            self.pings.observe(now - at)
