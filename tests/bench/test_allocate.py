"""The measurement of the allocator measures what it says."""

import json
from pathlib import Path

import pytest

from tests.bench import allocate


@pytest.mark.parametrize("load", allocate.LOADS)
def test_load(load: str) -> None:
    """Everybody gets an address from pools that are just large enough; the late ones get none."""
    setting = allocate.world(services=56, pools=7)
    given, rate = allocate.LOADS[load](setting)
    assert given == (0 if load == "refuse, full" else 56)
    assert rate > 0


def test_the_figures_can_be_kept(tmp_path: Path) -> None:
    """A file has what the table has, for each load."""
    file = tmp_path / "figures.json"
    assert (
        allocate.main(["--services", "20", "--pools", "3", "--repeat", "2", "--json", str(file)])
        == 0
    )
    found = json.loads(file.read_text())
    assert list(found["loads"]) == list(allocate.LOADS)
    assert found["loads"]["allocate"]["given"] == 20
    assert found["bytes a Service"] > 0


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a line for each load, and what a Service costs in memory."""
    assert allocate.main(["--services", "20", "--pools", "3", "--repeat", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:34].strip() for line in lines[2:-1]] == list(allocate.LOADS)
    assert lines[-1].startswith("memory: ")
