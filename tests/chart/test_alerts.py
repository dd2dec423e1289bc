"""Every alert can fire, says what to do, and speaks of metrics and commands that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bgpd.telemetry.catalog import BY_NAME, CATALOG, series_of
from bgpd.telemetry.conditioncatalog import CONDITIONS
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "charts/bgpd/files/rules/bgpd.yaml"
RUNBOOKS: Final = ROOT / "docs/runbooks"
_SECTIONS: Final = ("## Meaning", "## Impact", "## Diagnosis", "## Mitigation")
_FOREIGN: Final = frozenset({"up"})


def rules() -> list[dict[str, Any]]:
    """Return all rules."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def named(rule: dict[str, Any]) -> str:
    """Return the id of a case."""
    return str(rule["alert"])


@pytest.fixture
def promtool() -> str:
    """Return Prometheus' own tool."""
    found = shutil.which("promtool")
    if found is None:
        lacking("promtool is not installed (Debian: prometheus)", unproven="the alert rules")
    return found


def test_prometheus_reads_the_rules(promtool: str) -> None:
    """What the chart ships is what Prometheus loads."""
    checked = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_rules_speak_of_metrics_that_exist() -> None:
    """A metric that nobody exposes makes an alert that never fires."""
    series = {name for metric in CATALOG for name in series_of(metric)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        text = re.sub(r'"[^"]*"', "", rule["expr"])
        found = set(re.findall(r"[a-z_]+:bgpd_[a-z_:]+|(?<![\w:])bgpd_[a-z_]+", text))
        assert found, rule
        assert found <= series | recorded | _FOREIGN, rule


def test_rules_select_labels_and_values_that_exist() -> None:
    """A state that is written wrongly is one that is never seen."""
    for rule in rules():
        for name, inside in re.findall(r"(bgpd_[a-z_]+)\{([^}]*)\}", rule["expr"]):
            metric = BY_NAME[name]
            for label, values in re.findall(r'(\w+)=~?"([^"]*)"', inside):
                assert label in metric.labels, rule
                known = metric.values.get(label)
                assert known is None or set(values.split("|")) <= set(known), rule


def test_rules_speak_of_conditions_that_exist() -> None:
    """A condition that is called otherwise never fires."""
    known = {one.type for one in CONDITIONS}
    for rule in rules():
        for types in re.findall(r'type=~?"([^"]*)"', rule["expr"]):
            assert set(types.split("|")) <= known, rule


@pytest.mark.parametrize("rule", alerts(), ids=named)
def test_an_alert_says_what_breaks_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """One vocabulary: severity, summary, description, runbook, and labels that the series have."""
    assert re.fullmatch(r"Bgpd[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    notes = rule["annotations"]
    assert sorted(notes) == ["description", "runbook_url", "summary"]
    assert "{{" not in notes["summary"]
    assert notes["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    text = (RUNBOOKS / f"{rule['alert']}.md").read_text()
    assert [part for part in _SECTIONS if part not in text] == []


def test_every_runbook_belongs_to_an_alert() -> None:
    """A page for an alert that is gone misleads."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md")}
    assert pages == {rule["alert"] for rule in alerts()}
