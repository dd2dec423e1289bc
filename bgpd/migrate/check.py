"""Everything that a person should know before MetalLB goes, in one list."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bgpd.migrate.configuration import COPIED, configuration
from bgpd.migrate.copy import copies
from bgpd.migrate.finding import Finding, Verdict, about
from bgpd.migrate.found import Document, Found, ingress_of, name_of, place_of
from bgpd.migrate.installation import installation, served
from bgpd.migrate.values import values


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What whoever reads our objects says of one."""

    path: str
    what: str
    refused: bool


Judge: TypeAlias = Callable[[Document], Iterable[Objection]]
"""Reads a copy as an agent would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The answer."""

    findings: tuple[Finding, ...]
    carries: Mapping[str, int]
    """How many objects of each kind carry over as they are, or nearly."""

    @property
    def ready(self) -> bool:
        """Whether nothing needs a person."""
        return all(one.verdict is not Verdict.PERSON for one in self.findings)


def check(found: Found, judge: Judge) -> Check:
    """Return what *found* means for a migration."""
    findings = [*configuration(found), *installation(found), *values(found)]
    told = {(one.subject, one.field) for one in findings}
    findings += [one for one in _judged(found, judge) if (one.subject, one.field) not in told]
    findings.sort(key=lambda one: (one.verdict is not Verdict.PERSON, one.kind, one.subject))
    return Check(findings=tuple(dict.fromkeys(findings)), carries=_carries(found, findings))


def _judged(found: Found, judge: Judge) -> Iterator[Finding]:
    """Yield what an agent would say of each copy, said of the original."""
    originals = {(kind, name_of(one)): one for kind in COPIED for one in found.metallb(kind)}
    for copy in copies(found, "bgpd-system", hold=False).documents:
        original = originals[str(copy["kind"]), name_of(copy)]
        for one in judge(copy):
            if one.refused:
                todo = "correct it in MetalLB's object; its copy is refused"
                yield about(original, Verdict.PERSON, one.path, one.what, todo)
            else:
                yield about(original, Verdict.DIFFERS, one.path, one.what)


def _carries(found: Found, findings: list[Finding]) -> dict[str, int]:
    bad = {(one.kind, one.namespace, one.name) for one in findings if one.verdict is Verdict.PERSON}
    counted: Counter[str] = Counter()
    for kind in COPIED:
        for one in found.metallb(kind):
            counted[kind] += (kind, *place_of(one)) not in bad
    for one in served(found):
        counted["Service"] += ("Service", *place_of(one)) not in bad
        counted["address"] += len(ingress_of(one))
    return {kind: number for kind, number in counted.items() if number}
