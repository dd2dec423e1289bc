"""What is scraped is read more strictly than Prometheus reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.telemetry import agentmetrics, speakermetrics
from bgpd.telemetry.exposition import Family, render
from bgpd.telemetry.instruments import Histogram
from tests.lab.samples import Names, UnreadableError, backwards, counts, gauges, read, value

UP = '# HELP up Is it.\n# TYPE up gauge\nup{a="1"} 1\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(UP[:-1], "no end", id="it was cut off"),
        pytest.param(UP + UP, "the metric comes twice", id="a metric twice"),
        pytest.param(UP + 'up{a="1"} 2\n', "the series comes twice", id="a series twice"),
        pytest.param('up{a="1"} 1\n', "without HELP", id="nobody says what it is"),
        pytest.param("# TYPE up gauge\nup 1\n", "neither HELP", id="a type without help"),
        pytest.param(UP + "down 1\n", "another metric than up", id="a series of another metric"),
        pytest.param(UP + "up{a=1} 1\n", "cannot be read", id="a label without quotes"),
        pytest.param(UP + 'up{a="2",a="3"} 1\n', "comes twice", id="a label twice"),
        pytest.param(UP + 'up{a="2"} x\n', "no number", id="no number"),
        pytest.param(UP + "up\n", "no series", id="no value"),
        pytest.param(UP + "\n", "no series", id="an empty line"),
        pytest.param(UP.replace("gauge", "summary"), "no type", id="a type that we do not expose"),
    ],
)
def test_what_is_not_right_is_named_with_its_line(text: str, why: str) -> None:
    """Prometheus would drop the whole scrape for some of them, and keep silent about others."""
    with pytest.raises(UnreadableError, match=why):
        read(text)


@given(samples=st.dictionaries(st.tuples(st.text(), st.text()), st.floats(allow_nan=False)))
def test_whatever_is_written_is_read(samples: dict[tuple[str, str], float]) -> None:
    """Quotes, backslashes, line ends and any script in a label."""
    clean = {
        (a.encode("utf-8", "replace").decode(), b.encode("utf-8", "replace").decode()): number
        for (a, b), number in samples.items()
    }
    metric = agentmetrics.HEALTH_CHECK_UP
    found = read("".join(render([Family(metric, clean.items())])))
    series = found[metric.name].series
    assert {(dict(k)["service"], dict(k)["check"]): v for (_, k), v in series.items()} == clean


def test_a_histogram_may_only_grow_in_all_its_parts() -> None:
    """A bucket that lost an observation is as wrong as a sum that did."""
    metric = speakermetrics.LOOP_LAG
    histogram = Histogram(metric)
    histogram.observe(0.002)
    before = dict(counts(read("".join(render([Family(metric, histograms={(): histogram})])))))
    after = counts(read("".join(render([Family(metric, histograms={(): Histogram(metric)})]))))
    told = backwards(before, after)
    assert f"{metric.name}_count went from 1 back to 0" in told
    assert f'{metric.name}_bucket{{le="0.0025"}} went from 1 back to 0' in told


def test_a_gauge_may_go_back() -> None:
    """It is what it is now."""
    assert not list(counts(read(UP)))
    assert gauges(read(UP), "up", "a") == {"1": 1}
    assert value(read(UP), "up", a="1") == 1
    assert value(read(UP), "up", a="2") is None


def test_a_linter_is_shown_each_metric_once() -> None:
    """Also those that appear in one scrape of many, with each set of labels that they have."""
    names = Names()
    names.add(read(UP))
    names.add(read(UP.replace('a="1"', 'a="2"')))
    names.add(read(UP.replace('a="1"', 'b="\\"2"') + "# HELP more X.\n# TYPE more counter\n"))
    text = names.text()
    assert text.count("# HELP") == 2
    assert read(text)["up"].series == {
        ("up", (("a", "1"),)): 1,
        ("up", (("b", '"2'),)): 1,
    }
