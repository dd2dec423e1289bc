"""A difference for people and for programs: what differs first, in 80 columns."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from bgpd.ctl.columns import counted, wrapped
from bgpd.ctl.diffrows import Difference, Row, Verdict
from bgpd.ctl.document import API_VERSION

_SHOWN: Final = 5
"""Prefixes named of those with which it is the same."""


def difference_text(found: Difference, *, every: bool) -> str:
    """Return *found*; *every* also shows what is the same."""
    lines = [wrapped(_headline(found), indent="  ")]
    shown = [one for one in found.rows if every or one.verdict is not Verdict.SAME]
    for _, alike in groupby(sorted(shown, key=_likeness), key=_likeness):
        lines += _rows(list(alike))
    lines += [wrapped(f"not compared: {one}", indent="  ") for one in found.unknown]
    return "".join(f"{line}\n" for line in lines)


def difference_document(found: Difference) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "apiVersion": API_VERSION,
        "kind": "RouteDifference",
        "node": found.node,
        "differs": found.differs,
        "routes": [
            {
                "peer": one.peer,
                "prefix": one.prefix,
                "verdict": one.verdict.value,
                "wanted": one.wanted,
                "sent": one.sent,
                "received": one.received,
                "sentences": list(one.sentences),
            }
            for one in found.rows
        ],
        "notCompared": list(found.unknown),
    }


def _headline(found: Difference) -> str:
    counts = dict.fromkeys(Verdict, 0)
    for one in found.rows:
        counts[one.verdict] += 1
    parts = [f"{counted(counts[Verdict.SAME], 'route')} the same"]
    if counts[Verdict.WITHHELD]:
        parts.append(f"{counts[Verdict.WITHHELD]} rightly withheld")
    if counts[Verdict.DIFFERS]:
        verb = "differs" if counts[Verdict.DIFFERS] == 1 else "differ"
        parts.append(f"{counts[Verdict.DIFFERS]} {verb}")
    return f"{found.node}: {', '.join(parts)}"


def _likeness(row: Row) -> tuple[str, str, tuple[str, ...], str, str]:
    """Return what rows have in common that are shown as one."""
    said = tuple(one.replace(row.prefix, "…") for one in row.sentences)
    return row.verdict.value, row.peer, said, row.sent, row.received


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    row = rows[0]
    mark = {Verdict.SAME: " ", Verdict.WITHHELD: "·", Verdict.DIFFERS: "✗"}[row.verdict]
    names = ", ".join(one.prefix for one in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    yield wrapped(f"{mark} {names}{more} to {row.peer}", indent="  ")
    for sentence in row.sentences:
        yield wrapped(f"    {sentence}", indent="    ")
    if row.sent:
        yield wrapped(f"    sent: {row.sent}", indent="      ")
    if row.received:
        yield wrapped(f"    router: {row.received}", indent="      ")
