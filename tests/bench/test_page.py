"""The tables of a measurement tell medians, their spread over blocks and the ratio."""

import re
from typing import Any

import pytest

from tests.bench.__main__ import main
from tests.bench.page import page, ratio, table
from tests.lab.plan import LabError


def report(**changed: Any) -> dict[str, Any]:
    """Return a run of two blocks, bgpd a quarter slower than the other."""
    runs = [
        {"speaker": speaker, "block": block, "present": present, "route_ms": base + block}
        for speaker, base in (("metallb 1", 3.0), ("bgpd", 4.0))
        for block in (1, 2)
        for present in (False, True)
    ]
    return {
        "bench": "event-to-route",
        "services": 12,
        "date": "2026-01-01",
        "cpus": 2,
        "kernel": "6.1",
        "kubernetes": "v1.36.4",
        "load": [0.1, 0.2],
        "runs": runs,
        **changed,
    }


def test_the_ratio_is_that_of_the_medians_of_all_runs() -> None:
    """5 by 4, and None where the other was not measured."""
    assert ratio(report(), "route_ms", "bgpd", "metallb 1") == pytest.approx(5 / 4)
    assert ratio(report(), "route_ms", "bgpd", "nobody") is None


def test_a_row_tells_the_spread_over_blocks() -> None:
    """The medians of the blocks lie between 5 and 6."""
    assert re.search(r"\| bgpd \|.*\| 5\.00 to 6\.00 \| 2 \|", table(report()))


def test_what_did_not_arrive_is_counted_and_in_no_median() -> None:
    """A route that never changed is a sentence below the table."""
    runs = report()["runs"]
    runs[0] = {**runs[0], "route_ms": None}
    assert "1 changes did not arrive" in table(report(runs=runs))


def test_the_page_tells_the_circumstances() -> None:
    """Date, kernel, version and load stand with the figures."""
    text = page([report()])
    assert "2026-01-01, 2 processors, kernel 6.1, Kubernetes v1.36.4; load 0.1 before" in text


def test_an_outage_tells_what_was_lost_and_when_the_change_came() -> None:
    """One run of two held; the median and the worst stand beside the target."""
    fault = {
        "fault": "api-kill",
        "runs": [{"ok": True}, {"ok": False}],
        "summary": {"lost": 7, "converged_seconds": {"p50": 0.5, "max": 2.5}},
        "target": {"converged_seconds": 5},
        "load": 0.3,
    }
    text = page([{"bench": "outages", "date": "2026-01-01", "faults": [fault]}])
    assert "| api-kill | 2 | 1 | 7 | 0.5 | 2.5 | 5 | 0.3 |" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param("event-to-route --repeat 0", "--repeat: must be", id="no repetition"),
        pytest.param("mass --services 5000", "--services: must be", id="more than it has ports"),
        pytest.param("mass --json /nowhere/x", "cannot be written", id="no place for figures"),
        pytest.param("pending --json /nowhere/x", "cannot be written", id="the same elsewhere"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(words: str, sentence: str) -> None:
    """Nothing is started, and the sentence names what was wrong."""
    with pytest.raises(LabError, match=re.escape(sentence)) as refused:
        main(words.split())
    assert refused.value.status == 2
