"""What came of asking once: a verdict with a sentence for people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MOST_QUOTED: Final = 48


class Fault(StrEnum):
    """Why a probe did not succeed: the label under which it is counted."""

    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    OVERDUE = "Overdue"
    """No answer, or not all of it, within the timeout."""
    CLOSED = "Closed"
    """The other side ended or reset the connection before its answer was complete."""
    MALFORMED = "Malformed"
    """The answer is not what the protocol allows."""
    UNEXPECTED = "Unexpected"
    """A well-formed answer that is not the one expected."""
    TLS = "TLS"
    NOT_ASKED = "NotAsked"
    """We could not ask: this says nothing about the thing that was to be asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer: *success* is None where we could not ask."""

    success: bool | None
    message: str
    fault: Fault | None = None


def healthy(message: str) -> Outcome:
    """Return that all is as expected."""
    return Outcome(True, message)


def failed(fault: Fault, message: str) -> Outcome:
    """Return that the thing that was asked does not work."""
    return Outcome(False, message, fault)


def not_asked(message: str) -> Outcome:
    """Return that we could not ask, which is nobody's failure but ours."""
    return Outcome(None, message, Fault.NOT_ASKED)


def quoted(data: bytes | bytearray | str) -> str:
    """Return the beginning of *data* for a sentence: printable, short, in quotes."""
    text = data[:_MOST_QUOTED]
    if not isinstance(text, str):
        text = text.decode("utf-8", "replace")
    shown = "".join(char if char.isprintable() else "\N{MIDDLE DOT}" for char in text)
    return f'"{shown}…"' if len(data) > _MOST_QUOTED else f'"{shown}"'
