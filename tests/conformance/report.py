"""What a person reads: each failing case with expected beside got, then the sum."""

import textwrap
from collections.abc import Iterable, Iterator

from tests.conformance.run import Result, Verdict

WIDTH = 80
_KEY = 18
_INDENT = " " * 4


def lines_of(results: Iterable[Result]) -> Iterator[str]:
    """Yield what is to be said of *results*."""
    for result in results:
        if result.verdict is Verdict.FAILED:
            yield from _failed(result)
        elif result.verdict is Verdict.NOT_APPLICABLE:
            yield from _wrapped(f"n/a  {result.case.id}  ", result.reason)


def sum_of(results: Iterable[Result]) -> str:
    """Return the last line."""
    verdicts = [result.verdict for result in results]
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    text = f"{counts[Verdict.PASSED]} passed, {counts[Verdict.FAILED]} failed"
    if counts[Verdict.NOT_APPLICABLE]:
        text += f", {counts[Verdict.NOT_APPLICABLE]} not applicable"
    return text


def _failed(result: Result) -> Iterator[str]:
    case = result.case
    parity = "" if case.parity == "match" else f", {case.parity}"
    yield f"FAIL {case.id}  ({case.area}{parity})"
    for one in result.differences:
        yield from _beside(one.key, one.expected, one.got)
    if result.reason:
        yield from _wrapped(f"{_INDENT}said: " if result.differences else _INDENT, result.reason)


def _beside(key: str, expected: str, got: str) -> Iterator[str]:
    head = f"{_INDENT}{key}"
    column = f"{head:<{_KEY + 4}} "
    if len(head) > _KEY + 4:
        yield head
        column = " " * (_KEY + 5)
    yield from _wrapped(f"{column}expected  ", expected)
    yield from _wrapped(f"{' ' * (_KEY + 5)}got       ", got)


def _wrapped(head: str, text: str) -> Iterator[str]:
    printable = "".join(one if one.isprintable() else " " for one in text)
    yield from textwrap.wrap(
        printable or "nothing",
        width=WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    ) or [head]
