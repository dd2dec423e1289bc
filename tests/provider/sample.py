"""One sample: a document of a provider, what it means, and what each field of it does.

A field without a rule is not read: whatever stands there, the peers are the same.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from bgpd.model.prefix import Prefix
from bgpd.model.provider import Accepted, ProviderKind, ProviderPeer
from bgpd.provider.adapter import Asker

SAMPLES_AT: Final = Path(__file__).parent / "samples"
SAME: Final = "same"
"""The peers are those of the whole document."""
REFUSED: Final = "refused"
"""One sentence that names the place, or one that it is in."""
FEWER: Final = "fewer"
"""Some of the peers of the whole document, as they are there."""
OTHER: Final = "other"
"""The same routers, with other facts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a document in which *place* is spoiled; `[*]` stands for any index."""

    place: str
    missing: str
    null: str
    wrong: str = REFUSED

    def matches(self, path: str) -> bool:
        """Return whether *path* is meant."""
        pattern = re.escape(self.place).replace(r"\[\*\]", r"\[\d+\]")
        return re.fullmatch(pattern, path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One document, and what it means."""

    name: str
    kind: ProviderKind
    peers: tuple[ProviderPeer, ...] = ()
    error: str = ""
    """The sentence, where the document is of no use."""
    rules: tuple[Rule, ...] = ()
    asker: Asker = field(default_factory=Asker)

    @property
    def document(self) -> object:
        """The document itself."""
        return _read(self.name)["document"]


@cache
def _read(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((SAMPLES_AT / f"{name}.json").read_text())
    return found


def accepting(*prefixes: str) -> tuple[Accepted, ...]:
    """Return the prefixes that a router takes, and what is longer."""
    return tuple(Accepted(prefix=Prefix(one)) for one in prefixes)
