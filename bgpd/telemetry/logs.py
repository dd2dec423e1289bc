"""Log lines: an event name in snake case and its keys, one line each, on stderr.

Info is what a person may care about tomorrow, warning is degraded but acting alone, error means
that a person must act. The keys are the metric's labels.

Writing a line never waits for whoever reads it: see `bgpd.stderr`.
"""

import logging
import sys
import time
from collections.abc import Iterable
from typing import Final

from bgpd import stderr

LEVELS: Final = ("debug", "info", "warning", "error")


class _Formatter(logging.Formatter):
    """`2026-11-22T03:12:07.152Z warning speaker session_changed peer=10.0.0.0 state=Idle`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{moment}.{int(record.msecs):03d}Z {record.levelname.lower()} {record.name}"
        line = f"{head} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def start(program: str, level: str) -> logging.Logger:
    """Set up logging for *program* on stderr at *level*, one of `LEVELS`; return its logger."""
    stderr.install()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logger = logging.getLogger(program)
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    return logger


def write(
    logger: logging.Logger, level: str, event: str, keys: Iterable[tuple[str, object]] = ()
) -> None:
    """Write *event* with its *keys*; keys without a value are left out."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if logger.isEnabledFor(number):
        pairs = (f" {key}={_quoted(value)}" for key, value in keys if value not in (None, ""))
        logger.log(number, "%s%s", event, "".join(pairs))


def _quoted(value: object) -> str:
    text = str(value)
    if text and all(c.isprintable() and c not in ' "=' for c in text):
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'
