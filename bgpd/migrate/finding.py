"""What a check says of one object: a verdict, the field, why, and what to do."""

from dataclasses import dataclass
from enum import StrEnum

from bgpd.migrate.found import Document, name_of, namespace_of


class Verdict(StrEnum):
    """How something of MetalLB's fares."""

    PERSON = "needsPerson"
    """Going on without doing something would lose a route, or change what an object means."""
    DIFFERS = "differs"
    """It works, and not quite as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not carry over as it is."""

    verdict: Verdict
    kind: str
    namespace: str = ""
    name: str = ""
    field: str = ""
    what: str
    """Why, in a sentence without its period."""
    todo: str = ""
    """What to do about it; empty where nothing has to be done."""

    @property
    def subject(self) -> str:
        """`BGPPeer metallb-system/tor`."""
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.kind} {place}".rstrip()


def about(
    document: Document, verdict: Verdict, field: str, what: str, todo: str = "", *, kind: str = ""
) -> Finding:
    """Return a finding about *document*."""
    return Finding(
        verdict=verdict,
        kind=kind or str(document.get("kind") or ""),
        namespace=namespace_of(document),
        name=name_of(document),
        field=field,
        what=what,
        todo=todo,
    )
