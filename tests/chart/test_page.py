"""A dashboard's page shows what Prometheus answered, as Grafana would, and refuses to guess."""

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.chart.page import page
from tests.chart.pagedata import Line, Mark, Shown
from tests.chart.pagestory import ACTS, joined, story
from tests.chart.pagetext import COLORS, look, ticks, written
from tests.chart.recording import is_count
from tests.chart.test_dashboards import BOARDS, panels

STATES: Final[Mapping[str, Any]] = {
    "unit": "short",
    "mappings": [
        {
            "type": "value",
            "options": {
                "0": {"text": "Down", "color": "red"},
                "1": {"text": "Up", "color": "green"},
            },
        }
    ],
    "thresholds": {"mode": "absolute", "steps": [{"color": "orange", "value": None}]},
}
LOSS: Final[Mapping[str, Any]] = {
    "unit": "percentunit",
    "mappings": [],
    "thresholds": {
        "mode": "absolute",
        "steps": [
            {"color": "green", "value": None},
            {"color": "orange", "value": 0.01},
            {"color": "red", "value": 0.05},
        ],
    },
}


def board_of(kind: str) -> dict[str, Any]:
    """Return a dashboard with the first panel of a kind and nothing else."""
    found = next(one for board in BOARDS for one in panels(board) if one["type"] == kind)
    return {**BOARDS[0], "panels": [copy.deepcopy(found)]}


def shown(board: dict[str, Any], *lines: Line, marks: tuple[Mark, ...] = ()) -> Shown:
    """Return a dashboard of one panel with *lines*, over ten minutes."""
    return Shown(
        board=board,
        start=0,
        end=600,
        choices=(("job", "All"),),
        lines={board["panels"][0]["id"]: lines},
        marks=marks,
    )


def line(*points: tuple[float, float], legend: str = "n1", **labels: str) -> Line:
    """Return a series."""
    return Line(legend=legend, labels=labels, points=points)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param(0, "short", "0", id="nothing is 0 and not 0.00"),
        pytest.param(12, "short", "12", id="a count has no fraction"),
        pytest.param(1500, "short", "1.5 K", id="thousands are K"),
        pytest.param(0.0333, "ops", "0.0333 ops/s", id="three digits count"),
        pytest.param(36093952, "bytes", "34.4 MiB", id="memory goes by 1024"),
        pytest.param(0.05, "percentunit", "5%", id="a part is a percentage"),
        pytest.param(0.00021, "s", "210 µs", id="a round trip is in microseconds"),
        pytest.param(0.099, "s", "99 ms", id="a failover is in milliseconds"),
        pytest.param(90, "s", "1.5 mins", id="a silence is in minutes"),
        pytest.param(0, "s", "0 s", id="no time has a unit"),
    ],
)
def test_a_number_is_written_with_its_unit(value: float, unit: str, text: str) -> None:
    """Short, and with the digits that count."""
    assert written(value, unit) == text


@pytest.mark.parametrize(
    ("value", "defaults", "text", "color"),
    [
        pytest.param(1, STATES, "Up", "green", id="a state that has a word is the word"),
        pytest.param(0, STATES, "Down", "red", id="and has its color"),
        pytest.param(2, STATES, "2", "orange", id="one without a word is a number"),
        pytest.param(0.009, LOSS, "0.9%", "green", id="below a threshold"),
        pytest.param(0.01, LOSS, "1%", "orange", id="on a threshold is beyond it"),
        pytest.param(0.2, LOSS, "20%", "red", id="the highest threshold wins"),
    ],
)
def test_a_value_has_the_color_that_grafana_gives_it(
    value: float, defaults: Mapping[str, Any], text: str, color: str
) -> None:
    """By value mappings first, then by thresholds."""
    assert look(value, defaults) == (text, COLORS[color])


@pytest.mark.parametrize(
    ("low", "high", "unit", "found"),
    [
        pytest.param(0, 1, "short", ["0", "0.25", "0.5", "0.75", "1"], id="quarters"),
        pytest.param(0, 36, "short", ["0", "10", "20", "30"], id="tens"),
        pytest.param(-3, 3, "short", ["-2", "0", "2"], id="0 is one where it lies between"),
        pytest.param(0, 5e7, "bytes", ["0 B", "20 MiB", "40 MiB"], id="memory goes by 1024"),
    ],
)
def test_an_axis_has_round_numbers(low: float, high: float, unit: str, found: list[str]) -> None:
    """None is beyond the edges."""
    assert [written(one, unit) for one in ticks(low, high, 4, unit)] == found


def test_a_line_is_broken_where_nobody_could_be_asked() -> None:
    """A gap is not drawn over, and one number alone is a dot."""
    drawn = page(shown(board_of("timeseries"), line((0, 1), (15, 2), (300, 1), (315, 4), (600, 2))))
    assert len(re.findall(r'<path class="mark"', drawn)) == 2
    assert len(re.findall(r'<circle class="mark"', drawn)) == 1


