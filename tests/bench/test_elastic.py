"""The page of elastic IPs tells each figure beside its target, and only what was measured."""

import re
from typing import Any

import pytest

from tests.bench import elastic
from tests.bench.giving import address_of, figures, fresh
from tests.bench.page import in_words
from tests.lab.plan import Plan


def report(bench: str, **content: Any) -> dict[str, Any]:
    """Return a report of *bench*."""
    return {
        "bench": bench,
        "date": "2026-01-01",
        "cpus": 2,
        "kernel": "6.1",
        "kubernetes": "v1.36.4",
        "load": [0.1, 0.2],
        **content,
    }


def giving(milliseconds: float) -> dict[str, Any]:
    """Return three Services' ways with each of two speakers, MetalLB's half as long."""
    runs = [
        {"speaker": name, "block": 1, "post_ms": 5.0, "route_ms": way}
        for name, way in (("metallb 1", milliseconds / 2), ("bgpd", milliseconds))
        for _ in range(3)
    ]
    return report("service-to-route", services=12, runs=runs)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        pytest.param(59.0, "<= 60: held", id="a fast way holds the target"),
        pytest.param(61.0, "<= 60: missed", id="a slow one misses it"),
    ],
)
def test_the_way_of_a_service_is_judged_and_compared(milliseconds: float, words: str) -> None:
    """Our median alone is judged; the ratio is that of both."""
    text = elastic.table_of(giving(milliseconds))
    assert words in text
    assert "bgpd to metallb 1: **2.00**" in text


def test_plain_figures_stand_beside_their_targets() -> None:
    """What has no target says so; the load is a circumstance, no figure."""
    found = {
        "Services": 10_000,
        "leading to the last address, s": 12.5,
        "memory, MB (PSS)": 121.0,
        "kills": 50,
        "load before": 3.0,
    }
    text = elastic.table_of(report("pending", figures=found))
    assert "| leading to the last address, s | 12.50 | <= 60: held |" in text
    assert "| memory, MB (PSS) | 121 | <= 120: missed |" in text
    assert "| kills | 50 | - |" in text
    assert "load before" not in text


def test_a_short_run_meets_no_target_for_ten_thousand() -> None:
    """Its figures are told, and not judged; what holds for any number is."""
    found = {"Services": 600, "leading to the last address, s": 2.5, "faults": 0}
    text = elastic.table_of(report("pending", figures=found))
    assert "| leading to the last address, s | 2.50 | - |" in text
    assert "| faults | 0 | 0: held |" in text


def test_what_nobody_did_took_no_time() -> None:
    """Where no leader left in order, nothing is said of how long that took."""
    name = "SIGTERM to the next leader, s (median)"
    assert name not in elastic.table_of(report("leader", figures={name: 0.0}))
    assert f"| {name} | 0.50 |" in elastic.table_of(report("leader", figures={name: 0.5}))


def test_an_address_given_twice_misses_its_target() -> None:
    """One is too many."""
    text = elastic.table_of(report("leader", figures={"given twice or changed": 1, "leaked": 0}))
    assert "| given twice or changed | 1 | 0: missed |" in text
    assert "| leaked | 0 | 0: held |" in text


def test_the_rate_of_the_allocator_is_that_of_plain_services() -> None:
    """The target is for one address a Service; other loads are told beside it."""
    rates = {"given": 10000, "median": 25000.0, "slowest": 19000.0, "fastest": 26000.0}
    found = {
        "services": 10000,
        "pools": 20,
        "repeat": 7,
        "loads": {"allocate": rates, "refuse, full": {**rates, "given": 0}},
        "bytes a Service": 900,
    }
    text = elastic.table_of(report("allocate", figures=found))
    assert "| allocate | 10,000 | 25,000 | 19,000 | 26,000 | >= 20,000: held |" in text
    assert "| refuse, full | 0 | 25,000 | 19,000 | 26,000 | - |" in text
    assert "900 bytes" in text


def test_the_page_leaves_out_what_was_not_measured() -> None:
    """One report, one section, with its circumstances."""
    text = elastic.page([report("leader", figures={"kills": 50})])
    assert re.findall("^## .*", text, re.MULTILINE) == ["## Leaders die"]
    assert "2026-01-01, 2 processors, kernel 6.1, Kubernetes v1.36.4; load 0.1 before" in text


def test_the_parts_of_a_way_meet_at_their_borders() -> None:
    """What passed before the POST, and what the controller said before it heard, do not count."""
    passed = ([0.5, 1.004, 1.02], [0.9, 1.003, 1.006, 1.007])
    found = figures(sent=1.0, answered=1.005, passed=passed, shown=1.010, told=1.015, changed=1.016)
    assert found == pytest.approx(
        {
            "post_ms": 5.0,
            "route_ms": 11.0,
            "address_ms": 5.0,
            "heard_ms": 4.0,
            "controller_ms": 2.0,
            "written_ms": 4.0,
            "speaker_ms": 5.0,
            "router_ms": 1.0,
        }
    )


def test_a_way_that_did_not_end_has_no_figure() -> None:
    """No address within a minute: only what was acknowledged is known."""
    found = figures(sent=1.0, answered=1.005, passed=([], []), shown=None, told=None, changed=None)
    assert found["post_ms"] == 5.0
    assert {value for name, value in found.items() if name != "post_ms"} == {None}


def test_a_fresh_service_waits_for_an_address_and_has_its_endpoints() -> None:
    """The slice names the Service; the Service has no status."""
    service, endpoints = fresh(Plan(nodes=1), "fresh-1")
    assert address_of(service) == ""
    assert endpoints["metadata"]["labels"] == {"kubernetes.io/service-name": "fresh-1"}
    assert service["metadata"]["name"] == "fresh-1"


def test_the_address_in_a_status_is_found() -> None:
    """The first one; a status that was emptied has none."""
    shown = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]}}}
    assert address_of(shown) == "192.0.2.1"
    assert address_of({"status": {"loadBalancer": {}}}) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(1.234, "1.23", id="a common ratio has two digits after the point"),
        pytest.param(0.0041234, "0.0041", id="a small one has two that say something"),
        pytest.param(0.05, "0.05", id="also where the second is a zero"),
    ],
)
def test_a_small_ratio_is_not_nothing(value: float, words: str) -> None:
    """0.00 would say that there is no difference in it."""
    assert in_words(value) == words
