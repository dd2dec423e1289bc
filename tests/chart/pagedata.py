"""What a dashboard shows: the answers of a real Prometheus to what Grafana would ask it.

Each panel's queries are asked as their targets say: over the whole time, or at its end. Variables
are filled in as Grafana does it, as All or as what was chosen.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.chart.prometheus import STEP_SECONDS, Answer, Prometheus
from tests.chart.test_panels import chosen as several
from tests.chart.test_panels import everything, filled, variables

_ANNOTATION_STEP: Final = 60
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a panel."""

    legend: str
    """Empty where nobody gave it a name."""
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    """Moment and number, each STEP_SECONDS; what is no number is left out."""

    @property
    def last(self) -> float:
        """Return the newest number."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What happened, as a line across each graph."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A dashboard with all its answers."""

    board: Mapping[str, Any]
    start: float
    end: float
    choices: tuple[tuple[str, str], ...]
    """Each variable and what it is."""
    lines: Mapping[int, tuple[Line, ...]]
    """By the panel's id."""
    marks: tuple[Mark, ...]


def answered(
    running: Prometheus,
    board: dict[str, Any],
    recording: str,
    chosen: Mapping[str, tuple[str, ...]],
) -> Shown:
    """Ask everything that *board* asks over *recording*, of what was *chosen* in its variables."""
    names = [name for name, *_ in variables(board)]
    assert chosen.keys() <= set(names), (board["uid"], chosen)
    values = everything(board) | {name: several(list(found)) for name, found in chosen.items()}
    start, end = running.hours[recording]
    return Shown(
        board=board,
        start=start,
        end=end,
        choices=tuple((name, " + ".join(chosen.get(name, ("All",)))) for name in names),
        lines={
            panel["id"]: tuple(_lines(running, panel, recording, values))
            for panel in board["panels"]
            if panel["type"] != "row"
        },
        marks=tuple(_marks(running, board, recording, values)),
    )


def _lines(
    running: Prometheus, panel: Mapping[str, Any], recording: str, values: Mapping[str, str]
) -> Iterator[Line]:
    for target in panel["targets"]:
        query = filled(target["expr"], values)
        if target["range"]:
            answers = running.ranged(query, recording, STEP_SECONDS)
        else:
            answers = running.instant(query, recording)
        for answer in answers:
            if points := _numbers(answer):
                legend = _legend(target["legendFormat"], answer.labels)
                yield Line(legend=legend, labels=answer.labels, points=points)


def _numbers(answer: Answer) -> tuple[tuple[float, float], ...]:
    return tuple((at, value) for at, value in answer.points if math.isfinite(value))


def _legend(wanted: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series; `__auto` is the panel's own title, so it needs none."""
    if wanted == "__auto":
        return ""
    return _LABEL.sub(lambda match: labels.get(match[1], ""), wanted)


def _marks(
    running: Prometheus, board: dict[str, Any], recording: str, values: Mapping[str, str]
) -> Iterator[Mark]:
    """Yield where each annotation begins; what goes on is not marked again."""
    for one in board["annotations"]["list"]:
        if one["datasource"]["type"] != "prometheus":
            continue
        asked = filled(one["expr"], values)
        for answer in running.ranged(asked, recording, _ANNOTATION_STEP):
            before = -math.inf
            for at, _ in answer.points:
                if at - before > _ANNOTATION_STEP:
                    yield Mark(at=at, text=_legend(one["textFormat"], answer.labels))
                before = at
