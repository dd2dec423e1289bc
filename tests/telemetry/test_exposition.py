"""Metrics as text, read back by Prometheus' own parser."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bgpd.telemetry import speakermetrics
from bgpd.telemetry.exposition import PIECE, Family, complete, encode, number, one, render, zeros
from bgpd.telemetry.instruments import Histogram
from bgpd.telemetry.metric import Kind, Metric

words = st.text(st.characters(codec="utf-8"), max_size=20)
TWO = Metric(name="bgpd_test", kind=Kind.GAUGE, help="A \\ test\nof lines.", labels=("a", "b"))


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return each series' samples as Prometheus' parser understands *text*."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@given(samples=st.dictionaries(st.tuples(words, words), st.floats(allow_nan=False)))
def test_what_is_written_is_what_is_read(samples: dict[tuple[str, str], float]) -> None:
    """Whatever is in a label: quotes, backslashes, line ends, any script."""
    text = "".join(render([Family(TWO, samples.items())]))
    expected = {(("a", a), ("b", b)): value for (a, b), value in samples.items()}
    assert read(text).get("bgpd_test", {}) == expected


def test_half_a_character_of_a_file_name_spoils_nothing() -> None:
    """A lone surrogate has no UTF-8 form; the text must have one."""
    text = "".join(render([Family(TWO, [(("\udcff", "x"), 1)])]))
    assert read(encode(text).decode()) == {"bgpd_test": {(("a", "?"), ("b", "x")): 1}}


def test_a_histogram_is_read_as_one() -> None:
    """Buckets add up, a bound belongs to its own, +Inf counts all."""
    histogram = Histogram(speakermetrics.LOOP_LAG)
    for seconds in (0.0, 0.001, 0.0011, 7.0):
        histogram.observe(seconds)
    family = Family(speakermetrics.LOOP_LAG, histograms={(): histogram})
    found = read("".join(render([family])))
    buckets = found["bgpd_reflex_loop_lag_seconds_bucket"]
    assert buckets[(("le", "0.001"),)] == 2
    assert buckets[(("le", "1"),)] == 3
    assert buckets[(("le", "+Inf"),)] == 4
    assert found["bgpd_reflex_loop_lag_seconds_count"] == {(): 4}
    assert found["bgpd_reflex_loop_lag_seconds_sum"] == {(): 0.0021 + 7}


def test_what_is_known_beforehand_is_there_from_the_start() -> None:
    """A series that appears with its first event loses that event in a rate."""
    metric = speakermetrics.DRAIN_STATE
    assert dict(complete(metric, [(("Demoted",), 1)]).samples) == {
        ("NotDraining",): 0,
        ("Waiting",): 0,
        ("Demoted",): 1,
        ("Drained",): 0,
        ("Leaving",): 0,
    }
    known = zeros(speakermetrics.SESSION_TRANSITIONS, "p1")
    assert ("p1", "Established") in known
    assert len(known) == 6


def test_text_comes_in_small_pieces() -> None:
    """The loop has its turn between them, also within one family of ten thousand."""
    many = [((str(one), "x"), 1.0) for one in range(10_000)]
    pieces = list(render([one(speakermetrics.GENERATION, 3), Family(TWO, many)]))
    assert all(piece.count("\n") <= PIECE + 2 for piece in pieces)
    assert all(piece.endswith("\n") for piece in pieces)
    assert len(read("".join(pieces))["bgpd_test"]) == 10_000


def test_numbers_are_written_as_prometheus_reads_them() -> None:
    """Whole ones without a point, the others to their last bit."""
    assert [number(value) for value in (True, 3.0, 0.1, math.inf, -math.inf, math.nan)] == [
        "1",
        "3",
        "0.1",
        "+Inf",
        "-Inf",
        "NaN",
    ]
