"""What is measured on the rig, in alternating blocks; each measure returns plain figures.

A flip patches one EndpointSlice and waits for the router's kernel. Its way has three parts: until
the watch event is at the node (the API server's), until the UPDATE is at the router (the
speaker's), until the route has changed (the router's).
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.rig import NODE, Ours, Rig, Speaker
from tests.bench.trace import Calls
from tests.lab.watch import NodeTap

Figures = dict[str, Any]
Say = Callable[[str], None]

_WARM_UP = 3
"""Flips each way at the start of a block that do not count: nobody's first is his usual one."""
_SETTLE = 3.0
_GAP = 0.35
"""Seconds between flips, on average, as in the figures that MetalLB's were compared with."""
_PAUSE = 3.0
"""Seconds between two mass changes."""
_MOST = 60.0


def event_to_route(rig: Rig, *, repeat: int, block: int, say: Say, traced: bool = False) -> Figures:
    """Return every flip of a Service's endpoint, *repeat* each way for each speaker.

    The Services take turns: a speaker may hold back one that comes and goes all the time.
    *traced* flips of bgpd also tell what of its share is whose.
    """
    tap = NodeTap(NODE)
    runs: list[Figures] = []
    for number, speaker, count in blocks(rig, repeat, block):
        rig.begin(speaker)
        time.sleep(_SETTLE)
        trace = rig.trace() if traced and isinstance(speaker, Ours) else None
        flips: list[Figures] = []
        for i in range(-_WARM_UP, count):
            for present in (False, True):
                flip = _flip(rig, tap, 1 + i % len(rig.prefixes), present=present)
                if i >= 0:
                    flips.append({"speaker": speaker.name, "block": number, **flip})
                time.sleep(_GAP * random.uniform(0.5, 1.5))
        if trace:
            calls = trace.stop()
            flips = [{**flip, **_within(flip, calls)} for flip in flips]
        runs += flips
        rig.end(speaker)
        say(f"block {number}: {speaker.name}, {count} each way{_medians(runs, speaker, number)}")
    tap.close()
    return {"runs": runs}


def mass(rig: Rig, *, repeat: int, block: int, say: Say) -> Figures:
    """Return how far the routes lag behind the patches of all EndpointSlices at once."""
    runs: list[Figures] = []
    for number, speaker, count in blocks(rig, repeat, block):
        rig.begin(speaker)
        time.sleep(_SETTLE)
        for i in range(-1, count):
            for present in (False, True):
                found = _mass(rig, present=present)
                if i >= 0:
                    runs.append({"speaker": speaker.name, "block": number, **found})
                    say(f"{speaker.name}: {found}")
                time.sleep(_PAUSE)
        rig.end(speaker)
    return {"runs": runs}


def cold_start(rig: Rig, *, repeat: int, block: int, say: Say) -> Figures:
    """Return the seconds from the start of a speaker's first process to the last route."""
    runs: list[Figures] = []
    for number, speaker, count in blocks(rig, repeat, block):
        for _ in range(count):
            load = os.getloadavg()[0]
            seconds = round(rig.begin(speaker), 3)
            runs.append(
                {"speaker": speaker.name, "block": number, "seconds": seconds, "load": load}
            )
            say(f"{speaker.name}: {seconds} s")
            rig.end(speaker)
    return {"runs": runs}


def blocks(rig: Rig, repeat: int, block: int) -> Iterator[tuple[int, Speaker, int]]:
    """Yield number, speaker and length of each block: the speakers in turns."""
    left, number = repeat, 0
    while left > 0:
        count = min(block, left)
        left -= count
        number += 1
        for speaker in rig.speakers if number % 2 else rig.speakers[::-1]:
            yield number, speaker, count


def _flip(rig: Rig, tap: NodeTap, number: int, *, present: bool) -> Figures:
    """Patch the endpoint of Service *number* and wait for its route."""
    (prefix,) = (rig.plan.prefix(number, version) for version in rig.plan.family.versions)
    tap.arrivals()
    since, updates = len(rig.watch.routes), len(rig.watch.updates)
    sent = rig.patch(number, present=present)
    changed = rig.await_routes(frozenset({prefix}), since, present=present, seconds=_MOST)
    time.sleep(0.01)  # the capture is read by another thread
    told = [
        update.at
        for update in rig.watch.updates[updates:]
        if prefix in (update.advertised if present else update.withdrawn)
    ]
    heard = [at for at in tap.arrivals() if at >= sent and (not told or at <= told[0])]
    return {
        "present": present,
        "at_node": heard[0] if heard else None,
        "at_router": told[0] if told else None,
        "route_ms": _ms(sent, changed),
        "api_ms": _ms(sent, heard[0] if heard else None),
        "speaker_ms": _ms(heard[0] if heard else None, told[0] if told else None),
        "router_ms": _ms(told[0] if told else None, changed),
    }


def _within(flip: Figures, calls: Calls) -> Figures:
    """Return what of the speaker's share passed between the reads and writes of its processes."""
    arrived, left = flip["at_node"], flip["at_router"]
    if arrived is None or left is None:
        return {}
    read = min((at for at in calls.agent_read if arrived <= at <= left), default=None)
    wrote = max((at for at in calls.reflex_wrote if arrived <= at <= left), default=None)
    if read is None or wrote is None:
        return {}
    heard = max((at for at in calls.reflex_read if read <= at <= wrote), default=None)
    return {
        "wake_ms": _ms(arrived, read),
        "ours_ms": _ms(read, wrote),
        "agent_ms": _ms(read, heard),
        "reflex_ms": _ms(heard, wrote),
        "exabgp_ms": _ms(wrote, left),
    }


def _mass(rig: Rig, *, present: bool) -> Figures:
    since = len(rig.watch.routes)
    load = os.getloadavg()[0]
    first, acknowledged = rig.patch_all(present=present)
    last = rig.await_routes(rig.prefixes, since, present=present, seconds=_MOST)
    return {
        "present": present,
        "patched_ms": _ms(first, acknowledged),
        "lag_ms": _ms(acknowledged, last),
        "all_ms": _ms(first, last),
        "load": load,
    }


def _ms(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 3)


def _medians(runs: list[Figures], speaker: Speaker, number: int) -> str:
    mine = [r for r in runs if r["speaker"] == speaker.name and r["block"] == number]
    known = sorted(run["route_ms"] for run in mine if run["route_ms"] is not None)
    return f", median {known[len(known) // 2]:.2f} ms" if known else ""
