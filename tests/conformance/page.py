"""The part of docs/conformance.md that the runner's own tables say.

`python -m tests.conformance.page` writes it; a test compares.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.conformance.case import READINGS
from tests.conformance.choice import AS_UPSTREAM, CHOICES
from tests.conformance.cluster import REASONS
from tests.conformance.foreign import FOREIGN
from tests.conformance.reconciling import CONDITIONS, GAUGES, STATUS_REASONS
from tests.conformance.run import MOST_FOREIGN
from tests.conformance.speaker import EVENTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"
MARK: Final = "<!-- From here on written by python -m tests.conformance.page; do not edit. -->\n"


def generated() -> str:
    """Return everything below the mark."""
    return "\n".join(_lines()) + "\n"


def with_tables(page: str) -> str:
    """Return *page* with its tables as they are now."""
    return page.partition(MARK)[0] + MARK + generated()


def _lines() -> Iterator[str]:
    yield "\n## What MetalLB leaves open, and what bgpd does\n"
    yield (
        "A case with `parity: choose` expects this; a topic that is not here is done as upstream.\n"
    )
    same = ((topic, "as upstream", words) for topic, words in AS_UPSTREAM)
    ours = ((one.topic, f"a case where {one.sign}", one.words) for one in CHOICES)
    yield from _table(("topic", "how it is found", "what bgpd does"), (*ours, *same))
    yield "\n## How `want` is read\n"
    yield "A case with `parity: diverge` expects `want` above `expect`.\n"
    yield from _table(("key", "what must be true"), ((f"`{k}`", v) for k, v in READINGS.items()))
    yield "\n## Whose words\n"
    yield "Cases speak in upstream's words; these are bgpd's.\n"
    yield from _table(("where", "upstream", "bgpd"), _names())
    yield "\n## What is not run\n"
    yield (
        f"Cases about a back end that bgpd does not have; more than {MOST_FOREIGN} of them are "
        "failures.\n"
    )
    yield from _table(("how a case says so", "why"), ((one.sign, one.why) for one in FOREIGN))


def _names() -> Iterator[tuple[str, str, str]]:
    for where, words in (
        ("reason", REASONS),
        ("Event of a node", EVENTS),
        ("condition", CONDITIONS),
        ("its reason", STATUS_REASONS),
        ("gauge", GAUGES),
    ):
        for upstream, ours in words.items():
            text = ours if " " in ours else f"`{ours}`"
            yield where, f"`{upstream}`", text
    yield "annotation", "`metallb.io/ip-allocated-from-pool`", "`bgpd.io/ip-allocated-from-pool`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_tables(PAGE.read_text()))


if __name__ == "__main__":
    main()
