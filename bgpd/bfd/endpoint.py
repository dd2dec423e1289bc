"""All BFD sessions of this node: which one a packet is for, and which ones are due.

A packet that names one of our discriminators is that session's, whoever sent it (RFC 5880,
section 6.3); one that names none belongs to the session with its source. Everything else comes
from strangers: it is counted and never answered.

Supported standards: RFC 5880 section 6.8.6 (with `packet` and `session`), RFC 5881 section 5
(TTL 255), RFC 5883 section 3.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bgpd.bfd.packet import Refusal, State, decode
from bgpd.bfd.session import Session
from bgpd.model.prefix import Address

ONE_HOP: Final = 255
"""The TTL of a packet that no router has passed on."""
_MEANING: Final = {
    Refusal.VERSION: "it has another version than 1",
    Refusal.TOO_SHORT: "it is too short",
    Refusal.LENGTH: "it claims to be longer than it is",
    Refusal.DETECT_MULT: "its Detect Mult is 0",
    Refusal.MULTIPOINT: "it has the Multipoint bit",
    Refusal.MY_DISCR: "its My Discriminator is 0",
    Refusal.UNKNOWN_SESSION: "its Your Discriminator is not ours",
    Refusal.YOUR_DISCR: "its Your Discriminator is 0 in a state that needs one",
    Refusal.AUTH_UNEXPECTED: "it is authenticated, and no password is configured here",
    Refusal.AUTH_MISSING: "it is not authenticated, and a password is configured here",
    Refusal.AUTH_MALFORMED: "its authentication has an impossible length",
    Refusal.AUTH_TYPE: "its authentication is of another kind than meticulous keyed SHA1",
    Refusal.AUTH_KEY_ID: "its key ID is not the configured one",
    Refusal.AUTH_SEQUENCE: "its sequence number is old, or far ahead",
    Refusal.AUTH_DIGEST: "its digest is wrong: the passwords differ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the packets of a session travel."""

    address: Address
    local_address: Address
    multihop: bool = False
    minimum_ttl: int = 255


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """A session and its way."""

    way: Way
    session: Session
    counters: Counter[str] = field(default_factory=Counter)
    refused: str = ""
    """Why its last packet that was refused was, in a sentence; cleared by one that is accepted."""


class Endpoint:
    """The table of sessions."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        """Packets by why they were refused; of sessions and of strangers alike."""
        self._lines: dict[int, Line] = {}
        self._near: dict[Address, Line] = {}
        self._far: dict[Address, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        """Iterate over the lines."""
        return iter(self._lines.values())

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def unused_discr(self, number: float) -> int:
        """Return a discriminator that no session here has, chosen by *number* (0..1)."""
        discr = 1 + int(number * (2**32 - 2))
        while discr in self._lines:
            discr = discr % (2**32 - 1) + 1
        return discr

    def add(self, line: Line) -> None:
        """Expect packets for *line*."""
        self._lines[line.session.my_discr] = line
        self._sources(multihop=line.way.multihop)[line.way.address] = line

    def remove(self, line: Line) -> None:
        """Expect none any more."""
        self._lines.pop(line.session.my_discr, None)
        sources = self._sources(multihop=line.way.multihop)
        if sources.get(line.way.address) is line:
            del sources[line.way.address]

    def receive(self, data: bytes, *, source: Address, ttl: int, multihop: bool, at: float) -> bool:
        """Take one datagram; return whether it may have changed anything."""
        line = self._sources(multihop=multihop).get(source)
        if line is not None and ttl >= line.way.minimum_ttl and line.session.repeats(data, at):
            return False
        if not multihop and ttl < ONE_HOP:
            # RFC 5881, section 5: before anything else is looked at.
            self._refuse(Refusal.TTL, line, ttl)
            return False
        packet = decode(data)
        if isinstance(packet, Refusal):
            self._refuse(packet, line, ttl)
            return False
        if packet.your_discr:
            named = self._lines.get(packet.your_discr)
            if named is None or named.way.multihop is not multihop:
                self._refuse(Refusal.UNKNOWN_SESSION, line, ttl)
                return False
            line = named
        if line is None:
            self._refuse(Refusal.UNKNOWN_SESSION, None, ttl)
            return False
        refusal = Refusal.TTL if ttl < line.way.minimum_ttl else None
        refusal = refusal or line.session.receive(packet, data, at)
        if refusal is not None:
            self._refuse(refusal, line, ttl)
        else:
            line.refused = ""
        return refusal is None

    def handle_timer(self, now: float) -> bool:
        """Let every session that is due do what it must; return whether one has events."""
        happened = woken = False
        for line in self._lines.values():
            due = line.session.deadline()
            if due is not None and due <= now:
                woken = True
                line.session.handle_timer(now)
                happened = happened or line.session.has_events
        if woken:
            # A wake-up costs more than a packet: who may send now, does.
            for line in self._lines.values():
                line.session.join(now)
        return happened

    def must_know_all(self, now: float) -> bool:
        """Return whether somebody's silence is about to be judged: read what waits before."""
        for line in self._lines.values():
            silent_at = line.session.silent_at()
            if silent_at is not None and silent_at <= now:
                return True
        return False

    @property
    def is_eager(self) -> bool:
        """Whether a packet that says nothing but Up may move a session."""
        return any(line.session.state is State.INIT for line in self._lines.values())

    def slept(self, now: float) -> None:
        """Note that the driver came late."""
        for line in self._lines.values():
            line.session.slept(now)

    def deadline(self) -> float | None:
        """Return when `handle_timer` wants to be called; None while there is no session."""
        dues = (line.session.deadline() for line in self._lines.values())
        return min((due for due in dues if due is not None), default=None)

    def _sources(self, *, multihop: bool) -> dict[Address, Line]:
        return self._far if multihop else self._near

    def _refuse(self, refusal: Refusal, line: Line | None, ttl: int) -> None:
        self.counters[refusal] += 1
        if line is None or refusal is Refusal.ADMIN_DOWN:
            return
        line.counters[refusal] += 1
        if refusal is Refusal.TTL:
            meaning = f"its TTL is {ttl}, and at least {line.way.minimum_ttl} is accepted"
        else:
            meaning = _MEANING[refusal]
        line.refused = f"a packet from {line.way.address} was refused: {meaning}"
