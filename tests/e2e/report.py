"""What a run found: each figure with its promise, for people and as JSON. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_PAGE: Final = """\
# Measurements with helm

Written by `scripts/e2e install --helm both --page`: what a user does with bgpd on a cluster of
three real kubelets beside BIRD ([how](cluster.md#from-helm-install-to-helm-uninstall)). The client
sends 24 UDP flows of 250 packets a second; a packet is lost if no answer to it arrives. What begins
with dots belongs to the row above.
"""

_Step = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure; *limit* is the most that is promised, where something is."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    story: str = ""
    """Which of several it belongs to; empty: to all of them."""

    @property
    def held(self) -> bool:
        """Tell whether the promise held."""
        return self.limit is None or self.value <= self.limit


def bursts(times: Iterable[float], apart: float = 0.5) -> str:
    """Return when something happened, as from-to and how often, with pauses of *apart* between."""
    found: list[list[float]] = []
    for at in sorted(times):
        if found and at - found[-1][-1] < apart:
            found[-1].append(at)
        else:
            found.append([at])
    return ", ".join(f"{one[0]:.2f}-{one[-1]:.2f} ({len(one)})" for one in found)


def table(findings: Iterable[Finding]) -> str:
    """Return a line for each finding."""
    return "\n".join(_line(finding) for finding in findings)


def page(findings: Sequence[Finding], circumstances: str) -> str:
    """Return the page with a column for each story; the last one has every step."""
    names = dict.fromkeys(one.story for one in findings if one.story)
    stories = {n: _steps(one for one in findings if one.story in {"", n}) for n in names}
    head = ["what", *stories, "at most"]
    rows = [_row([told.get(step) for told in stories.values()]) for step in [*stories.values()][-1]]
    lines = [f"| {' | '.join(one)} |" for one in (head, ["---"] * len(head), *rows)]
    return "\n".join([_PAGE, circumstances, "", *lines]) + "\n"


def _steps(findings: Iterable[Finding]) -> dict[_Step, Finding]:
    """Return *findings* by what they say, below what, and how often that was said before."""
    found: dict[_Step, Finding] = {}
    above = ""
    for one in findings:
        above = above if one.what.startswith(" ") else one.what
        again = sum(step[:2] == (above, one.what) for step in found)
        found[above, one.what, again] = one
    return found


def _row(step: Sequence[Finding | None]) -> list[str]:
    """Return the cells of one step in each story."""
    told = [one for one in step if one is not None]
    first = told[0]
    what = f"... {first.what.strip()}" if first.what.startswith(" ") else first.what
    limit = "-" if first.limit is None else f"{first.limit:g} {first.unit}".rstrip()
    if not all(one.held for one in told):
        limit += " (missed)"
    cells = ["-" if one is None else f"{one.value:g} {one.unit}".rstrip() for one in step]
    return [what, *cells, limit]


def _line(finding: Finding) -> str:
    value = f"{finding.value:g} {finding.unit}"
    if finding.limit is None:
        return f"{finding.what:<58}{value:>12}"
    verdict = "held" if finding.held else "NOT HELD"
    return f"{finding.what:<58}{value:>12}   {verdict} (at most {finding.limit:g})"
