"""The pictures of the dashboards in the docs, drawn by a browser; `scripts/screenshots`.

Each says in itself of which dashboard it is, so whoever changes a dashboard is told to draw anew.
Browsers and fonts differ, so the pictures themselves are not compared.
"""

import argparse
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.chart.page import WIDTH, height, page
from tests.chart.pagebrowser import picture
from tests.chart.pagedata import Shown, answered
from tests.chart.pagestory import ACTS, CHOSEN, story
from tests.chart.prometheus import Prometheus, prometheus
from tests.chart.test_dashboards import BOARDS, FILES, ROOT

FOLDER: Final = ROOT / "docs/pictures"
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_KEY: Final = b"bgpd-dashboard\0"
_PROGRAMS: Final = ("chromium", "prometheus", "promtool")
_PACKAGES: Final = "chromium prometheus fonts-inter"


def named(board: Mapping[str, Any]) -> str:
    """Return the name of a dashboard's picture."""
    return f"dashboard-{str(board['uid']).removeprefix('bgpd-')}.png"


def digests() -> dict[str, str]:
    """Return by each picture's name what its dashboard is now."""
    return {
        named(board): sha256(path.read_bytes()).hexdigest()
        for board, path in zip(BOARDS, FILES, strict=True)
    }


def drifted(folder: Path) -> list[str]:
    """Return the pictures in *folder* that are not of the dashboards as they are."""
    there = {path.name: drawn_of(path.read_bytes()) for path in folder.glob("dashboard-*")}
    wanted = digests()
    return sorted(name for name in wanted.keys() | there if wanted.get(name) != there.get(name))


@contextmanager
def told(directory: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that has the story of each dashboard, until the block ends."""
    with prometheus({uid: story(uid) for uid in ACTS}, directory) as running:
        yield running


def shown(running: Prometheus, board: dict[str, Any]) -> Shown:
    """Return a dashboard with what it shows of its story."""
    return answered(running, board, board["uid"], CHOSEN.get(board["uid"], {}))


def signed(png: bytes, digest: str) -> bytes:
    """Return a picture that says of which dashboard it is."""
    text = b"tEXt" + _KEY + digest.encode()
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    start = len(_SIGNATURE) + 25  # the header of the picture comes first, in 25 bytes
    return png[:start] + chunk + png[start:]


def drawn_of(png: bytes) -> str:
    """Return which dashboard a picture says that it is of; empty where it says nothing."""
    for kind, inside in _chunks(png):
        if kind == b"tEXt" and inside.startswith(_KEY):
            return inside.removeprefix(_KEY).decode()
    return ""


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while png.startswith(_SIGNATURE) and at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def write(folder: Path) -> None:
    """Draw every dashboard into *folder*."""
    wanted = digests()
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with told(directory) as running:
            for board in BOARDS:
                size = (WIDTH, height(board))
                drawn = picture(page(shown(running, board)), directory, size)
                (folder / named(board)).write_bytes(signed(drawn, wanted[named(board)]))


def main(arguments: list[str]) -> int:
    """Draw the pictures, or with `--check` only say which ones differ."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    if parser.parse_args(arguments).check:
        stale = drifted(FOLDER)
        for one in stale:
            sys.stderr.write(f"docs/pictures/{one} is out of date; run scripts/screenshots\n")
        return 1 if stale else 0
    if not all(map(shutil.which, _PROGRAMS)):
        sys.stderr.write(f"the dashboards are not drawn; first: apt-get install {_PACKAGES}\n")
        return 1
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
