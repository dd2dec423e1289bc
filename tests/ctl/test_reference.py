"""Facts about the reference pages."""

import subprocess
from pathlib import Path

from bgpd.ctl.reference import drifted, main, pages

ROOT = Path(__file__).parents[2]


def test_the_reference_is_what_the_programs_say() -> None:
    """Whoever changes an option runs scripts/docs."""
    done = subprocess.run(
        [ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_drifted_is_found(tmp_path: Path) -> None:
    """A page that is missing or was edited by hand fails the check, by name."""
    assert set(drifted(tmp_path)) == set(pages())
    assert main([str(tmp_path)]) == 0
    assert drifted(tmp_path) == ()
    (tmp_path / "bgpctl.md").write_text("by hand")
    assert drifted(tmp_path) == ("bgpctl.md",)
    assert main([str(tmp_path), "--check"]) == 1


def test_every_command_has_its_section() -> None:
    """Hidden commands stay hidden, all others are described."""
    page = pages()["bgpctl.md"]
    for command in ("status", "timeline", "validate", "version", "generation reset"):
        assert f"\n## bgpctl {command}\n" in page
    assert "## bgpctl show" not in page
