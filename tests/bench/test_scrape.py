"""What a scrape costs is judged by its own turns of the loop, while it was asked for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.scrape import MOST_BYTES, MOST_HELD_MS, MOST_MS, Figures, _turns, table

GOOD = Figures(
    process="agent",
    elastic_ips="sums",
    scrapes=3,
    ms_p50=7.0,
    ms_max=9.0,
    bytes=10_000,
    held_ms=4.0,
    held_wall_ms=50.0,
    others_ms=30.0,
)


@pytest.mark.parametrize(
    ("figures", "held"),
    [
        pytest.param(GOOD, True, id="others may be slow, and the machine busy"),
        pytest.param(replace(GOOD, ms_p50=MOST_MS + 1), False, id="it takes too long"),
        pytest.param(replace(GOOD, bytes=MOST_BYTES + 1), False, id="it is too large"),
        pytest.param(replace(GOOD, held_ms=MOST_HELD_MS + 1), False, id="it holds the loop"),
    ],
)
def test_figures_beside_their_targets(figures: Figures, *, held: bool) -> None:
    """The last word of the line says so."""
    assert figures.held is held
    *_, line = table([figures])
    assert line.endswith("held" if held else "missed")


def test_turns_count_while_a_scrape_is_asked_for(tmp_path: Path) -> None:
    """Also one that had begun before; those of others stand apart."""
    turns = [
        {"at": 0.9, "wall": 0.2, "cpu": 0.1, "what": "Scrape._go_on"},
        {"at": 1.5, "wall": 0.3, "cpu": 0.2, "what": "Connection._step"},
        {"at": 1.6, "wall": 0.4, "cpu": 0.3, "what": "Account.tell"},
        {"at": 3.0, "wall": 0.5, "cpu": 0.4, "what": "Scrape._go_on"},
    ]
    notes = tmp_path / "1.jsonl"
    notes.write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    own, others = _turns(notes, [(1.0, 2.0)])
    assert [turn["cpu"] for turn in own] == [0.1, 0.2]
    assert [turn["what"] for turn in others] == ["Account.tell"]
    assert _turns(tmp_path / "none.jsonl", [(1.0, 2.0)]) == ([], [])
