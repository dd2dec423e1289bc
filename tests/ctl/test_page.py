"""Facts about docs/bgpctl.md: what it shows is what the program prints."""

from typing import Any, cast

import pytest
import typer

from bgpd.ctl.app import app
from tests.bench.ctl import BEGIN, END, table, updated
from tests.ctl.page import PAGE, PLACES, commands, written_anew


def test_the_screens_are_what_the_program_prints() -> None:
    """Whoever changes a screen runs `python -m tests.ctl.page`."""
    text = PAGE.read_text()
    assert written_anew(text) == text


def test_every_screen_has_a_place() -> None:
    """A command whose comment is misspelled would show nothing."""
    found = commands(PAGE.read_text())
    assert PAGE.read_text().count(": `bgpctl ") == len(found)
    assert {where for where, _ in found} <= PLACES.keys()
    assert len(found) == len(set(found))


def test_every_command_is_on_the_page() -> None:
    """With its screen, or with the page that has it."""
    text = PAGE.read_text()
    root = cast("Any", typer.main.get_command(app))
    shown = [name for name, one in root.commands.items() if not one.hidden]
    assert [one for one in shown if f"bgpctl {one}" not in text and f"`{one}`" not in text] == []


def test_figures_stand_between_their_marks() -> None:
    """`scripts/bench ctl --page` finds its place."""
    report = {
        "date": "2026-01-01",
        "services": 1000,
        "cores": 2,
        "load": 0.5,
        "python": "3.11.7",
        "figures": [
            {
                "command": "status",
                "state": "in order",
                "runs": 30,
                "p50": 201.4,
                "worst": 250.0,
                "cpu": 180.0,
                "status": 0,
            }
        ],
    }
    text = updated(PAGE.read_text(), report)
    assert f"{BEGIN}\n\n{table(report)}\n\n{END}" in text
    assert "| `bgpctl status` | in order | 201 | 250 | 180 | 0 | 30 |" in text
    with pytest.raises(ValueError, match="has no place for figures"):
        updated("nothing", report)
