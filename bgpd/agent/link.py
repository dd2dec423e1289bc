"""The agent's end of speaker.sock: what is desired goes out, how the speaker is comes in."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from bgpd.ipc.client import Client
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Desired, Report, Silent
from bgpd.model.prefix import Address
from bgpd.model.status import SpeakerStatus
from bgpd.model.timeline import Failover
from bgpd.telemetry import logs


class Link:
    """A connection that comes back (`bgpd.ipc.client.Listener`); `run` it in a task."""

    def __init__(
        self,
        path: Path,
        *,
        program: str,
        log: logging.Logger,
        desired: Callable[[], Desired | None],
        told: Callable[[], None],
        silent: Callable[[Iterable[Address]], None],
    ) -> None:
        """Begin each connection with *desired*; call *told* when there is news of the speaker.

        *silent* hears at once which peers BFD calls gone.
        """
        self._client = Client(path, self, program=program)
        self._log = log
        self._desired = desired
        self._told = told
        self._silent = silent
        self._status: SpeakerStatus | None = None
        self.failovers: tuple[Failover, ...] = ()
        """The last failovers that the speaker told of, the oldest first."""
        self._lost_reason = ""

    async def run(self) -> None:
        """Connect, and connect again after each loss, until cancelled."""
        await self._client.run()

    @property
    def speaker(self) -> SpeakerStatus | None:
        """What the speaker said of itself last; None while it cannot be reached."""
        return self._status if self._client.connection is not None else None

    def send(self, message: AnyMessage | None) -> None:
        """Tell the speaker, if it listens: it hears everything when it does again."""
        if message is not None and self._client.connection is not None:
            self._client.connection.send(message)

    def connected(self, connection: Connection) -> None:
        """Send everything: the speaker may be new."""
        logs.write(self._log, "info", "speaker_connected")
        self._lost_reason = ""
        self._status = None  # of the one before
        desired = self._desired()
        if desired is not None:
            connection.send(desired)

    def received(self, message: AnyMessage) -> None:
        """Remember what the speaker says of itself."""
        if isinstance(message, Report):
            self._status = message.status
            self.failovers = message.failovers
            self._told()
        elif isinstance(message, Silent):
            self._silent(message.peers)

    def lost(self, reason: str) -> None:
        """Note it; the client connects again by itself."""
        if reason != self._lost_reason:
            self._lost_reason = reason
            logs.write(self._log, "warning", "speaker_lost", [("reason", reason)])
            self._told()
