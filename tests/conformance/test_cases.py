"""Our own cases hold, and the runner cannot be talked into passing what is not so."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conformance import page
from tests.conformance.__main__ import main
from tests.conformance.case import Case, UnreadableError, cases_in, effective
from tests.conformance.choice import choice_of
from tests.conformance.foreign import foreign
from tests.conformance.report import WIDTH, lines_of, sum_of
from tests.conformance.run import SLOW, Verdict, run, run_one
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[2]
OWN: Final = Path(__file__).parent / "cases.yaml"
CASES: Final = cases_in(OWN)
_FAST: Final = [one for one in CASES if one.area != SLOW and not foreign(one)]

ONE: Final = """
cases:
- id: one
  area: allocator
  given: {pools: {p: {addresses: [198.18.1.0/30]}}}
  action: {op: assign, svc: a, ips: [198.18.1.1]}
  expect: {result: ok, assigned: {a: [198.18.1.1]}}
"""


def written(directory: Path, text: str) -> Path:
    """Return a file of cases."""
    path = directory / "cases.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", _FAST, ids=lambda case: case.id)
def test_a_case_of_our_own_holds(case: Case) -> None:
    """What the file says of bgpd is so."""
    result = run_one(case)
    assert result.verdict is Verdict.PASSED, "\n".join(lines_of([result]))


def test_the_shipped_exabgp_does_on_the_wire_what_our_cases_say() -> None:
    """Sessions, timers and UPDATEs, octet by octet; the cases wait side by side."""
    results = list(run(one for one in CASES if one.area == SLOW and not apart(one)))
    failed = [one for one in results if one.verdict is not Verdict.PASSED]
    assert len(results) >= 6
    assert failed == [], "\n".join(lines_of(failed))


def apart(case: Case) -> bool:
    """Return whether *case* needs a network of its own."""
    return case.action.get("op") == "connect"


@pytest.mark.parametrize("case", [one for one in CASES if apart(one)], ids=lambda case: case.id)
def test_a_session_from_an_address_that_the_host_lacks(case: Case) -> None:
    """It comes up by itself once the host has the address; that takes a network namespace."""
    command = ("unshare", "--user", "--map-root-user", "--net", "ip", "link")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        missing = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError as error:
        missing = str(error)
    if missing:
        lacking(f"no network namespace ({missing})", unproven="sessions from foreign addresses")
    result = run_one(case)
    assert result.verdict is Verdict.PASSED, "\n".join(lines_of([result]))


def test_every_area_has_cases_of_our_own() -> None:
    """Whoever has no other file still sees every part of bgpd asked."""
    assert len(CASES) >= 60
    text = page.PAGE.read_text()
    areas = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))))
    assert {one.area for one in CASES} <= areas


def opposites(value: Any) -> Iterator[Any]:
    """Yield what says something else than *value*, one difference at a time."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case "ok" | "error":
            yield "ok" if value == "error" else "error"
        case None:
            yield "something"
        case str() if re.search(r"\d$", value):
            yield value[:-1] + str((int(value[-1]) + 1) % 10)
        case [*items]:
            yield [*items, "198.18.99.99"]
            yield from ([*items[:at], *items[at + 1 :]] for at in range(len(items)))
            for at, one in enumerate(items):
                yield from ([*items[:at], other, *items[at + 1 :]] for other in opposites(one))
        case dict():
            for key, one in value.items():
                yield from ({**value, key: other} for other in opposites(one))
        case _:
            pass


@pytest.mark.parametrize(
    "case", [one for one in _FAST if one.parity != "choose"], ids=lambda case: case.id
)
def test_a_wrong_expectation_fails(case: Case) -> None:
    """Whatever a case expects, anything else in its place is not taken for it."""
    passed = [
        (key, other)
        for key, value in case.expect.items()
        for other in opposites(value)
        if run_one(replace(case, expect={key: other})).verdict is Verdict.PASSED
    ]
    assert passed == []


