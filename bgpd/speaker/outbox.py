"""What is to be done, collected in order while the reflex decides.

Every part of the reflex puts its wishes here; the driver empties it and carries them out.
"""

from typing import Final

from bgpd.exabgp.command import Command
from bgpd.speaker.effect import (
    Effect,
    Note,
    SaveDesired,
    SaveDrain,
    SaveMesh,
    SaveProbed,
    SaveTimeline,
    Send,
)

_CAN_WAIT: Final = (SaveDesired, SaveDrain, SaveMesh, SaveProbed, SaveTimeline, Note)
"""Disk and log: a raise is on its way to the routers before either hears of it."""


class Outbox:
    """Effects in order, the numbers of commands, and counters for people."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self._effects: list[Effect] = []
        self._last_number = 0

    def put(self, item: Effect) -> None:
        """Add *item* to what is to be done."""
        self._effects.append(item)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not self._effects

    def empty(self) -> list[Effect]:
        """Return what is to be done, in order, disk and log last, and forget it."""
        effects, self._effects = self._effects, []
        if len(effects) < 2:
            return effects
        return sorted(effects, key=lambda item: isinstance(item, _CAN_WAIT))

    def number(self) -> int:
        """Return the id of the next command."""
        self._last_number += 1
        return self._last_number

    def send(self, command: Command) -> None:
        """Have *command* sent to ExaBGP."""
        self._effects.append(Send(command))

    def note(self, level: str, event: str, **keys: object) -> None:
        """Have a line written to the log."""
        self._effects.append(Note(level, event, tuple(keys.items())))

    def count(self, name: str) -> None:
        """Count something that the status shows."""
        self.counters[name] = self.counters.get(name, 0) + 1