def test_states_that_follow_each_other_are_one_bar() -> None:
    """Three of one state and one of another are two bars, with the words of the dashboard."""
    points = ((0.0, 1.0), (15.0, 1.0), (30.0, 1.0), (45.0, 0.0))
    drawn = page(shown(board_of("state-timeline"), line(*points)))
    bars = re.findall(r'<rect class="mark" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert len(bars) == 2
    assert float(bars[0][1]) == pytest.approx(3 * float(bars[1][1]), abs=0.1)


def test_a_table_has_the_columns_that_the_dashboard_leaves_in() -> None:
    """Labels in the order of the alphabet, then the number; what is excluded is not there."""
    drawn = page(shown(board_of("table"), line((0, 1), type="NodeInDoubt", node="n2", job="bgpd")))
    assert re.findall(r"<th>(\w+)</th>", drawn) == ["node", "type", "Value"]
    assert re.findall(r'<td><span class="label">(\w+)</span>', drawn) == ["n2", "NodeInDoubt", "1"]


def test_a_takeover_is_a_line_across_a_graph_with_its_text() -> None:
    """Whoever points at it is told who took over."""
    mark = Mark(at=300, text="n1 raised <the> generation")
    drawn = page(shown(board_of("timeseries"), line((0, 1), (15, 1)), marks=(mark,)))
    assert len(re.findall(r'<path class="event"', drawn)) == 1
    assert "<title>n1 raised &lt;the&gt; generation</title>" in drawn


def test_a_panel_without_an_answer_says_so() -> None:
    """It is not drawn as if all were 0."""
    drawn = page(shown(board_of("timeseries")))
    assert "No data" in drawn
    assert 'class="mark' not in drawn


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        pytest.param("timeseries", "type", "candlestick", id="a kind of panel"),
        pytest.param("timeseries", "fieldConfig.defaults.unit", "furlongs", id="a unit"),
        pytest.param("timeseries", "fieldConfig.defaults.custom.drawStyle", "bars", id="a style"),
        pytest.param("timeseries", "fieldConfig.overrides", [{}], id="an override"),
        pytest.param("stat", "options.graphMode", "area", id="a graph in a tile"),
        pytest.param("stat", "options.textMode", "value_and_name", id="a text of a tile"),
        pytest.param("stat", "fieldConfig.defaults.mappings", [{"type": "range"}], id="a mapping"),
        pytest.param("stat", "fieldConfig.defaults.thresholds.mode", "percentage", id="thresholds"),
        pytest.param("table", "transformations", [{"id": "pivot"}], id="a transformation"),
    ],
)
def test_what_the_page_does_not_know_is_an_error(kind: str, path: str, value: object) -> None:
    """A picture that leaves something of a dashboard out would be wrong in silence."""
    board = board_of(kind)
    *way, last = path.split(".")
    place = board["panels"][0]
    for key in way:
        place = place[key]
    page(shown(board, line((0, 1), (15, 1))))
    place[last] = value
    with pytest.raises(ValueError, match="in our pictures"):
        page(shown(board, line((0, 1), (15, 1))))


def test_the_page_needs_nothing_beside_it() -> None:
    """No address, no script and no font of elsewhere."""
    drawn = page(shown(board_of("timeseries"), line((0, 1), (15, 1))))
    assert not re.search(r"https?:|url\(|src=|@import|<link", drawn)


def test_the_story_goes_on_from_one_fault_to_the_next() -> None:
    """What only grows does not fall between two recordings, and moments keep their age."""
    found = joined((("provider", 2), ("provider", 3), ("no-endpoints", 0), ("no-endpoints", 1)))
    grown = [values for name, values in found.series.items() if is_count(name)]
    assert any(values[1] for values in grown)
    for values in grown:
        known = [value for value in values if value is not None]
        assert known == sorted(known)
    moments = [
        values
        for name, values in found.series.items()
        if "last_successful_reconcile_timestamp_seconds{" in name
    ]
    assert len(moments) == 3
    for values in moments:
        assert all(0 <= 15 * step - (value or 0) < 30 for step, value in enumerate(values))


@pytest.mark.parametrize("uid", sorted(ACTS))
def test_a_story_ends_while_something_is_wrong(uid: str) -> None:
    """A picture in which all is green tells nobody what the dashboard is for."""
    series = story(uid).series
    ends = {name: values[-1] for name, values in series.items()}
    wanted = "bgpd_health_check_up{" if uid == "bgpd-service" else "bgpd_bgp_session_up{"
    assert 0.0 in [value for name, value in ends.items() if name.startswith(wanted)]
