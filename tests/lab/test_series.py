"""The plan of the measurements: which rows there are, and how it goes on after an interruption."""

import json
from pathlib import Path

import pytest

from tests.lab import measure
from tests.lab.arguments import parser, plan_of
from tests.lab.fault import Loss
from tests.lab.faults import FAULTS
from tests.lab.machine import grown, idle_class_ticks
from tests.lab.measure import without_paths
from tests.lab.page import page, with_table
from tests.lab.series import DEATHS, ROUTERS, Series, all_series, plan

ROW = Series(fault="endpoint-lost", router="frr")
REPORT = {
    "target": {"worst_flow_gap_ms": None, "route_ms": 15},
    "runs": [
        {"ok": True, "problems": [], "raises": 0, "lost_other": 0},
        {"ok": False, "problems": ["2 packets lost"], "raises": 0, "lost_other": 2},
    ],
    "summary": {
        "worst_flow_gap_ms": {"p50": 9.0, "max": 12.0},
        "route_ms": {"p50": 65.0, "max": 67.0},
        "to_router_ms": {"p50": 3.8, "max": 5.9},
        "router_ms": {"p50": 61.2, "max": 62.3},
        "lost": 2,
        "ok": False,
    },
    "facts": {"load": 0.5, "idle_cores": 1.3, "date": "2026-01-02", "error": "no route came back"},
}


def test_every_promise_is_measured_on_both_routers() -> None:
    """Each fault has a row on BIRD and on FRR; those of the API are measured by scripts/bench."""
    ours = [fault.name for fault in FAULTS.values() if not fault.api]
    rows = {(series.fault, series.router, series.family) for series in all_series()}
    assert {(fault, router, "v4") for fault in ours for router in ROUTERS} <= rows
    assert {(fault, router, "v6") for fault in DEATHS for router in ROUTERS} <= rows


def test_names_of_rows_are_unique_and_their_words_are_understood() -> None:
    """No row overwrites another's figures, and the lab accepts each command line."""
    every = list(all_series())
    assert len({series.name for series in every}) == len(every)
    for series in every:
        options = parser().parse_args(["run", *series.arguments(None, "figures.json")])
        assert plan_of(options, FAULTS[series.fault]).services == series.services
        assert options.repeat == series.usual


def test_the_plan_tells_what_is_there_and_what_is_left() -> None:
    """A row that was measured shows the time it took, and only the others count as left."""
    other = Series(fault="idle", router="bird", usual=3)
    first, second, whole = plan([ROW, other], repeat=None, done={ROW.name: 61.0})[1:]
    assert first.split() == [ROW.name, "20", "61", "there"]
    assert second.split()[:2] == [other.name, "3"]
    assert second.endswith("to do")
    assert whole.startswith("2 rows")


@pytest.mark.parametrize("repeat", [1, 50])
def test_a_row_is_measured_as_often_as_it_is_asked_for(repeat: int) -> None:
    """Fewer times than usual and more, also where the usual is few."""
    for series in (ROW, Series(fault="idle", router="bird", usual=3)):
        words = series.arguments(repeat, "figures.json")
        assert words[words.index("--repeat") + 1] == str(repeat)
        assert plan([series], repeat=repeat, done={})[1].split()[1] == str(repeat)


