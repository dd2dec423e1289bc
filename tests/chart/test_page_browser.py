"""Each dashboard as a browser shows it, over what was recorded in the lab; no panel is empty."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.page import page
from tests.chart.pagebrowser import browser, looked_at
from tests.chart.pagepictures import FOLDER, digests, drawn_of, drifted, shown, signed, told
from tests.chart.prometheus import Prometheus
from tests.chart.test_dashboards import BOARDS
from tests.docs.pages import links, pages, target
from tests.lacking import lacking

pytestmark = pytest.mark.timeout(300)

TINY: bytes = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
"""A picture of one point."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run Prometheus over what the pictures show."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        lacking(
            "prometheus is not installed (Debian: prometheus)",
            unproven="that every panel is seen to show something",
        )
    with told(tmp_path_factory.mktemp("prometheus")) as found:
        yield found


@pytest.fixture
def profile() -> Iterator[Path]:
    """Return a directory with a short name, for a browser; gone afterwards."""
    if browser() is None:
        lacking(
            "chromium is not installed (Debian: chromium)",
            unproven="that every panel is seen to show something",
        )
    with tempfile.TemporaryDirectory(prefix="page-") as made:
        yield Path(made)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_each_panel_is_seen_to_show_something(
    running: Prometheus, profile: Path, board: dict[str, Any]
) -> None:
    """By its title, with marks of data in it; no text is cut off or covered by another."""
    seen = looked_at(page(shown(running, board)), profile)
    assert [(one.kind, one.title) for one in seen] == [
        (panel["type"], panel["title"]) for panel in board["panels"]
    ]
    assert [one.title for one in seen if one.kind != "row" and one.marks == 0] == []
    assert [(one.title, one.cut) for one in seen if one.cut] == []
    assert [(one.title, one.covered) for one in seen if one.covered] == []


def test_the_browser_would_see_an_empty_panel_and_texts_over_each_other(
    running: Prometheus, profile: Path
) -> None:
    """Otherwise the test above proves nothing."""
    board = next(one for one in BOARDS if one["uid"] == "bgpd-service")
    drawn = page(shown(running, board))
    one = re.search(r'<text class="label".*?</text>', drawn)
    assert one is not None
    drawn = drawn.replace(one[0], one[0] * 2, 1)
    probes = drawn.index(">Probes</h2>")
    drawn = drawn[:probes] + drawn[probes:].replace('class="mark"', 'class="gone"')
    seen = {one.title: one for one in looked_at(drawn, profile)}
    assert seen["Probes"].marks == 0
    assert seen["Advertised by node"].covered
    assert not seen["Healthy by node"].covered


def test_the_pictures_are_of_the_dashboards_as_they_are() -> None:
    """Whoever changes a dashboard runs scripts/screenshots."""
    assert drifted(FOLDER) == []


def test_every_picture_of_a_dashboard_is_shown_on_a_page() -> None:
    """One that nobody sees is drawn for nobody."""
    there = {target(page, link)[0].name for page in pages() for link in links(page.read_text())}
    assert digests().keys() <= there


def test_a_picture_that_is_missing_left_over_or_of_another_dashboard_is_named(
    tmp_path: Path,
) -> None:
    """By what it says of itself."""
    for name, digest in digests().items():
        (tmp_path / name).write_bytes(signed(TINY, digest))
    assert drifted(tmp_path) == []
    (tmp_path / "dashboard-mesh.png").write_bytes(signed(TINY, "another"))
    (tmp_path / "dashboard-node.png").unlink()
    (tmp_path / "dashboard-old.png").write_bytes(TINY)
    assert drifted(tmp_path) == [f"dashboard-{name}.png" for name in ("mesh", "node", "old")]
    assert drawn_of(signed(TINY, "word")) == "word"
    assert drawn_of(TINY) == ""
