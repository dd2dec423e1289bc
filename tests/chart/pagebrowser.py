"""What a real browser makes of a dashboard's page: Debian's Chromium, without a screen.

It reads one file and asks nobody anything; its profile goes with the directory that it is given.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO, Final

_PATIENCE_SECONDS: Final = 120.0
_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # needs user namespaces or its own setuid program; the page is our own text
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the browser saw of one panel; a row of the dashboard is one, too."""

    kind: str
    title: str
    marks: int
    """How many lines, bars, tiles or rows show data."""
    cut: str
    """Texts that do not fit."""
    covered: str
    """Texts that are over each other."""


def browser() -> str | None:
    """Return the program, where there is one."""
    return shutil.which("chromium")


def looked_at(html: str, directory: Path) -> list[Seen]:
    """Return what the browser saw of each panel of a page."""
    out = _run(html, directory, "--dump-dom", size=(1400, 1000))
    panels = _Panels()
    panels.feed(out.decode())
    return panels.found


def picture(html: str, directory: Path, size: tuple[int, int]) -> bytes:
    """Return a page as PNG."""
    kept = directory / "page.png"
    _run(html, directory, f"--screenshot={kept}", size=size)
    return kept.read_bytes()


def _run(html: str, directory: Path, *options: str, size: tuple[int, int]) -> bytes:
    file = directory / "page.html"
    file.write_text(html)
    program = browser()
    assert program is not None
    command = [
        program,
        *_OPTIONS,
        f"--user-data-dir={directory / 'profile'}",
        f"--window-size={size[0]},{size[1]}",
        *options,
        file.as_uri(),
    ]
    with (directory / "browser.log").open("wb") as log, _started(command, directory, log) as one:
        out, _ = one.communicate(timeout=_PATIENCE_SECONDS)
    assert one.returncode == 0, (directory / "browser.log").read_text()
    return out


@contextmanager
def _started(command: list[str], home: Path, log: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """Run the browser, and leave none of its processes behind."""
    # Its lock is a socket below TMPDIR, which it leaves; the path must be a short one (unix(7)).
    with tempfile.TemporaryDirectory(prefix="bgpd-browser-") as short:
        places = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "TMPDIR": short}
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **places},
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                _await_end(process.pid)


def _await_end(group: int) -> None:
    """Wait until none of the group writes into its profile any more, which is removed next."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while _alive(group) and time.monotonic() < end:
        time.sleep(0.02)


def _alive(group: int) -> bool:
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its = file.read_text().rpartition(")")[2].split()[:3]
            if int(its) == group and state != "Z":
                return True
    return False


class _Panels(HTMLParser):
    """Reads what the page's script has noted at each panel."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Seen] = []
        self._noted: dict[str, str | None] = {}
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._noted = dict(attrs)
        elif tag == "h2":
            self._title = []

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2" and self._title is not None:
            noted = self._noted
            self.found.append(
                Seen(
                    kind=noted["class"] or "",
                    title="".join(self._title),
                    marks=int(noted["data-marks"] or ""),
                    cut=noted["data-cut"] or "",
                    covered=noted["data-covered"] or "",
                )
            )
            self._title = None
