"""What a process logs, counts and keeps."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpd.model.event import Event
from bgpd.telemetry import logs
from bgpd.telemetry.recorder import FLOOD, KEPT, REPEATS, SETTLED_SECONDS, WINDOW_SECONDS, Recorder


def _event(name: str = "mesh_path", **keys: str) -> Event:
    return Event(at=1.0, level="warning", event=name, keys=tuple(keys.items()), process="speaker")


@contextmanager
def _logging(form: str, level: str = "info") -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """Log into a text stream instead of stderr."""
    logger = logs.start("test-logs", level, form)
    stream = io.StringIO()
    (handler,) = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield logger, stream


def test_an_event_that_happened_is_counted_and_kept() -> None:
    """The counter of the metric and the ring of `bgpctl events` see what the log sees."""
    with _logging("text") as (logger, stream):
        logs.write(logger, "info", "member_up", [("member", "n2"), ("reason", None), ("x", "")])
        keeper = logs.recorder(logger)
        assert keeper.counts == {("member_up", "info"): 1}
        (kept,) = keeper.recent()
        assert (kept.level, kept.event, kept.keys) == ("info", "member_up", (("member", "n2"),))
        assert kept.process == "test-logs"
        assert stream.getvalue().endswith("Z info test-logs member_up member=n2\n")


def test_the_ring_keeps_the_last_events_only() -> None:
    """A process that runs for months keeps what fits."""
    keeper = Recorder()
    for number in range(KEPT + 10):
        keeper.record(_event(f"event_{number}"), float(number))
    assert len(keeper.recent()) == KEPT
    assert keeper.recent()[-1].event == f"event_{KEPT + 9}"
    assert sum(keeper.counts.values()) == KEPT + 10


def test_json_says_the_same_words_as_text() -> None:
    """One object a line, with the keys of the text line and no others."""
    keys: list[tuple[str, object]] = [
        ("member", "n2"),
        ("draining", True),
        ("reason", 'said "no"\n'),
        ("level", "of the event"),
        ("file", "caf\udce9"),
    ]
    with _logging("json") as (logger, stream):
        logs.write(logger, "warning", "member_changed", keys)
        (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    moment = found.pop("ts")
    assert len(moment) == len("2026-11-22T03:12:07.152Z")
    assert found == {
        "level": "warning",
        "process": "test-logs",
        "event": "member_changed",
        "member": "n2",
        "draining": "true",
        "reason": 'said "no"\n',
        "level_": "of the event",
        "file": "caf\\udce9",
    }


def test_what_is_no_terminal_gets_json() -> None:
    """A container's log is read by programs."""
    with _logging("auto") as (logger, stream):
        logs.write(logger, "info", "started")
    assert json.loads(stream.getvalue())["event"] == "started"


def test_a_value_without_end_is_cut() -> None:
    """A line that a reader would cut is no JSON any more, so the value is cut instead."""
    with _logging("json") as (logger, stream):
        logs.write(logger, "error", "state", [("problem", "x" * 100_000)])
        found = json.loads(stream.getvalue())
    assert len(found["problem"]) == logs.LONGEST_VALUE
    assert found["problem"].endswith("…")


def test_what_a_library_logs_is_json_too() -> None:
    """Whoever parses the log meets no line that is none."""
    with _logging("json") as (logger, stream):
        logger.warning("a sentence of %s", "asyncio")
    assert json.loads(stream.getvalue())["message"] == "a sentence of asyncio"


def test_the_sixth_same_line_of_a_minute_is_counted() -> None:
    """Five lines are written; what follows is one line with its number when it is over."""
    keeper = Recorder()
    written = [keeper.record(_event(member="n2"), float(second)) for second in range(9)]
    assert written == [True] * REPEATS + [False] * 4
    assert keeper.deadline() == 8.0 + SETTLED_SECONDS
    assert list(keeper.due(8.0 + SETTLED_SECONDS - 0.1)) == []
    (told,) = keeper.due(8.0 + SETTLED_SECONDS)
    assert told.keys == (("member", "n2"), ("repeated", "4"))
    assert keeper.counts == {("mesh_path", "warning"): 9}
    assert keeper.left_out == 4
    assert not keeper.owes


def test_what_goes_on_is_a_line_a_minute() -> None:
    """An hour of repeats, one a second, is five lines and one for each minute."""
    keeper = Recorder()
    lines = written = 0
    for second in range(3600):
        written += keeper.record(_event(member="n2"), float(second))
        lines += len(list(keeper.due(float(second))))
    rest = list(keeper.close(3600.0))
    assert written == REPEATS
    assert 59 <= lines + len(rest) <= 60
    assert sum(int(dict(one.keys)["repeated"]) for one in keeper.recent()[REPEATS:]) == 3595


def test_after_a_quiet_minute_a_line_is_news_again() -> None:
    """Nothing is left out because of what happened long ago."""
    keeper = Recorder()
    for _ in range(REPEATS):
        assert keeper.record(_event(member="n2"), 0.0)
    assert not keeper.record(_event(member="n2"), WINDOW_SECONDS - 1)
    assert len(list(keeper.due(WINDOW_SECONDS))) == 1
    assert keeper.record(_event(member="n2"), 2 * WINDOW_SECONDS)


def test_another_member_is_another_line() -> None:
    """Repeats are told apart by their keys."""
    keeper = Recorder()
    for number in range(50):
        assert keeper.record(_event(member=f"n{number}"), 0.0)


def test_a_flood_of_one_event_is_counted() -> None:
    """Ten thousand lines of one event that differ in a key are some lines and one number."""
    keeper = Recorder()
    written = sum(keeper.record(_event(member=f"n{number}"), 0.0) for number in range(10_000))
    assert written == FLOOD
    (told,) = keeper.close(1.0)
    assert told.keys == (("left_out", str(10_000 - FLOOD)),)
    assert keeper.record(_event("another_event", member="n1"), 1.0)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_was_left_out_is_told_by_the_next_line(form: str) -> None:
    """Without a loop nobody wakes up, so whatever is logged next settles it."""
    with _logging(form) as (logger, stream):
        for _ in range(REPEATS + 2):
            logs.write(logger, "info", "started")
        logs._finish(logger)
        assert len(stream.getvalue().splitlines()) == REPEATS + 1
        assert "repeated" in stream.getvalue().splitlines()[-1]
