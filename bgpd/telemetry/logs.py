"""Log lines: an event name in snake case and its keys, one line each, on stderr.

Info is what a person may care about tomorrow, warning is degraded but acting alone, error means
that a person must act. The keys are the metric's labels. At a terminal a line is text, elsewhere
one JSON object, in the same words.

Every event is also counted and kept by the process's `Recorder`, and what repeats is thinned out
there. Writing a line never waits for whoever reads it: see `bgpd.stderr`.
"""

import asyncio
import atexit
import logging
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final

import msgspec

from bgpd import stderr
from bgpd.model.event import Event
from bgpd.telemetry.recorder import Recorder

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "text", "json")

LONGEST_VALUE: Final = 2_000
"""Characters; what is longer is cut, so that a pipe takes the line whole: others write to it."""
_NUMBERS: Final = {name: logging.getLevelNamesMapping()[name.upper()] for name in LEVELS}
_RECORDERS: Final[dict[str, Recorder]] = {}
_WAITING: Final[dict[str, asyncio.AbstractEventLoop]] = {}
"""Loops with a timer for a recorder that left lines out."""


def recorder(logger: logging.Logger) -> Recorder:
    """Return who keeps the events of *logger*'s process."""
    found = _RECORDERS.get(logger.name)
    if found is None:
        found = _RECORDERS[logger.name] = Recorder(logger.name)
    return found


class _Words:
    """An event as the message of a record: put into words only where somebody wants to read."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event = event

    def __str__(self) -> str:
        pairs = (f" {key}={_quoted(value)}" for key, value in self.event.keys)
        return f"{self.event.event}{''.join(pairs)}"


class _Text(logging.Formatter):
    """`2026-11-22T03:12:07.152Z warning speaker session_changed peer=tor-a state=Idle`."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_moment(record)} {record.levelname.lower()} {record.name}"
        line = f"{head} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JSON(logging.Formatter):
    """`{"ts":"2026-11-22T03:12:07.152Z","level":"warning","process":"speaker","event":…}`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": _moment(record),
            "level": record.levelname.lower(),
            "process": self._process,
        }
        event = _event_of(record)
        if event is not None:
            line["event"] = event.event
            # What an event's key is called may not hide what every line has.
            line |= {(f"{key}_" if key in line else key): value for key, value in event.keys}
        else:
            line |= {"event": "line", "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def start(program: str, level: str, form: str = "text", *, runs: str = "") -> logging.Logger:
    """Set up logging for *program* on stderr from *level* up, in one of `FORMATS`.

    Return its logger. What libraries log comes in the same form. With *runs*, what runs and its
    version, the first line says so.
    """
    stderr.install()
    handler = logging.StreamHandler(sys.stderr)
    if stderr.chosen(form) == "json":
        handler.setFormatter(_JSON(program))
        stderr.wrap_in_json(program)
    else:
        handler.setFormatter(_Text())
    # What libraries log has no handler of its own, and would be a bare sentence.
    logging.lastResort = handler
    sys.excepthook = partial(_crash, program)
    logger = logging.getLogger(program)
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    if program not in _RECORDERS:
        atexit.register(_finish, logger)
    _RECORDERS[program] = Recorder(program)
    if runs:
        write(logger, "info", "started", [("program", runs)])
    return logger


def write(
    logger: logging.Logger, level: str, event: str, keys: Iterable[tuple[str, object]] = ()
) -> None:
    """Write *event* with its *keys*; keys without a value are left out."""
    number = _NUMBERS[level]
    if number == logging.DEBUG and not logger.isEnabledFor(number):
        return
    said = tuple((key, _said(value)) for key, value in keys if value is not None and value != "")
    what = Event(at=time.time(), level=level, event=event, keys=said, process=logger.name)
    keeper, now = recorder(logger), time.monotonic()
    if keeper.record(what, now):
        _emit(logger, what)
    if keeper.owes:
        waiting = _WAITING.get(logger.name)
        if waiting is None or waiting.is_closed():
            _tell_later(logger, keeper, now)


def _tell_later(logger: logging.Logger, keeper: Recorder, now: float) -> None:
    """Tell what was left out once it is due, if need be when nothing else happens any more."""
    for event in keeper.due(now):
        _emit(logger, event)
    due = keeper.deadline()
    if due is None:
        return
    with suppress(RuntimeError):  # no loop runs: the next line or the end of the process tells
        _WAITING[logger.name] = loop = asyncio.get_running_loop()
        loop.call_later(due - now, _wake, logger)


def _wake(logger: logging.Logger) -> None:
    _WAITING.pop(logger.name, None)
    _tell_later(logger, recorder(logger), time.monotonic())


def _finish(logger: logging.Logger) -> None:
    for event in recorder(logger).close(time.monotonic()):
        _emit(logger, event)


def _crash(
    program: str, kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    """Write the last line of a process that ends by a mistake of ours."""
    logger = logging.getLogger(program)
    keys = (("reason", _said(f"{kind.__name__}: {error}")),)
    what = Event(at=time.time(), level="error", event="crashed", keys=keys, process=program)
    logger.error("%s", _Words(what), exc_info=error)


def _emit(logger: logging.Logger, event: Event) -> None:
    logger.log(_NUMBERS[event.level], "%s", _Words(event))


def _event_of(record: logging.LogRecord) -> Event | None:
    match record.args:
        case (_Words() as words,):
            return words.event
        case _:
            return None


def _moment(record: logging.LogRecord) -> str:
    event = _event_of(record)
    return stderr.moment(record.created if event is None else event.at)


def _said(value: object) -> str:
    """Return *value* as every reader gets it: in the log, in the ring, in the metric's label."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if len(text) > LONGEST_VALUE:
        text = text[: LONGEST_VALUE - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text


def _quoted(text: str) -> str:
    if text and all(c.isprintable() and c not in ' "=' for c in text):
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'
