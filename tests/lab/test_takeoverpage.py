"""The page on takeovers: its figures come from runs, and say where they do not agree."""

from typing import Any

import pytest

from tests.lab.takeoverpage import BEGIN, END, PAGE, median, placed, section, usable

ROWS = [
    {"milliseconds": 0.0, "uncertainty": 0.0, "node": "n1", "step": "cause", "detail": ""},
    {"milliseconds": 130.0, "uncertainty": 0.0, "node": "n1", "step": "flushed", "detail": "r"},
    {"milliseconds": 131.0, "uncertainty": 0.1, "node": "n2", "step": "flushed", "detail": "r"},
]
JOINED = {
    "kind": "takeover", "at": 1.8e9, "cause": "member n3 silent for 128 ms", "generation": 2,
    "members": ["n3"], "nodes": ["n1", "n2"], "routes": 24, "rows": ROWS,
    "pairs": [{"node": "n2", "milliseconds": 5.0, "uncertainty": 0.1, "how": "heartbeats"}],
    "dueMilliseconds": 40.0, "changes": 1, "slowestMilliseconds": None,
}  # fmt: skip


def run(gap: float, rest: float) -> dict[str, Any]:
    """Return one run of the lab's report."""
    return {
        "worst_flow_gap_ms": gap,
        "timeline_ours_ms": gap - rest - 1.0,
        "router_ms": 1.0,
        "timeline_rest_ms": rest,
        "timeline_sent_ms": None,
        "timeline_least_ms": 90.0,
        "timeline_most_ms": 130.0,
        "joined": JOINED,
    }


REPORT = {"runs": [run(120.0, 2.0), {**run(900.0, 1.0), "router_ms": None}, run(110.0, -25.0)]}


def test_the_section_says_how_many_runs_agree() -> None:
    """And shows the one in the middle; a run in which something was not seen counts nowhere."""
    text = section({"bird": REPORT, "frr": {"runs": [run(180.0, 4.0)]}}, "Measured here.")
    assert "| 110.0 / 120.0 | 180.0 / 180.0 |" in text
    assert "| 1 of 2 | 1 of 1 |" in text
    assert "| 2.0 / -25.0 |" not in text, "p50 of -25 and 2 is the lower"
    assert "takeover to generation 2" in text
    assert "flushed → acknowledged by the router's kernel | - | - |" in text
    assert [one["worst_flow_gap_ms"] for one in usable(REPORT)] == [110.0, 120.0]
    assert median(REPORT)["worst_flow_gap_ms"] == 110.0


def test_the_section_has_its_place() -> None:
    """Between its marks, whatever was there; a page without them is not overwritten."""
    page = f"before\n{BEGIN}old\n{END}\nafter\n"
    assert placed(placed(page, "new\n"), "newer\n") == f"before\n{BEGIN}newer\n{END}\nafter\n"
    with pytest.raises(ValueError, match="measured"):
        placed("nothing", "new\n")


def test_the_page_was_measured() -> None:
    """What is in the repository holds figures, and all of their runs agree."""
    text = PAGE.read_text()
    measured = text.partition(BEGIN)[2].partition(END)[0]
    assert "takeoverpage" in measured
    row = next(line for line in measured.splitlines() if "explain the gap" in line)
    for cell in row.strip("| ").split("|")[1:]:
        near, _, all_ = cell.strip().partition(" of ")
        assert near == all_
        assert int(all_) >= 10
    assert PAGE.with_suffix(".svg").read_text().startswith("<svg")
