"""The minutes that the pictures of the dashboards show: in each, every panel has something to show.

They are made of what was scraped in the lab, of several faults one after another on the same three
nodes, while a pool fills up. A scrape stands for one or more of those each 15 s, though the lab
made one each second or so: what lasts seconds there lasts minutes here, and rates are smaller than
they were. Nothing is made up. Each ends while something is wrong, because that is when people look.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.chart.prometheus import STEP_SECONDS
from tests.chart.recording import Recording, is_count, load_panels

CHOSEN: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "bgpd-node": {"node": ("n2",)},
    "bgpd-service": {"service": ("default/service-1", "default/service-2")},
}
"""What somebody chose in the variables of a dashboard, by its uid; All where nothing stands."""

Act = tuple[str, int, int, int]
"""A fault, its first scrape and the one after its last, and for how many each of them stands."""

ACTS: Final[Mapping[str, tuple[Act, ...]]] = {
    "bgpd-mesh": (
        ("no-endpoints", 0, 4, 2),
        ("rolling-upgrade", 0, 19, 1),
        ("mesh-partition", 0, 7, 2),
        ("link-down-bfd", 0, 4, 2),
    ),
    "bgpd-node": (
        ("provider", 0, 4, 2),
        ("host-fought-over", 0, 3, 2),
        ("no-endpoints", 0, 4, 2),
        ("api-hang", 0, 13, 1),
        ("rolling-upgrade", 0, 19, 1),
        ("link-down-bfd", 0, 4, 3),
    ),
    "bgpd-overview": (
        ("no-endpoints", 0, 4, 3),
        ("rolling-upgrade", 0, 19, 1),
        ("mesh-partition", 0, 7, 2),
        ("link-down-bfd", 0, 4, 2),
    ),
    "bgpd-service": (
        ("no-endpoints", 0, 4, 4),
        ("link-down-bfd", 0, 6, 2),
        ("pod-hang", 1, 4, 4),
    ),
}
"""What the nodes go through, by the uid of the dashboard."""
_CONTROLLER: Final = "pool-full"
_FILLS_AT: Final = 21
"""The step at which the pool begins to fill; before and after, the controller goes on."""

Track = tuple[tuple[str, int], ...]
"""The recording and the scrape of it that is shown at each step."""


def story(uid: str) -> Recording:
    """Return the minutes of a dashboard's picture."""
    nodes = tuple(
        (fault, index)
        for fault, first, end, each in ACTS[uid]
        for index in range(first, end)
        for _ in range(each)
    )
    full = len(load_panels(_CONTROLLER).seconds) - 1
    controller = tuple(
        (_CONTROLLER, min(max(step - _FILLS_AT, 0), full)) for step in range(len(nodes))
    )
    return joined(nodes, controller)


def joined(*tracks: Track) -> Recording:
    """Return *tracks*, which have no series in common, beside each other."""
    names = sorted({fault for track in tracks for fault, _ in track})
    kept = {name: load_panels(name) for name in names}
    return Recording(
        fault=" ".join(names),
        seconds=tuple(float(STEP_SECONDS * step) for step in range(len(tracks[0]))),
        series=dict(sorted(one for track in tracks for one in _series(track, kept))),
    )


def _series(
    track: Track, kept: Mapping[str, Recording]
) -> Iterator[tuple[str, tuple[float | None, ...]]]:
    faults = {fault for fault, _ in track}
    for name in {name for fault in faults for name in kept[fault].series}:
        yield name, tuple(_values(name, track, kept))


def _values(name: str, track: Track, kept: Mapping[str, Recording]) -> Iterator[float | None]:
    """Yield what *name* is at each step; what only grows goes on from one recording to the next."""
    metric = name.partition("{")[0]
    moment = metric.endswith("_timestamp_seconds")
    grows = not moment and (is_count(name) or metric == "bgpd_generation")
    base, told, before = 0.0, 0.0, ""
    for step, (fault, index) in enumerate(track):
        values = kept[fault].series.get(name, (None,) * len(kept[fault].seconds))
        value = values[index]
        if value is None:
            yield None
        elif moment:
            age = kept[fault].seconds[index] - value
            yield STEP_SECONDS * step - max(age, 0.0)  # a round of scrapes takes a while
        else:
            if grows and fault != before:
                base, before = told - value if before else 0.0, fault
            told = round(base + value, 6)  # a fall by a rounding would be a restart to Prometheus
            yield told
