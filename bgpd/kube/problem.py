"""What is wrong with a document, in a sentence that names it and what is legal."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import msgspec

from bgpd.model.status import Condition

_LINE = 1000
_LONGEST = 80
_WIDEST = 20
_DEEPEST = 4
_SECRET = (
    "spec.password",
    "spec.providerURL",
    "data.password",
    "stringData.password",
    "spec.httpGet.headers",
)
"""Fields that may hold a key or a token; so may what stands below them."""


class Standing(StrEnum):
    """What a problem means for its document; the value is the type of its condition."""

    REFUSED = "DocumentRefused"
    """The document does not hold; its last good version does."""
    IGNORED = "FieldIgnored"
    """The document holds, but a field has no effect, and needs none."""
    UNSUPPORTED = "NotSupported"
    """The document holds, but asks for something that bgpd does not do."""
    SHADOWED = "ObjectShadowed"
    """Another document of the same kind and name holds in its place."""


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
    standing: Standing = Standing.REFUSED

    @property
    def refused(self) -> bool:
        """Whether the document was refused."""
        return self.standing is Standing.REFUSED


def sentence(*, source: str, kind: str, name: str, path: str, what: str) -> str:
    """Return the sentence of a problem: where, then what; one line whatever the document holds."""
    subject = " ".join(part for part in (kind, name) if part)
    where = f"{source} ({subject})" if subject else source
    whole = f"{where}: {path}: {what}" if path else f"{where}: {what}"
    return "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in whole[:_LINE]
    )


def shadowed_by(other: str) -> str:
    """Return what is said of an object of MetalLB's while *other* holds one of ours."""
    return f"the object of bgpd.io with the same name, in {other}, holds in its place"


def conditions_of(problems: Iterable[Problem]) -> tuple[Condition, ...]:
    """Return *problems* as conditions."""
    return tuple(
        Condition(
            type=one.standing.value,
            status=True,
            reason=one.kind or "Unreadable",
            message=one.message,
        )
        for one in problems
    )


def shown(value: object, path: str) -> str:
    """Return *value* as short JSON for a sentence, without giving away a password."""
    if path.partition("[")[0] in _SECRET:
        return "(hidden)"
    text = msgspec.json.encode(_short(value, depth=_DEEPEST)).decode(errors="replace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _short(value: object, *, depth: int) -> object:
    """Return the beginning of *value*; aliases can make the whole of it endless."""
    match value:
        case dict() if depth:
            items = islice(value.items(), _WIDEST)
            return {str(key)[:_LONGEST]: _short(one, depth=depth - 1) for key, one in items}
        case list() if depth:
            return [_short(one, depth=depth - 1) for one in value[:_WIDEST]]
        case str():
            return value[: _LONGEST + 1].encode(errors="replace").decode()
        case int() if value.bit_length() >= 64:
            return "a number of unusual size"
        case None | bool() | int() | float():
            return value
        case _:
            return "…"
