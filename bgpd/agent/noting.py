"""What a person finds in the agent's log of health: which Service was withheld when, and why.

A HealthCheck with a slip in it takes a Service off every node, and whoever looks for the reason
looks at the log first. A thousand that change at once are one line: the log is read by people.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias

from bgpd.model.reason import Reason, Withheld
from bgpd.policy.startup import Boot, Gate
from bgpd.telemetry import logs

Note: TypeAlias = Callable[[str, str, Iterable[tuple[str, object]]], None]
"""Takes a level, an event and its keys."""

SHOWN: Final = 10
"""Services that have a line each when they change together."""
_SOON_SECONDS: Final = 0.1
"""For how long changes are gathered: one HealthCheck chooses many Services."""
_PAUSE_SECONDS: Final = 1.0
"""How long after lines the next ones follow at the earliest."""


class Decided(Protocol):
    """What was decided on Services."""

    @property
    def unwell(self) -> Mapping[str, Withheld]:
        """The Services that health alone withholds here."""

    def advertises(self, service: str) -> bool:
        """Return whether *service* wants any route."""

    def knows(self, service: str) -> bool:
        """Return whether there is a *service*."""


class HealthLog:
    """What the log was told of Services that health withholds."""

    def __init__(
        self, note: Note, decided: Decided, blamed: Callable[[str], str], clock: Callable[[], float]
    ) -> None:
        """Tell *note* what becomes of what was *decided*; *blamed* names a Service's check."""
        self._note = note
        self._decided = decided
        self._blamed = blamed
        self._clock = clock
        self._told: dict[str, Reason] = {}
        self._next = 0.0
        """When the next lines may follow."""
        self._waiting: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Log what changed, in a moment."""
        if self._waiting is None and (self._told or self._decided.unwell):
            pause = max(_SOON_SECONDS, self._next - self._clock())
            self._waiting = asyncio.get_running_loop().call_later(pause, self.write)

    def close(self) -> None:
        """Log what still waits to be logged."""
        if self._waiting is not None:
            self.write()

    def write(self) -> None:
        """Log what changed since the last time."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        # What waits for the node to start is told of the node.
        now = {
            service: one
            for service, one in self._decided.unwell.items()
            if one.reason is not Reason.STARTING_UP
        }
        begun = {key: one for key, one in now.items() if self._told.get(key) is not one.reason}
        over = [
            key
            for key in self._told
            if key not in self._decided.unwell and self._decided.advertises(key)
        ]
        self._write_begun(begun)
        self._write_over(sorted(over))
        if begun or over or len(now) > SHOWN:
            self._next = self._clock() + _PAUSE_SECONDS
        # Without an endpoint a Service is as withheld as before: it returns when it returns.
        self._told = {
            **{key: one for key, one in self._told.items() if self._decided.knows(key)},
            **{key: one.reason for key, one in now.items()},
        }
        for key in over:
            del self._told[key]

    def _write_begun(self, begun: Mapping[str, Withheld]) -> None:
        if len(begun) <= SHOWN:
            for service, one in sorted(begun.items()):
                self._note("warning", "service_withheld", self._keys(service, one))
            return
        for reason, count in sorted(Counter(one.reason for one in begun.values()).items()):
            first = min(service for service, one in begun.items() if one.reason is reason)
            keys = [("services", count), ("first", first), *self._keys(first, begun[first])[1:]]
            self._note("warning", "services_withheld", keys)

    def _write_over(self, over: list[str]) -> None:
        if len(over) <= SHOWN:
            for service in over:
                keys = [("service", service), ("reason", f"{self._told[service]} is over")]
                self._note("info", "service_returned", keys)
            return
        self._note("info", "services_returned", [("services", len(over)), ("first", over[0])])

    def _keys(self, service: str, one: Withheld) -> list[tuple[str, object]]:
        return [
            ("service", service),
            ("reason", one.reason.value),
            ("check", self._blamed(service)),
            ("message", one.message),
        ]


class StartLog:
    """What the log was told of the wait after a boot."""

    def __init__(self, note: Note, gate: Gate, boot: Boot, clock: Callable[[], float]) -> None:
        self._note = note
        self._gate = gate
        self._booted = boot is Boot.ANOTHER
        self._cause = "the boot ID changed" if self._booted else "nothing is remembered here"
        self._clock = clock
        self._began = clock()
        self._told = None if self._booted else ""

    def looked(self) -> None:
        """Log what is waited for, each thing once, and that it is waited for no more."""
        said = self._gate.waits_for
        if said == self._told:
            return
        if said:
            keys = [("cause", self._cause), ("waits_for", said)]
            self._note("info", "startup_gate_closed", keys)
        else:
            lacking = "kube-proxy is not healthy yet" if self._gate.patience_over else ""
            keys = [("cause", self._cause), ("seconds", self._seconds), ("although", lacking)]
            self._note("warning" if lacking else "info", "startup_gate_opened", keys)
        self._told = said

    def over(self) -> None:
        """Log that no Service waits for a first answer any more."""
        if self._booted:
            self._note("info", "startup_over", [("seconds", self._seconds)])

    @property
    def _seconds(self) -> str:
        return f"{self._clock() - self._began:.1f}"


def to_log(log: logging.Logger) -> Note:
    """Return what writes to *log*."""

    def note(level: str, event: str, keys: Iterable[tuple[str, object]]) -> None:
        logs.write(log, level, event, keys)

    return note


def nowhere(_: str, __: str, ___: Iterable[tuple[str, object]]) -> None:
    """Note nothing."""
