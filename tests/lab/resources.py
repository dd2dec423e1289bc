"""What one node costs: memory of its three processes, and their CPU while nothing happens."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.lab.nodes import ROOT

_IDLE_SECONDS = 20.0
_SETTLE_SECONDS = 10.0
_HZ = 100
"""USER_HZ, in which /proc counts (proc(5))."""
_PROBE = """
import json, pathlib
found = {}
for path in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (path / "cmdline").read_bytes().split(b"\\0")
        role = {b"bgpd.exabgp.launcher": "exabgp", b"bgpd.speaker": "reflex",
                b"bgpd.agent": "agent"}.get(words[2] if len(words) > 2 else b"")
        node = next((w for w in words if w.startswith(b"--node=")), b"")
        named = node == b"--node=n1" or b"--node=n1 " in b" ".join(words)
        if role and named:
            pss = [l for l in (path / "smaps_rollup").read_text().splitlines() if l[:4] == "Pss:"]
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            found[role] = [int(pss[0].split()[1]), int(fields[11]) + int(fields[12])]
    except OSError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """One node at rest; MB are 10^6 bytes, percents are of one core."""

    services: int
    seconds: float
    exabgp_mb: float
    reflex_mb: float
    agent_mb: float
    exabgp_percent: float
    reflex_percent: float
    agent_percent: float

    def as_json(self) -> dict[str, Any]:
        """Return the figures as an object."""
        return asdict(self)


def measure_resources(*, services: int) -> Resources:
    """Build a lab with *services*, let it rest, and measure its first node."""
    _lab("up", "--services", str(services))
    try:
        time.sleep(_SETTLE_SECONDS)
        before, began = _look(), time.monotonic()
        time.sleep(_IDLE_SECONDS)
        after, seconds = _look(), time.monotonic() - began
    finally:
        _lab("down")
    figures = {}
    for role in ("exabgp", "reflex", "agent"):
        figures[f"{role}_mb"] = after[role][0] * 1024 / 1e6
        ticks = after[role][1] - before[role][1]
        figures[f"{role}_percent"] = 100 * ticks / _HZ / seconds
    return Resources(services=services, seconds=seconds, **figures)


def _look() -> dict[str, list[int]]:
    text = _lab("exec", "n1", "--", sys.executable, "-c", _PROBE)
    found: dict[str, list[int]] = json.loads(text)
    return found


def _lab(*words: str) -> str:
    command = [str(Path(ROOT) / "scripts" / "lab"), *words]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
