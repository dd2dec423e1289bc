"""The alerts for Grafana are the rules of the chart, in what Grafana's provisioning reads."""

import re
from functools import cache
from typing import Any, Final

import promql_parser
import pytest
import yaml

from tests.chart.grafana import ALERTS, alerts_text
from tests.chart.recording import alerts
from tests.chart.test_alerts import rules

_UID: Final = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_STEPS: Final = [("A", "prometheus"), ("B", "__expr__"), ("C", "__expr__")]


@cache
def document() -> Any:
    """Return the file, which takes a while to read."""
    return yaml.safe_load(ALERTS.read_text())


@cache
def original() -> dict[str, Any]:
    """Return each alert of Prometheus by its name."""
    return dict(alerts())


def provisioned() -> dict[str, Any]:
    """Return each alert of the file by its title."""
    return {rule["title"]: rule for group in document()["groups"] for rule in group["rules"]}


def test_the_file_is_what_the_rules_say() -> None:
    """A rule that was changed is changed there too (`python -m tests.chart`)."""
    assert ALERTS.read_text() == alerts_text()


def test_every_alert_is_there_once() -> None:
    """No alert is lost on the way, and no two have one name in Grafana."""
    found = [rule for group in document()["groups"] for rule in group["rules"]]
    assert sorted(rule["title"] for rule in found) == sorted(original())
    assert len({rule["uid"] for rule in found}) == len(found)
    assert document()["apiVersion"] == 1
    for group in document()["groups"]:
        assert (group["orgId"], group["folder"], group["interval"]) == (1, "bgpd", "1m")


@pytest.mark.parametrize("name", sorted(original()))
def test_an_alert_is_what_grafana_takes(name: str) -> None:
    """A query, whether it found anything, and a threshold on that; silence is no alert."""
    rule, before = provisioned()[name], original()[name]
    assert _UID.fullmatch(rule["uid"])
    assert [(step["refId"], step["datasourceUid"]) for step in rule["data"]] == _STEPS
    query, number, threshold = (step["model"] for step in rule["data"])
    promql_parser.parse(query["expr"])
    assert (query["instant"], query["range"]) == (True, False)
    assert (number["type"], threshold["type"]) == ("math", "threshold")
    assert number["expression"].startswith("is_number($A) ")
    assert (threshold["expression"], rule["condition"]) == ("B", "C")
    assert threshold["conditions"][0]["evaluator"] == {"type": "gt", "params": [0]}
    assert (rule["noDataState"], rule["execErrState"]) == ("OK", "Error")
    assert (rule["for"], rule["labels"]) == (before.get("for", "0s"), before["labels"])


@pytest.mark.parametrize("name", sorted(original()))
def test_an_alert_asks_for_nothing_that_only_rules_record(name: str) -> None:
    """Who lets Grafana evaluate has not loaded the recording rules."""
    expr = provisioned()[name]["data"][0]["model"]["expr"]
    recorded = [rule["record"] for rule in rules() if "record" in rule]
    assert recorded
    assert [name for name in recorded if name in expr] == []


@pytest.mark.parametrize("name", sorted(original()))
def test_the_text_has_a_number_where_prometheus_has_one(name: str) -> None:
    """In Grafana `$value` is a sentence; braces after `$` would be read from the environment."""
    notes: Any = provisioned()[name]["annotations"]
    told: Any = original()[name]["annotations"]
    assert notes.keys() == told.keys()
    for text, before in ((notes[key], told[key]) for key in notes):
        assert not re.search(r"\$value\b", text)
        assert "${" not in text
        assert text.count("$values.A") == len(re.findall(r"\$value\b", before))
        assert text.count("$labels.") == before.count("$labels.")
