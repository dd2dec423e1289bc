"""Facts about the reference pages."""

import subprocess
from pathlib import Path

import pytest

from bgpd.ctl.reference import drifted, folders, main, pages, singles

ROOT = Path(__file__).parents[2]


def test_the_reference_is_what_the_programs_say() -> None:
    """Whoever changes an option runs scripts/docs."""
    done = subprocess.run(
        [ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_drifted_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is missing, was edited by hand or is left over fails the check."""
    wanted = {f"{folder}/{name}" for folder, files in folders().items() for name in files}
    assert set(drifted(tmp_path)) == wanted | singles().keys()
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    pages_at, definitions = tmp_path / "docs/reference", tmp_path / "charts/bgpd/files/crds"
    (pages_at / "bgpctl.md").write_text("by hand")
    (definitions / "bgppeers.yaml").write_text("")
    (definitions / "speakerpolicies.yaml").unlink()
    (definitions / "others.yaml").touch()
    assert main([str(tmp_path), "--check"]) == 1
    named = [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()]
    assert named == [
        "docs/reference/bgpctl.md",
        "charts/bgpd/files/crds/bgppeers.yaml",
        "charts/bgpd/files/crds/others.yaml",
        "charts/bgpd/files/crds/speakerpolicies.yaml",
    ]


def test_every_command_has_its_section() -> None:
    """Hidden commands stay hidden, all others are described."""
    page = pages()["bgpctl.md"]
    for command in ("status", "timeline", "validate", "version", "generation reset"):
        assert f"\n## bgpctl {command}\n" in page
    assert "## bgpctl show" not in page


def test_no_sentence_of_a_list_of_commands_is_cut() -> None:
    """Half of a sentence in `--help` leaves the reader with the half that matters less."""
    for name in ("bgpctl.md", "bgpd.md"):
        cut = [line for line in pages()[name].splitlines() if line.endswith("...")]
        assert [line for line in cut if not line.startswith("Usage: ")] == []