def test_expected_stands_beside_got(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who made the case and who made the code both see what the other meant."""
    text = ONE.replace("{a: [198.18.1.1]}", "{a: [198.18.1.2]}")
    assert main([str(written(tmp_path, text))]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAIL one  (allocator)",
        "    assigned           expected  {a: [198.18.1.2]}",
        "                       got       {a: [198.18.1.1]}",
        "0 passed, 1 failed",
    ]


def test_what_passes_is_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case that passes needs no words."""
    assert main([str(written(tmp_path, ONE))]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("area: allocator", "area: weather", "no area 'weather'", id="an area"),
        pytest.param("op: assign", "op: conjure", "no op 'conjure'", id="an op"),
        pytest.param("result: ok", "moon: full", "no expectation 'moon'", id="an expectation"),
        pytest.param("given: {", "given: {moon: full, ", "nobody reads given.moon", id="a given"),
        pytest.param("svc: a", "svc: a, moon: 1", "nobody reads", id="a part of an action"),
        pytest.param("result: ok", "result: perhaps", "'perhaps' is none of", id="a result"),
        pytest.param("198.18.1.0/30", "198.18.1.0/33", "is refused", id="a world that cannot be"),
        pytest.param("p: {", "p: {moon: full, ", "bgpd does not know", id="a field of a document"),
        pytest.param(
            "{result: ok, assigned: {a: [198.18.1.1]}}", "{note: fine}", "expects nothing",
            id="no expectation at all",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_a_failure(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    """Nothing is skipped: what the runner does not know, it does not know to be right."""
    (result,) = run(cases_in(written(tmp_path, ONE.replace(old, new))))
    assert result.verdict is Verdict.FAILED
    assert words in result.reason


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("cases: 7", id="cases that are no list"),
        pytest.param("[", id="no YAML"),
        pytest.param("", id="nothing"),
        pytest.param("cases: [{id: a}]", id="a case without area, action and expectation"),
        pytest.param(ONE + "  colour: red\n", id="a field that no case has"),
        pytest.param(ONE + ONE.partition("cases:\n")[2], id="two cases of one name"),
        pytest.param(ONE + "  parity: perhaps\n", id="a parity that there is not"),
        pytest.param(ONE + "meta: {defaults: 7}\n", id="defaults that are no map"),
        pytest.param(ONE + "meta: {defaults: {pool: 7}}\n", id="a default that is no map"),
    ],
)
def test_a_file_of_another_form_is_no_file_of_cases(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with status 2 and a sentence that names the file."""
    path = written(tmp_path, text)
    with pytest.raises(UnreadableError, match=re.escape(str(path))):
        cases_in(path)
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It ends with status 2, too."""
    assert main([str(tmp_path / "none.yaml")]) == 2


def test_want_stands_above_expect() -> None:
    """Another result takes everything else with it; any other key stands beside the rest."""
    upstream = {"result": "ok", "sessions": 2, "note": "for people"}
    assert effective(upstream, {"result": "error"}, "diverge") == {"result": "error"}
    assert effective(upstream, {"sessions": 1}, "diverge") == {"result": "ok", "sessions": 1}
    assert effective(upstream, {"sessions": 1}, "match") == {"result": "ok", "sessions": 2}
    strict = {"strict_mode": "reject"}
    assert effective(upstream, strict, "diverge") == {"sessions": 2, **strict}


def test_cases_about_other_back_ends_are_told_and_bounded() -> None:
    """Ten are named with the reason; more of them are failures, so that nothing hides there."""
    (one,) = (case for case in CASES if foreign(case))
    results = list(run(replace(one, id=f"{number}") for number in range(11)))
    verdicts = [result.verdict for result in results]
    assert verdicts == [Verdict.NOT_APPLICABLE] * 10 + [Verdict.FAILED]
    assert sum_of(results) == "0 passed, 1 failed, 10 not applicable"
    assert len(list(lines_of(results))) > 10


def test_lines_are_no_longer_than_a_terminal_is_wide(tmp_path: Path) -> None:
    """What does not fit goes on below itself."""
    text = ONE.replace("{a: [198.18.1.1]}", f"{{a: [{', '.join(['198.18.1.1'] * 20)}]}}")
    lines = list(lines_of(run(cases_in(written(tmp_path, text)))))
    assert len(lines) > 4
    assert max(map(len, lines)) <= WIDTH


def test_our_choices_are_used() -> None:
    """A choice that no case of ours is about could be anything."""
    choosing = [one for one in CASES if one.parity == "choose"]
    assert any(choice_of(one) for one in choosing)
    assert any(choice_of(one) is None for one in choosing)


def test_the_page_has_the_tables_as_they_are() -> None:
    """Write it anew with `python -m tests.conformance.page` when this fails."""
    assert page.PAGE.read_text() == page.with_tables(page.PAGE.read_text())
