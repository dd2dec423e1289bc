"""The README names what is in the repository, and nothing else."""

import re
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text()
_SELF_EXPLANATORY: Final = frozenset({"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"})


def test_the_readme_says_what_each_file_at_the_top_and_each_script_is_for() -> None:
    """Whoever sees a name in the listing finds a sentence about it."""
    lines = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()
    tops = {line.partition("/")[0] for line in lines} - _SELF_EXPLANATORY
    scripts = {line for line in lines if line.startswith("scripts/")}
    directories = {top for top in tops if (ROOT / top).is_dir() and top != "scripts"}
    unsaid = [name for name in scripts if f"`{name}`" not in README]
    unsaid += [f"{name}/" for name in directories if f"`{name}/" not in README]
    assert sorted(unsaid) == []


def test_every_path_that_the_readme_links_to_is_there() -> None:
    """A link into nothing is a promise broken."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
