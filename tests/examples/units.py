"""What the systemd units say. Pure, but for reading them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.examples.sets import ROOT

FOLDER: Final = ROOT / "packaging" / "systemd"
UNITS: Final = ("speaker", "agent", "controller")


def path_of(unit: str) -> Path:
    """Return where the unit of a process is."""
    return FOLDER / f"bgpd-{unit}.service"


def settings(unit: str, name: str) -> Sequence[str]:
    """Return every value that the unit gives to *name*."""
    lines = path_of(unit).read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def line(unit: str) -> Sequence[str]:
    """Return the words of the command that the unit starts."""
    (found,) = settings(unit, "ExecStart")
    return found.split()


def environment(unit: str) -> dict[str, str]:
    """Return the variables that the unit sets by itself."""
    pairs = (one.partition("=") for one in settings(unit, "Environment"))
    return {name: value for name, _, value in pairs}


def variables_of_the_file() -> dict[str, str]:
    """Return the variables of bgpd.env, those behind a `#` too."""
    lines = (FOLDER / "bgpd.env").read_text().splitlines()
    pairs = (one.lstrip("#").partition("=") for one in lines if one.lstrip("#").startswith("BGPD_"))
    return {name: value for name, _, value in pairs}
