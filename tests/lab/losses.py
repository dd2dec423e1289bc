"""What happened around a loss where nothing may be lost: for whoever has to find out why.

A file beside the logs of the lab; it is written only where something was lost.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.lab.figures import flows_of
from tests.lab.watch import RouterWatch

_AROUND: Final = 1.0
"""Seconds before the first and after the last lost packet."""


def write_losses(path: Path, record: Mapping[str, Any], watch: RouterWatch, struck: float) -> None:
    """Write which flows lost what, and what the router did then; times are since the strike."""
    flows = flows_of(record)
    end = min((flow.sent[-1] for flow in flows if flow.sent), default=struck)
    lost = {index: flow.lost_at(struck, end) for index, flow in enumerate(flows)}
    every = sorted(at for ats in lost.values() for at in ats)
    if not every:
        return
    first, last = every[0] - _AROUND, every[-1] + _AROUND

    def since(at: float) -> float:
        return round(at - struck, 4)

    told = {
        "flows": [
            {
                "to": record["udp"][index]["spec"]["address"],
                "lost": len(ats),
                "between": [since(ats[0]), since(ats[-1])],
                "before": sorted(flows[index].nodes_between(ats[0] - 0.2, ats[0])),
                "after": sorted(flows[index].nodes_between(ats[-1], ats[-1] + 0.2)),
            }
            for index, ats in lost.items()
            if ats
        ],
        "routes": [
            [since(c.at), c.prefix, "deleted" if c.deleted else sorted(c.gateways)]
            for c in watch.routes
            if first <= c.at <= last
        ],
        "updates": [
            [since(u.at), u.source, {"advertised": sorted(u.advertised)},
             {"withdrawn": sorted(u.withdrawn)}]
            for u in watch.updates
            if first <= u.at <= last
        ],
    }  # fmt: skip
    path.write_text(json.dumps(told, indent=1) + "\n")
