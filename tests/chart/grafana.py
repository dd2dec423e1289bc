"""The rules as alerts that Grafana itself evaluates, for who has no Prometheus that takes rules.

`python -m tests.chart` writes charts/bgpd/files/grafana/alerts.yaml from the rules of the chart.
A rule of Prometheus fires for each series that is there, also for one whose value is 0; a threshold
of Grafana's is about the value. So each alert is the query, then whether there is a number, then a
threshold on that. Grafana leaves `$` alone in annotations and queries, which are all that has one.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "charts/bgpd/files/rules/bgpd.yaml"
ALERTS: Final = ROOT / "charts/bgpd/files/grafana/alerts.yaml"
_DATA_SOURCE: Final = "prometheus"
"""The `uid` that the chart of Prometheus and Grafana together gives its own."""
_HEAD: Final = """\
---
# Alerts of bgpd for Grafana to evaluate: put this file into its provisioning/alerting.
# Written by `python -m tests.chart` from ../rules/bgpd.yaml; do not edit. Where Prometheus
# evaluates those rules, leave this one out, or everything is told twice.
# The data source has the uid `prometheus` here (twice in each rule): put yours there.
"""
_UNBROKEN: Final = 10_000
"""Columns: a break within braces is hard to read."""
_RANGE: Final = {"from": 600, "to": 0}


def alerts_text() -> str:
    """Return the file as it should be."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    recorded = {
        rule["record"]: rule["expr"]
        for group in groups
        for rule in group["rules"]
        if "record" in rule
    }
    document = {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": group["name"],
                "folder": "bgpd",
                "interval": "1m",
                "rules": [_rule(rule, recorded) for rule in group["rules"] if "alert" in rule],
            }
            for group in groups
            if any("alert" in rule for rule in group["rules"])
        ],
    }
    return _HEAD + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=_UNBROKEN)


def _rule(rule: Mapping[str, Any], recorded: Mapping[str, str]) -> dict[str, object]:
    return {
        "uid": rule["alert"],
        "title": rule["alert"],
        "condition": "C",
        "data": [
            _query(inlined(rule["expr"], recorded)),
            _expression("B", "math", "is_number($A) || is_nan($A) || is_inf($A)"),
            _expression(
                "C",
                "threshold",
                "B",
                conditions=[{"type": "query", "evaluator": {"type": "gt", "params": [0]}}],
            ),
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": rule.get("for", "0s"),
        "annotations": {name: filled(text) for name, text in rule["annotations"].items()},
        "labels": rule["labels"],
        "isPaused": False,
    }


def inlined(expr: str, recorded: Mapping[str, str]) -> str:
    """Return *expr* without what only a Prometheus with our rules has recorded."""
    for name, meaning in recorded.items():
        expr = expr.replace(name, f"({meaning})")
    return expr


def filled(text: str) -> str:
    """Return *text* as Grafana fills it: its `$value` is a sentence about all that was asked."""
    text = re.sub(r"\{\{ \$value \}\}", "{{ $values.A }}", text)
    return re.sub(r"\{\{ \$value \|", "{{ $values.A.Value |", text)


def _query(expr: str) -> dict[str, object]:
    return {
        "refId": "A",
        "relativeTimeRange": _RANGE,
        "datasourceUid": _DATA_SOURCE,
        "model": {
            "refId": "A",
            "datasource": {"type": "prometheus", "uid": _DATA_SOURCE},
            "editorMode": "code",
            "expr": expr,
            "instant": True,
            "range": False,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _expression(ref: str, kind: str, expression: str, **more: object) -> dict[str, object]:
    return {
        "refId": ref,
        "relativeTimeRange": _RANGE,
        "datasourceUid": "__expr__",
        "model": {
            "refId": ref,
            "datasource": {"type": "__expr__", "uid": "__expr__"},
            "type": kind,
            "expression": expression,
            **more,
        },
    }


class _Plain(yaml.SafeDumper):
    """Writes what comes twice twice: Grafana's reader is asked nothing that is rare."""

    def ignore_aliases(self, data: object) -> bool:
        """Return whether *data* is written whole each time: always."""
        del data
        return True
