"""The pictures are what the commands print, and can be read."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bgpd.ctl.topframe import Line, Tone
from bgpd.telemetry.eventcatalog import EVENTS as KNOWN
from tests.docs.pages import links, pages, target
from tests.docs.screenshots import EVENTS, FOLDER, ROOT, drifted, main, pictures
from tests.docs.terminal import picture


def test_the_pictures_are_what_the_commands_print() -> None:
    """Whoever changes a screen runs scripts/screenshots."""
    assert drifted(ROOT) == ()


def test_every_picture_is_shown_on_a_page() -> None:
    """One that nobody sees is drawn for nobody."""
    shown = {target(page, link)[0].name for page in pages() for link in links(page.read_text())}
    assert pictures().keys() <= shown


def test_pictures_are_the_same_each_time() -> None:
    """No clock, no order of a set and no directory is in them."""
    assert pictures() == pictures()


def test_a_picture_that_drifted_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is missing, was drawn by hand or is left over fails the check."""
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    (tmp_path / FOLDER / "status.svg").write_text("<svg/>")
    (tmp_path / FOLDER / "top.svg").unlink()
    (tmp_path / FOLDER / "old.svg").touch()
    assert main(["--root", str(tmp_path), "--check"]) == 1
    named = [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()]
    assert named == [f"{FOLDER}/{name}.svg" for name in ("old", "status", "top")]


@pytest.mark.parametrize("name", sorted(pictures()))
def test_a_picture_is_well_formed_and_says_what_it_is(name: str) -> None:
    """A browser draws it, a screen reader begins with its title."""
    root = ET.fromstring(pictures()[name])  # noqa: S314 - our own text
    assert root.tag.endswith("svg")
    assert (root[0].text or "").startswith("bgpctl ")
    assert len([one for one in root if one.tag.endswith("text")]) > 10


def test_the_events_of_the_picture_are_events_that_there_are() -> None:
    """By name, level and keys: a reader may look them up."""
    known = {one.name: one for one in KNOWN}
    for level, name, keys in EVENTS:
        assert level in known[name].levels
        assert {key for key, _ in keys} <= set(known[name].keys)


def test_text_is_shown_as_it_is_and_no_line_is_too_long() -> None:
    """What looks like markup is text; columns stand where a terminal has them."""
    drawn = picture("a", [Line("<b> & c"), Line(""), Line("  x", Tone.BAD)])
    assert "&lt;b&gt; &amp; c" in drawn
    xs = [float(found) for found in re.findall(r'<text x="([\d.]+)"', drawn)]
    assert xs[1] - xs[0] == pytest.approx(2 * 7.8)
    with pytest.raises(ValueError, match="wider than a terminal"):
        picture("a", [Line("x" * 81)])
