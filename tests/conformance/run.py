"""Run cases and compare: what was expected beside what is there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from traceback import format_exception_only
from typing import Any, Final

from tests.conformance.case import Case
from tests.conformance.choice import chosen
from tests.conformance.foreign import foreign
from tests.conformance.room import InexpressibleError, Room
from tests.conformance.rooms import room_of


class Verdict(Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as expected; both sides in words."""

    key: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one case."""

    case: Case
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    """Why it was not run or could not be expressed, or what the code said."""


MOST_FOREIGN: Final = 10
"""More cases than this about back ends that are not ours are failures: none hides among them."""


SLOW: Final = "native_bgp"
"""The area whose cases wait for real timers; a few of them wait side by side."""
_SIDE_BY_SIDE: Final = 4


def run(cases: Iterable[Case]) -> Iterator[Result]:
    """Yield the result of each case, in order."""
    cases = list(cases)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        ahead = {
            place: pool.submit(run_one, case)
            for place, case in enumerate(cases)
            if case.area == SLOW and not foreign(case)
        }
        try:
            yield from _run(cases, ahead)
        finally:
            # Whoever is interrupted waits for what has begun, and for nothing else.
            pool.shutdown(cancel_futures=True)


def _run(cases: Sequence[Case], ahead: Mapping[int, Future[Result]]) -> Iterator[Result]:
    foreigners = 0
    for place, case in enumerate(cases):
        why = foreign(case)
        if not why:
            yield ahead[place].result() if place in ahead else run_one(case)
            continue
        foreigners += 1
        if foreigners > MOST_FOREIGN:
            why = f"more than {MOST_FOREIGN} cases are about other back ends: {why}"
            yield Result(case=case, verdict=Verdict.FAILED, reason=why)
        else:
            yield Result(case=case, verdict=Verdict.NOT_APPLICABLE, reason=why)


def run_one(case: Case) -> Result:
    """Return what comes of *case*."""
    if case.parity == "choose":
        case = replace(case, expect=chosen(case))
    if not case.expect:
        return _failed(case, "cannot be expressed: it expects nothing")
    room: Room | None = None
    try:
        room = room_of(case)
        return _judge(case, room)
    except InexpressibleError as error:
        return _failed(case, f"cannot be expressed: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a case breaks is that case's failure
        return _failed(case, "".join(format_exception_only(error)).strip())
    finally:
        if room is not None:
            room.end()


def _judge(case: Case, room: Room) -> Result:
    room.begin()
    room.act()
    differences = []
    for key, expected in case.expect.items():
        got = room.look(key, expected)
        if not same(expected, got):
            differences.append(Difference(key=key, expected=words(expected), got=words(got)))
    if differences:
        reason = "; ".join(dict.fromkeys(room.said))
        return Result(
            case=case, verdict=Verdict.FAILED, differences=tuple(differences), reason=reason
        )
    return Result(case=case, verdict=Verdict.PASSED)


def _failed(case: Case, reason: str) -> Result:
    return Result(case=case, verdict=Verdict.FAILED, reason=reason)


def same(expected: Any, got: Any) -> bool:
    """Return whether both say the same; `true` is not `1` here, and tuples are lists."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        pairs = zip(expected, got, strict=False)
        return len(expected) == len(got) and all(same(one, other) for one, other in pairs)
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return expected.keys() == got.keys() and all(same(expected[k], got[k]) for k in expected)
    return bool(expected == got)


def words(value: Any) -> str:
    """Return *value* as a person would write it in a case."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {words(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(words(one) for one in value) + "]"
        case _:
            return str(value)
