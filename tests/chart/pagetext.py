"""Numbers as Grafana writes and colors them: units, thresholds, value mappings.

Only what the dashboards use is known here; anything else is an error, so that a dashboard never has
something that its picture leaves out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

COLORS: Final[Mapping[str, str]] = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
}
PALETTE: Final = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#5794f2",
    "#b877d9",
    "#fa8bc4",
    "#37b3a6",
    "#c0d8a0",
    "#c15c17",
    "#a352cc",
)
"""What lines have, in turn."""
_THOUSANDS: Final = ("", " K", " Mil", " Bil", " Tri")
_BYTES: Final = (" B", " KiB", " MiB", " GiB", " TiB")
_SECONDS: Final = ((3600.0, " hours"), (60.0, " mins"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs"))
_DIGITS: Final = 3


def written(value: float, unit: str) -> str:
    """Return *value* with its unit."""
    match unit:
        case "short":
            return _scaled(value, 1000, _THOUSANDS)
        case "ops":
            return f"{_scaled(value, 1000, _THOUSANDS)} ops/s"
        case "bytes":
            return _scaled(value, 1024, _BYTES)
        case "percentunit":
            return f"{number(100 * value)}%"
        case "s":
            return _lasting(value)
        case _:
            raise ValueError(f"no such unit in our pictures: {unit!r}")


def number(value: float) -> str:
    """Return *value* with three digits that count, and no zero that says nothing."""
    if value == 0:
        return "0"
    after = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{after}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, base: int, names: Sequence[str]) -> str:
    power = 0
    while abs(value) >= base and power < len(names) - 1:
        value /= base
        power += 1
    return number(value) + names[power]


def _lasting(value: float) -> str:
    for length, name in _SECONDS:
        if abs(value) >= length:
            return number(value / length) + name
    return "0 s" if value == 0 else f"{value * 1e9:.0f} ns"


def look(value: float, defaults: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the color of *value*: by the mappings, else by unit and thresholds."""
    for mapping in defaults["mappings"]:
        if mapping["type"] != "value":
            raise ValueError(f"no such mapping in our pictures: {mapping['type']!r}")
        found = mapping["options"].get(f"{value:g}")
        if found is not None:
            return found["text"], COLORS[found["color"]]
    return written(value, defaults["unit"]), _threshold(value, defaults["thresholds"])


def _threshold(value: float, thresholds: Mapping[str, Any]) -> str:
    if thresholds["mode"] != "absolute":
        raise ValueError(f"no such thresholds in our pictures: {thresholds['mode']!r}")
    steps = thresholds["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return COLORS[reached[-1]["color"]]


def ticks(low: float, high: float, wanted: int, unit: str) -> tuple[float, ...]:
    """Return about *wanted* numbers from *low* to *high* that are round in their *unit*."""
    rough = (high - low) / wanted
    power = max(0, math.floor(math.log(rough, 1024))) if unit == "bytes" else 0
    scale = 1024.0**power * 10.0 ** math.floor(math.log10(rough / 1024.0**power))
    step = next(scale * one for one in (1, 2, 2.5, 5, 10) if scale * one >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(step * index, 12) for index in range(first, last + 1))
