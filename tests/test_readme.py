"""The README names what is in the repository, and nothing else."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text()
_MADE: Final = frozenset({"build", "dist", "__pycache__"})
"""What is in no commit."""


def test_the_readme_says_what_each_directory_and_each_script_is_for() -> None:
    """Whoever sees a name in the listing finds a sentence about it."""
    tops = {one.name for one in ROOT.iterdir() if one.is_dir() and one.suffix != ".egg-info"}
    ours = {name for name in tops - _MADE if not name.startswith(".")} - {"scripts"} | {".ci"}
    scripts = {f"scripts/{one.name}" for one in (ROOT / "scripts").iterdir() if one.is_file()}
    unsaid = [name for name in scripts if f"`{name}`" not in README]
    unsaid += [name for name in ours if f"`{name}/" not in README]
    assert sorted(unsaid) == []


def test_every_path_that_the_readme_links_to_is_there() -> None:
    """A link into nothing is a promise broken."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
