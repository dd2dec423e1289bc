"""What the reflex wants done: values that the driver carries out, in order."""

from dataclasses import dataclass
from typing import TypeAlias

from bgpd.exabgp.command import Command
from bgpd.ipc.message import AnyMessage
from bgpd.speaker.request import DrainRequest


@dataclass(frozen=True, slots=True)
class Send:
    """Send *command* to ExaBGP."""

    command: Command


@dataclass(frozen=True, slots=True)
class WriteConfiguration:
    """Replace ExaBGP's configuration file by *text* and say when that is done."""

    text: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Send *message* to the agent, if one is connected."""

    message: AnyMessage


@dataclass(frozen=True, slots=True)
class SaveDesired:
    """Write the desired state to disk, for a start without an agent."""


@dataclass(frozen=True, slots=True)
class SaveMesh:
    """Write generation and members to disk."""


@dataclass(frozen=True, slots=True)
class SaveDrain:
    """Write what a person wants to disk; None: nothing any more."""

    request: DrainRequest | None


@dataclass(frozen=True, slots=True)
class SaveBFD:
    """Write what a process after us needs to go on with BFD."""


@dataclass(frozen=True, slots=True)
class SaveProbed:
    """Write to disk which levers move which peers."""


@dataclass(frozen=True, slots=True)
class SaveTimeline:
    """Write the record of failovers to disk."""


@dataclass(frozen=True, slots=True)
class DropAgent:
    """Close the agent's connection: it connects again and sends everything."""

    reason: str


@dataclass(frozen=True, slots=True)
class KillExabgp:
    """ExaBGP hangs: end it, so that the kernel closes its sessions and it is restarted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave: there is nothing left to do."""


@dataclass(frozen=True, slots=True)
class Note:
    """Tell the log: an event name in snake case and its keys."""

    level: str
    event: str
    keys: tuple[tuple[str, object], ...] = ()


Save: TypeAlias = SaveDesired | SaveMesh | SaveDrain | SaveBFD | SaveProbed | SaveTimeline

Effect: TypeAlias = Send | WriteConfiguration | Tell | Save | DropAgent | KillExabgp | Quit | Note
