"""Which peers ExaBGP has: its configuration file, written, read again, and what went wrong.

A peer that cannot be configured keeps what it had last, and costs no other peer anything. What
ExaBGP, or the disk, refuses is tried again, less and less often, until it works.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from bgpd.exabgp.command import Reload
from bgpd.exabgp.configuration import render
from bgpd.model.errors import ConfigError
from bgpd.model.peer import Peer, PeerName
from bgpd.model.status import Condition
from bgpd.speaker.effect import WriteConfiguration
from bgpd.speaker.outbox import Outbox

RETRY_SECONDS: Final = 5.0
"""First pause before a configuration that failed is tried again; it doubles."""
MOST_RETRY_SECONDS: Final = 60.0


class Peering:
    """The peers as ExaBGP should have them, and how far that is true."""

    def __init__(self, command: str, outbox: Outbox) -> None:
        """Name *command* as the reflex in ExaBGP's configuration."""
        self.on_disk = ""
        """The file as it was written last."""
        self._command = command
        self._outbox = outbox
        self._good: dict[PeerName, Peer] = {}
        self._wanted = ""
        self._writing = False
        """Whether the file is on its way to the disk; ExaBGP reads it when it is there."""
        self._reload: int | None = None
        self._refused = ""
        self._failed = ""
        self._pause = RETRY_SECONDS
        self._retry_at: float | None = None

    def want(self, peers: Mapping[PeerName, Peer]) -> None:
        """Give ExaBGP *peers*; a set that it cannot hold leaves the one before."""
        problems: list[str] = []
        good = self._acceptable(peers, problems)
        try:
            text = render(tuple(good.values()), reflex=self._command)
        except ConfigError as error:
            problems.append(str(error))
            text = self._wanted
        else:
            self._good = good
        self._refuse("; ".join(problems))
        if text and (text != self._wanted or self._retry_at is not None):
            self._pause = RETRY_SECONDS
            self._submit(text)

    @property
    def writing(self) -> bool:
        """Whether ExaBGP cannot have the peers yet, because the disk has not."""
        return self._writing

    def written(self, text: str) -> bool:
        """Note that *text* is on the disk; return whether ExaBGP was told to read it."""
        if not self._writing or text != self._wanted:
            return False
        self._writing = False
        self._tell()
        return True

    def reloaded(self, command: int) -> None:
        """Note that ExaBGP has read its configuration."""
        if command == self._reload:
            self._reload = self._retry_at = None
            self._failed = ""

    def failed(self, error: str, now: float, command: int | None = None) -> bool:
        """Note that *command*, or the writing of the file, failed; return whether it was ours."""
        if command is not None and command != self._reload:
            return False
        self._writing = False
        self._reload = None
        self._failed = error
        self._plan_retry(now)
        return True

    def missing(self, names: Iterable[PeerName], now: float) -> None:
        """Note that ExaBGP has no session with *names*, although it was told to."""
        known = sorted(name for name in names if name in self._good)
        if known and self._retry_at is None and not self._writing:
            self._failed = f"ExaBGP has no session for {', '.join(known)}"
            self._plan_retry(now)

    def retry(self, now: float) -> bool:
        """Try again if it is time; return whether that was done."""
        if self._retry_at is None or now < self._retry_at:
            return False
        self._pause = min(2 * self._pause, MOST_RETRY_SECONDS)
        self.on_disk = ""
        self._submit(self._wanted)
        return True

    def conditions(self) -> Iterable[Condition]:
        """Yield what a person should know."""
        if self._refused:
            yield Condition(
                type="PeersRefused",
                status=True,
                reason="CannotConfigure",
                message=f"{self._refused}; correct the BGPPeer, until then what it had stays",
            )
        if self._failed:
            yield Condition(
                type="PeersNotConfigured",
                status=True,
                reason="ReloadFailed",
                message=f"{self._failed}; the peers stay as they were, tried again by itself",
            )

    def _acceptable(
        self, peers: Mapping[PeerName, Peer], problems: list[str]
    ) -> dict[PeerName, Peer]:
        """Return *peers*, each that cannot be configured as it was when it could."""
        good = {}
        for name, peer in peers.items():
            try:
                render((peer,), reflex=self._command)
            except ConfigError as error:
                problems.append(str(error))
                if name in self._good:
                    good[name] = self._good[name]
            else:
                good[name] = peer
        return good

    def _refuse(self, problem: str) -> None:
        if problem and problem != self._refused:
            self._outbox.count("configurations_refused")
            self._outbox.note("error", "configuration_refused", reason=problem)
        self._refused = problem

    def _submit(self, text: str) -> None:
        self._wanted = text
        self._retry_at = None
        if text != self.on_disk:
            self.on_disk = text
            self._writing = True
            self._outbox.put(WriteConfiguration(text))
        elif not self._writing:
            self._tell()

    def _tell(self) -> None:
        self._reload = self._outbox.number()
        self._outbox.send(Reload(id=self._reload))

    def _plan_retry(self, now: float) -> None:
        self._outbox.count("configurations_failed")
        self._outbox.note("error", "configuration_failed", reason=self._failed)
        self._retry_at = now + self._pause
