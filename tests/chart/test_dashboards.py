"""The dashboards are what Grafana's own linter asks for, and speak of metrics that exist."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest

from bgpd.telemetry.catalog import BY_NAME, CATALOG, Kind, series_of

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted((ROOT / "charts/bgpd/files/dashboards").glob("*.json"))
BOARDS: Final = [json.loads(path.read_text()) for path in FILES]
_UNITS: Final = frozenset({"short", "s", "ops", "bytes", "percentunit"})
_NAMES: Final = {"bgpd-overview", "bgpd-node", "bgpd-service", "bgpd-mesh"}
_VARIABLES: Final = {"$__rate_interval": "5m", "$__interval": "1m"}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels that show something."""
    return (panel for panel in board["panels"] if panel["type"] != "row")


def targets() -> list[tuple[str, str]]:
    """Return each query, by dashboard and title."""
    return [
        (f"{board['uid']}: {panel['title']}", target["expr"])
        for board in BOARDS
        for panel in panels(board)
        for target in panel["targets"]
    ]


def parsed(query: str) -> str:
    """Return *query* without Grafana's variables; an error says where it cannot be read."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    promql_parser.parse(query)
    return query


def test_the_four_dashboards_are_there() -> None:
    """Fleet, node, Service and mesh; each file is named as its dashboard."""
    assert {path.stem for path in FILES} == {board["uid"] for board in BOARDS} == _NAMES


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_dashboard_is_as_grafanas_linter_wants_it(board: dict[str, Any]) -> None:
    """One data source, variables that reload, no identity of some other Grafana."""
    assert board["id"] is None
    assert board["editable"] is False
    assert board["graphTooltip"] == 1
    assert board["tags"] == ["bgpd"]
    assert board["refresh"] == "30s"
    assert board["links"]
    first, *rest = board["templating"]["list"]
    assert (first["type"], first["name"], first["label"]) == (
        "datasource",
        "datasource",
        "Data Source",
    )
    assert {"cluster", "job", "node"} <= {one["name"] for one in rest}
    for one in rest:
        assert one["type"] == "query"
        assert one["datasource"]["uid"] == "${datasource}"
        # A Prometheus that has one cluster alone gives its series no such label.
        every = ".*" if one["name"] == "cluster" else ".+"
        assert (one["multi"], one["allValue"], one["refresh"]) == (True, every, 2)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_panel_explains_itself(board: dict[str, Any]) -> None:
    """Title, description, unit and data source; a state has a word and not only a color."""
    assert board["panels"][0]["title"].endswith("?"), "the first row answers a question"
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)
    for panel in panels(board):
        assert panel["title"], panel
        assert panel["description"].endswith((".", "?")), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in _UNITS, panel["title"]
        if panel["type"] == "state-timeline":
            words = defaults["mappings"][0]["options"]
            assert {words["0"]["text"], words["1"]["text"]} in ({"Up", "Down"}, {"Yes", "No"})


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_panels_do_not_cover_each_other(board: dict[str, Any]) -> None:
    """Each has its place on a screen of 24 columns."""
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@pytest.mark.parametrize(("where", "query"), targets())
def test_a_query_is_read_and_speaks_of_what_there_is(where: str, query: str) -> None:
    """Metrics, labels and values of the catalog; counters only as rates; one job, one range."""
    text = parsed(query)
    names = {name: metric for metric in CATALOG for name in series_of(metric)}
    found = re.findall(r"((?:bgpd|process)_\w+)\{([^}]*)\}", text)
    assert found, where
    for name, inside in found:
        metric = names[name]
        assert 'cluster=~"$cluster",job=~"$job"' in inside, where
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', inside):
            assert label in {*metric.labels, "cluster", "job", "node"}, (where, label)
            known = metric.values.get(label)
            if known is not None and not values.startswith("$"):
                assert set(values.split("|")) <= set(known), (where, values)
        if metric.kind is not Kind.GAUGE:
            assert re.search(rf"(rate|increase)\({name}\{{", text), (where, "needs a rate")
    assert set(re.findall(r"\[([^]]+)\]", query)) <= {"$__rate_interval"}, where


def test_every_metric_of_an_alert_can_be_seen() -> None:
    """Whoever is alerted finds a graph of it."""
    rules = (ROOT / "charts/bgpd/files/rules/bgpd.yaml").read_text()
    shown = "\n".join(query for _, query in targets())
    alerted = {name for name in re.findall(r"bgpd_[a-z_]+", rules) if name in BY_NAME}
    assert sorted(name for name in alerted if name not in shown) == []
