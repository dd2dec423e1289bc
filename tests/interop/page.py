"""Write docs/interop.md: `python -m tests.interop.page` lets all four routers run, as root.

What is rendered is pure; a test compares the page with what it measured itself.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.interop.bench import Result, run
from tests.interop.cases import CASES, LIMIT, UNABLE, Case, Make
from tests.interop.routers import missing

PAGE: Final = Path(__file__).parents[2] / "docs" / "interop.md"

AWAY: Final = "0.4 s (BIRD), 0.9 s (FRR), 0.9 s (GoBGP), 2.1 s (OpenBGPD)"
"""Measured by hand, since it takes ten minutes, on a virtual machine with two busy cores."""
_HEAD: Final = """# Interoperability

Written by `python -m tests.interop.page`; `tests/interop` asserts every cell, with the shipped
`bgpd speaker` and real routers in network namespaces. All rows of a column run at the same time,
on one speaker and one router: {count} sessions, each with addresses of its own. Unless a row says
otherwise the session is eBGP over IPv4, the router connects as well as listens, and three routes
are announced, arrive with our next hop, and one of them is withdrawn.

`yes`: it does what the row says. `n/a`: the router's build cannot do its part, for the reason in
the note.
"""
_TOLD: Final = """
## What a person is told

What `bgpctl status` shows beside a session (`last_error` in its JSON), for each row in which a
router ends or refuses one; where it takes a session that cannot carry all routes, why those are
withheld. A reason that the router gave stays while the router later says
nothing: what has kept the session from returning follows it, after "since then".
"""
_LIMITS: Final = f"""
## What the rows mean in practice

* **bgpd connects, and does not listen.** A node may run another BGP speaker on port 179. A router
  that connects as well is refused by the node's kernel and loses nothing: the session that bgpd
  opens is taken by every router here, passive or not. A router that only connects and never
  listens cannot be used.
* **TCP MD5 and TTL security fail in silence.** A kernel drops what has the wrong signature or too
  low a TTL before BGP sees it, so a wrong password looks like a router that is down. `bgpctl
  doctor` tells the two apart as far as that is possible.
* **Prefix limits.** With `maxPrefixes` bgpd keeps itself below the router's limit: the withdrawal
  of what goes is written before the announcement of what comes, so a router at its limit ({LIMIT}
  here) never counts both. Without it, the router ends the session, and some routers (BIRD with
  `action disable`, FRR without `restart`) keep it down until their operator clears it.
* **A family that the router lacks** costs only the routes of that family; they are withheld with
  the reason `FamilyNotNegotiated`, also where a router takes a session without any in common.
* **A router that was away** is greeted at least every second and a half, for as long as it takes.
  `python -m tests.interop.silence` lets one of two routers lose power for ten minutes: from the
  moment at which it takes connections again, the session took {AWAY}
  to be back. The session with the other router, its connection and its routes stayed as they
  were.
* IPv4 routes over an IPv6 session need RFC 8950 at the router: `extended next hop on` (BIRD),
  `capability extended-nexthop` (FRR), the IPv4 family at the IPv6 neighbor (GoBGP).
"""


def table(results: Mapping[Make, Result]) -> str:
    """Return the table of cells, and the notes below it."""
    notes: dict[str, int] = {}
    makes = list(Make)
    titles = [f"{make} {results[make].version}" for make in makes]
    lines = ["| | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(makes)]
    for case in CASES:
        cells = [_cell(make, case, results[make], notes) for make in makes]
        lines.append(f"| {case.title} | " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"{number}. {why[0].upper()}{why[1:]}." for why, number in notes.items()]
    return "\n".join(lines) + "\n"


def sentences(results: Mapping[Make, Result]) -> str:
    """Return what a person is told, row by row."""
    lines = ["| row | router | sentence |", "| --- | --- | --- |"]
    for case in CASES:
        if not case.refused and not case.unheard:
            continue
        told: dict[str, list[str]] = {}
        for make in Make:
            if (make, case.number) not in UNABLE:
                sentence = cause(results[make].cases[case.number].error)
                told.setdefault(sentence, []).append(make)
        for sentence, makes in told.items():
            lines.append(f"| {case.title} | {', '.join(makes)} | {sentence} |")
    return "\n".join(lines) + "\n"


def page(results: Mapping[Make, Result]) -> str:
    """Return docs/interop.md."""
    head = _HEAD.format(count=len(CASES))
    return f"{head}\n{table(results)}{_LIMITS}{_TOLD}\n{sentences(results)}"


def cause(error: str) -> str:
    """Return the part of *error* that does not depend on when one looks."""
    return error.partition("; since then ")[0].replace("|", "\\|")


def measure() -> Iterator[tuple[Make, Result]]:
    """Yield each router's result."""
    for make in Make:
        with tempfile.TemporaryDirectory() as directory:
            yield make, run(make, Path(directory))


def main() -> int:
    """Write the page; say which cells do not hold."""
    lost = [sentence for sentence in map(missing, Make) if sentence]
    if lost:
        print("; ".join(lost), file=sys.stderr)
        return 75
    results = dict(measure())
    PAGE.write_text(page(results))
    wrong = [
        f"{make}: {case.title}: {results[make].cases[case.number]}"
        for make in Make
        for case in CASES
        if (make, case.number) not in UNABLE and not results[make].cases[case.number].holds(case)
    ]
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


def _cell(make: Make, case: Case, result: Result, notes: dict[str, int]) -> str:
    why = UNABLE.get((make, case.number))
    if why is not None:
        return f"n/a ({notes.setdefault(why, len(notes) + 1)})"
    return "yes" if result.cases[case.number].holds(case) else "**no**"


if __name__ == "__main__":
    sys.exit(main())
