"""The one table of metrics: names and words as Prometheus' own linter wants them."""

import re
from itertools import pairwise

import pytest

from bgpd.model.reason import Reason
from bgpd.telemetry import speakermetrics
from bgpd.telemetry.catalog import BY_NAME, CATALOG, Kind, Metric, Process, exposed_by, series_of

metrics = pytest.mark.parametrize("metric", CATALOG, ids=lambda metric: metric.name)


def test_a_name_is_given_once() -> None:
    """Two metrics of one name would be one family with two meanings."""
    assert len(BY_NAME) == len(CATALOG)


@metrics
def test_a_name_says_its_unit_and_its_kind(metric: Metric) -> None:
    """Counters end in _total and nothing else does; ours begin with bgpd_."""
    assert re.fullmatch(r"(bgpd|process)_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    for scale in ("_milliseconds", "_microseconds", "_percent", "_minutes", "_kilobytes"):
        assert scale not in metric.name, "base units only"


@metrics
def test_help_is_a_sentence(metric: Metric) -> None:
    """Whoever finds the name in a graph reads what it means."""
    assert metric.help[0].isupper() or metric.help[0] == "1"
    assert metric.help.endswith(".")
    assert "\n" not in metric.help
    assert metric.name not in metric.help


@metrics
def test_labels_and_their_known_values_fit(metric: Metric) -> None:
    """Values that are known beforehand belong to a label; le is Prometheus' own."""
    assert metric.values.keys() <= set(metric.labels)
    assert not {"le", "quantile", "job", "instance", "node"} & set(metric.labels)
    for values in metric.values.values():
        assert len(set(values)) == len(values) <= 40


@metrics
def test_buckets_are_those_of_a_histogram(metric: Metric) -> None:
    """They grow, and only a histogram has some."""
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert all(low < high for low, high in pairwise(metric.buckets))


def test_a_histogram_is_three_series() -> None:
    """Rules and dashboards name those, not the family."""
    assert series_of(speakermetrics.LOOP_LAG) == tuple(
        f"bgpd_reflex_loop_lag_seconds_{part}" for part in ("bucket", "count", "sum")
    )
    assert series_of(speakermetrics.GENERATION) == ("bgpd_generation",)


def test_every_process_says_which_version_it_is() -> None:
    """And what else can be asked of all of them."""
    for process in Process:
        names = {metric.name for metric in exposed_by(process)}
        assert {"bgpd_build_info", "bgpd_condition", "bgpd_events_total"} <= names


def test_every_reason_is_a_label_value() -> None:
    """One word in the log, the status and the metric."""
    assert set(speakermetrics.ROUTES_WITHHELD.values["reason"]) == set(Reason)
