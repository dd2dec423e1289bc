"""What one gate did, and the chain that gates make: values for text, documents and the fleet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bgpd.ctl.gates import MEANINGS, Gate
from bgpd.model.grounds import AddressGrounds, Grounds
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld


class Step(StrEnum):
    """How far a gate let it go."""

    PASSED = "passed"
    STOPS = "stops here"
    NOT_REACHED = "not reached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One gate, and what it did."""

    gate: str
    step: Step
    sentence: str = ""
    """What it saw; for what was not reached, what it would ask."""
    reason: Reason | None = None
    change: str = ""
    """What would change it, where it stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerChain:
    """The gates towards one peer."""

    peer: str
    session: str
    """Its address and how the session is."""
    links: tuple[Link, ...]
    sent: str = ""
    """The attributes that it hears; empty: nothing."""
    rank: int | None = None
    """With which it hears it."""
    because: str = ""
    """Why with that rank; empty where it is nothing special."""

    @property
    def heard(self) -> bool:
        """Whether the router hears of it."""
        return all(one.step is Step.PASSED for one in self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All gates for one address of one Service on one node."""

    node: str
    service: str
    prefix: str
    links: tuple[Link, ...]
    peers: tuple[PeerChain, ...] = ()
    unknown: str = ""
    """What could not be asked, in a sentence."""
    sharing: tuple[str, ...] = ()
    """Other Services on the same address."""

    @property
    def stop(self) -> Link | None:
        """The first gate that stops it for every peer; None: some peer hears of it."""
        if any(one.heard for one in self.peers):
            return None
        every = (*self.links, *(link for peer in self.peers for link in peer.links))
        return next((one for one in every if one.step is Step.STOPS), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One address of one Service, with all that is known of it on one node."""

    node: str
    service: str
    prefix: Prefix | None
    grounds: Grounds | None = None
    address: AddressGrounds | None = None


def stopping(gate: Gate, stop: Withheld) -> Link:
    """Return *gate* as the one that stops it, by the word of *stop*."""
    return Link(
        gate=gate.name,
        step=Step.STOPS,
        sentence=stop.message,
        reason=stop.reason,
        change=MEANINGS[stop.reason].change,
    )


def unreached(gates: Iterable[Gate]) -> Iterator[Link]:
    """Yield *gates* that nobody came to."""
    for gate in gates:
        yield Link(gate=gate.name, step=Step.NOT_REACHED, sentence=gate.question)
