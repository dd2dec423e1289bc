"""Draw what the client saw: each answer a dot, each flow a line, the silence in red."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.figures import Flow, flows_of

_COLORS = ("#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf")
_BEFORE, _AFTER = 0.4, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One router's run: its record, who died when, and what it measured."""

    title: str
    record: Mapping[str, Any]
    begin: float
    affected: tuple[str, ...]
    gap_ms: float | None


def draw(panels: Sequence[Panel], paths: Sequence[Path]) -> None:
    """Write the picture of all *panels* to each of *paths*; the suffix decides the format."""
    import matplotlib as mpl  # noqa: PLC0415 - 300 ms that only this function needs

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(
        len(panels), 1, figsize=(11, 3.6 * len(panels)), sharex=True, squeeze=False
    )
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        _draw_panel(axis, panel)
    axes[-1, 0].set_xlabel("milliseconds since the node lost power")
    figure.tight_layout()
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    plt.close(figure)


def lines(flow: Flow, begin: float) -> dict[str, list[float]]:
    """Return node -> arrival of its answers in ms since *begin*, within the picture."""
    found: dict[str, list[float]] = {}
    for _, at, node in flow.answers:
        if -_BEFORE <= at - begin <= _AFTER:
            found.setdefault(node, []).append((at - begin) * 1000)
    return found


def _draw_panel(axis: Any, panel: Panel) -> None:
    seen: dict[str, Any] = {}
    flows = flows_of(panel.record)
    for row, flow in enumerate(flows):
        for node, times in sorted(lines(flow, panel.begin).items()):
            color = _COLORS[(int(node[1:]) - 1) % len(_COLORS)]
            (seen[node],) = axis.plot(times, [row] * len(times), ".", color=color, markersize=3)
        if flow.used(panel.affected, panel.begin):
            _, start, end = flow.worst_gap(panel.begin, panel.begin + _AFTER)
            left, width = (start - panel.begin) * 1000, (end - start) * 1000
            axis.barh(row, width, left=left, height=0.5, color="#d62728", alpha=0.35)
            axis.text(
                left + width / 2, row, f"{width:.0f} ms", fontsize=7, va="center", ha="center"
            )
    axis.axvline(0, color="black", linewidth=1)
    axis.set_xlim(-_BEFORE * 1000, _AFTER * 1000)
    axis.set_yticks(range(len(flows)), [str(row + 1) for row in range(len(flows))], fontsize=7)
    axis.set_ylabel("flow")
    axis.set_title(panel.title, fontsize=10, loc="left")
    labels = [f"{n} (power lost)" if n in panel.affected else n for n in sorted(seen)]
    handles = [seen[n] for n in sorted(seen)]
    axis.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.55, 1.0), ncols=5, fontsize=8)
