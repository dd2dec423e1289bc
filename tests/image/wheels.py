"""Get the locked requirements as wheels for the image's Python, and make bgpd's own.

Only wheels whose hashes are in requirements/runtime.txt go in, and nothing is compiled, so that the
builder's own Python and libraries do not matter.
"""

import configparser
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.image.error import ImageError

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = "3.11"
"""What the Debian release of the image has."""
# The C library of the image is 2.36: wheels for it or for an older one fit.
_PLATFORMS: Final = ("manylinux_2_36", "manylinux_2_34", "manylinux_2_28", "manylinux_2_17")
_SCRIPT: Final = """\
#!/usr/bin/python{version}
import sys

from {module} import {function}

sys.exit({function}())
"""


def install(target: Path, moment: int, scratch: Path) -> None:
    """Put the requirements and bgpd into the directory *target*."""
    tags = ["--python-version", PYTHON, "--implementation", "cp"]
    tags += [word for abi in ("cp311", "abi3", "none") for word in ("--abi", abi)]
    for platform in (*(f"{name}_x86_64" for name in _PLATFORMS), "manylinux2014_x86_64", "any"):
        tags += ["--platform", platform]
    into = ["install", "--no-deps", "--no-compile", "--target", str(target)]
    requirements = ROOT / "requirements" / "runtime.txt"
    _pip(*into, "--only-binary", ":all:", *tags, "--require-hashes", "-r", str(requirements))
    own = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(scratch), str(ROOT)]
    _pip(*own, SOURCE_DATE_EPOCH=str(moment))
    (wheel,) = scratch.glob("bgpd-*.whl")
    _pip(*into, str(wheel))


def scripts(target: Path) -> dict[str, str]:
    """Return bgpd's programs by name: a few lines each, for the image's Python."""
    (said,) = target.glob("bgpd-*.dist-info/entry_points.txt")
    points = configparser.ConfigParser(delimiters=("=",))
    points.optionxform = str  # type: ignore[assignment, method-assign] # names keep their case
    points.read_string(said.read_text())
    made = {}
    for name, place in points["console_scripts"].items():
        module, _, function = place.partition(":")
        made[name] = _SCRIPT.format(version=PYTHON, module=module, function=function)
    return made


def _pip(*words: str, **environment: str) -> None:
    command: Sequence[str] = (sys.executable, "-m", "pip", "--disable-pip-version-check", *words)
    done = subprocess.run(
        [*command, "--quiet"],
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ImageError(f"pip {words[0]} failed:\n{last}", 75)
