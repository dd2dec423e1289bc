"""The demonstration at a provider: a node that knows nothing but one BGPPeer, then a power loss.

On BIRD, then on FRR, an empty node finds its routers by metadata; then a node loses power. The exit
status is 0 only if both promises held on both.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.lab.demo import HOLD, REPEAT, ROUTERS, series
from tests.lab.faults import FAULTS
from tests.lab.provider import ProviderName

GAP_MS: Final = 200.0
"""Target for the worst flow at the median: nobody waits for a hold time."""
SECONDS: Final = FAULTS["empty-node"].targets["routes_seconds"]
_HEAD: Final = ("router", "sessions", "routes", "target", "flow p50", "flow max", "p50 target")
_WIDTHS: Final = (8, 12, 12, 10, 12, 12, 12)


def demonstrate(provider: ProviderName, directory: Path) -> bool:
    """Run the demonstration and print it; tell whether the promises held."""
    began = time.monotonic()
    print(
        f"Three nodes at {provider}, of which bgpd knows one BGPPeer: {{provider: {provider}}}.\n"
        f"Metadata tells the rest. Two routers, several hops away, MD5, ten elastic IPs,\n"
        f"hold time {HOLD} s, no BFD. First a node starts empty; then one loses power."
    )
    reports = []
    for router in ROUTERS:
        more = ("--provider", provider.value)
        start = series("empty-node", router, directory, repeat=REPEAT, more=more)
        reports.append((start, series("power-loss", router, directory, repeat=REPEAT, more=more)))
    print(summary(reports))
    kept = all(promise_held(start, loss) for start, loss in reports)
    print(f"\n{'the promises held' if kept else 'THE PROMISES DID NOT HOLD'}", end="")
    print(f" ({time.monotonic() - began:.0f} s)")
    return kept


def promise_held(start: Mapping[str, Any], loss: Mapping[str, Any]) -> bool:
    """Tell whether the empty node was soon there each time, and the median flow soon back."""
    routes, gap = start["summary"]["routes_seconds"], loss["summary"]["worst_flow_gap_ms"]
    return (
        bool(start["summary"]["ok"] and loss["summary"]["ok"])
        and routes is not None
        and routes["max"] <= SECONDS
        and gap is not None
        and gap["p50"] <= GAP_MS
    )


def summary(reports: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Return the table: the slowest start of an empty node, and the gaps, beside their targets."""
    nothing = {"p50": float("nan"), "max": float("nan")}
    lines = ["", _line(_HEAD)]
    for start, loss in reports:
        sessions = start["summary"]["sessions_seconds"] or nothing
        routes = start["summary"]["routes_seconds"] or nothing
        gap = loss["summary"]["worst_flow_gap_ms"] or nothing
        cells = (
            start["plan"]["router"],
            f"{sessions['max']:.1f} s",
            f"{routes['max']:.1f} s",
            f"{SECONDS:.0f} s",
            f"{gap['p50']:.0f} ms",
            f"{gap['max']:.0f} ms",
            f"{GAP_MS:.0f} ms",
        )
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{wide}}" for cell, wide in zip(cells, _WIDTHS, strict=True))
