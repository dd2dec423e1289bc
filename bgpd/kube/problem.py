"""What is wrong with a document, in a sentence that names it and what is legal."""

from dataclasses import dataclass

import msgspec

_LONGEST = 80
_SECRET = frozenset({"spec.password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that a person should correct."""

    source: str
    """`peers.yaml document 2`."""
    kind: str = ""
    """Empty where the document could not be read that far; so is *name*."""
    name: str = ""
    path: str = ""
    value: str = ""
    """The offending value as JSON; cut when it is long, hidden when it is secret."""
    legal: str = ""
    message: str
    """The whole sentence."""
    refused: bool = True
    """Whether the document was refused; else it holds, but a field has no effect."""


def sentence(*, source: str, kind: str, name: str, path: str, what: str) -> str:
    """Return the sentence of a problem: where, then what."""
    subject = " ".join(part for part in (kind, name) if part)
    where = f"{source} ({subject})" if subject else source
    return f"{where}: {path}: {what}" if path else f"{where}: {what}"


def shown(value: object, path: str) -> str:
    """Return *value* as short JSON for a sentence, without giving away a password."""
    if path in _SECRET:
        return "(hidden)"
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        text = str(type(value).__name__)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
