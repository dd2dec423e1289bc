"""The bench of probes runs and counts what it says it counts; its figures are not judged here."""

import json
from pathlib import Path

import pytest

from tests.bench import probes


@pytest.mark.timeout(400)
def test_a_short_run_counts_every_probe(tmp_path: Path) -> None:
    """A hundred targets twice a second, all answering: no failure, and heartbeats beside them."""
    output = tmp_path / "probes.json"
    arguments = ["--probes", "100", "--period", "500", "--seconds", "2", "--output", str(output)]
    arguments += ["--timeout", "30000"]  # who is answered late, because nobody ran, is answered
    assert probes.main(arguments) == 0
    told = json.loads(output.read_text())
    assert told["asked"] == {"probes": 100, "period": 500}
    assert told["failures"] == told["unhealthy"] == 0
    assert told["probes"] >= 100
    assert told["with_probes"]["heartbeats"] > 10
    assert told["without_probes"]["p99"] >= told["without_probes"]["p50"] >= 0