@pytest.mark.parametrize("word", ["0", "-1", "often"])
def test_a_number_of_repetitions_that_is_none_is_refused(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage ends with status 2 before anything is measured."""
    with pytest.raises(SystemExit, match="2"):
        measure.main(["--plan", "--repeat", word])
    assert "--repeat: must be a whole number from 1" in capsys.readouterr().err


def test_a_row_tells_whose_milliseconds_it_holds_and_what_went_wrong() -> None:
    """Both shares, the target, what did not hold, why it ended, load and idle-class work."""
    text = page([ROW, Series(fault="idle", router="bird")], {ROW.name: REPORT})
    row = text.splitlines()[-1]
    assert "to_router_ms 3.8 / 5.9 (ours; target 15: held)" in row
    assert "router_ms 61.2 / 62.3 (the router's)" in row
    assert "route_ms 65 / 67 (target 15: missed, the router's own 61)" in row
    assert "2; 1 held; 2 packets lost; ended early: no route came back" in row
    assert row.endswith("| 0.5 | 1.3 |")
    readme = with_table("a<!-- figures -->\nold\n<!-- /figures -->b", {ROW.name: REPORT})
    assert "65 / 67 (missed: the router's own 61), ours 4 / 6 (held) | 15 | 2 |" in readme
    assert "old" not in readme


def test_where_nothing_may_be_lost_the_readme_counts_every_packet() -> None:
    """Elsewhere only packets of flows count that the fault should have spared."""
    runs = [{"ok": False, "problems": [], "raises": 0, "lost": 7, "lost_other": 2}]
    for loss, told in ((Loss.NONE, 7), (Loss.AFFECTED, 2)):
        target = {"worst_flow_gap_ms": None, "loss": loss.value}
        report = {**REPORT, "target": target, "runs": runs, "summary": {"ok": False}}
        name = Series(fault="drain", router="bird").name
        assert f"| 0 lost | {told} |" in with_table("<!-- figures -->\n", {name: report})


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("no routes (logs: /a/b-1) within 90 s", "no routes within 90 s"),
        ("the client heard nothing; see /a/b", "the client heard nothing"),
        ("zebra did not start; its log is in /a/b", "zebra did not start"),
        ("the mesh is not whole within 90 s", "the mesh is not whole within 90 s"),
    ],
)
def test_the_page_names_no_place_of_this_machine(sentence: str, told: str) -> None:
    """Directories are left out of what a row says."""
    assert without_paths(sentence) == told


def test_an_earlier_try_that_got_further_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second try that failed sooner does not replace the figures of the first."""
    monkeypatch.setattr(measure, "BUILD", tmp_path)
    part, whole = tmp_path / "part.json", tmp_path / f"{ROW.name}.json"
    for runs, kept in ((2, 2), (1, 2), (3, 3)):
        part.write_text(json.dumps({"runs": [{}] * runs, "error": "it broke; see /a/b"}))
        assert measure._keep(ROW, part, 1) == "it broke"
        assert len(json.loads(whole.read_text())["runs"]) == kept
    assert measure._keep(ROW, part, None) == "it was stuck"
    assert measure._keep(ROW, part, 3) == "the lab ended with status 3"


@pytest.mark.parametrize(
    ("runs", "error", "there"),
    [
        pytest.param(20, "", True, id="whole"),
        pytest.param(4, "", False, id="measured fewer times than wanted now"),
        pytest.param(20, "it broke", False, id="failed"),
        pytest.param(None, "", False, id="never measured"),
    ],
)
def test_a_measurement_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: int | None, error: str, there: bool
) -> None:
    """A row is there when it was measured to its end and as often as it is wanted."""
    monkeypatch.setattr(measure, "BUILD", tmp_path)
    if runs is not None:
        (tmp_path / f"{ROW.name}.json").write_text(json.dumps({"runs": [{}] * runs}))
        (tmp_path / f"{ROW.name}.facts.json").write_text(json.dumps({"error": error}))
    assert measure._there(ROW, None) is there


@pytest.mark.parametrize(
    ("errors", "tries", "told"),
    [
        pytest.param(["", "never asked"], 1, "", id="the first try is enough"),
        pytest.param(["it broke", ""], 2, "", id="the second try is enough"),
        pytest.param(["it broke", "again"], 2, "again", id="two tries, then the row is marked"),
    ],
)
def test_a_row_is_tried_twice_and_then_marked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[str],
    tries: int,
    told: str,
) -> None:
    """A failing row costs no other row: its error is kept beside it."""
    monkeypatch.setattr(measure, "BUILD", tmp_path)
    left = list(errors)
    error = measure._measure(
        ROW, repeat=1, fresh=False, attempt=lambda _series, _repeat: {"error": left.pop(0)}
    )
    assert error == told
    assert measure._facts(ROW) == {"error": told, "tries": tries}


def stat(policy: int, user: int, system: int) -> str:
    """Return a line of proc(5)'s stat whose name holds a parenthesis."""
    fields = ["R", *("0" for _ in range(49))]
    fields[11], fields[12], fields[38] = str(user), str(system), str(policy)
    return "17 (a) b) " + " ".join(fields)


def test_only_processes_of_the_idle_class_count_as_idle_work() -> None:
    """SCHED_IDLE is policy 5; what ends in between is lost, what is new counts whole."""
    assert idle_class_ticks(stat(5, 30, 12)) == 42
    assert idle_class_ticks(stat(0, 30, 12)) is None
    assert idle_class_ticks("17 (short) R 1") is None
    assert grown({1: 10, 2: 50}, {1: 15, 3: 7}) == 12


def test_what_was_not_measured_here_is_not_taken_off_the_page(tmp_path: Path) -> None:
    """A fresh checkout that measures one row has no figures of the others, and erases none."""
    published, readme = tmp_path / "measurements.md", tmp_path / "README.md"
    part = tmp_path / "part"
    part.mkdir()
    whole = page(
        all_series(), {one.name: REPORT for one in (ROW, Series(fault="power-loss", router="bird"))}
    )
    published.write_text(whole)
    readme.write_text("before\n")
    places = {"published": published, "readme": readme, "part": part}
    told = measure.write({ROW.name: REPORT}, **places)
    assert "stays as it is" in told
    assert (published.read_text(), readme.read_text()) == (whole, "before\n")
    assert ROW.fault in (part / published.name).read_text()
    assert measure.main(["--only", "nonsense"]) == 2
