"""What pages give to copy: documents that agents take, values that the chart has."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bgpd.ctl.validate import validate
from tests.docs.pages import ROOT, named, pages

VALUES: Final = ROOT / "charts/bgpd/values.yaml"
_YAML: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SET: Final = re.compile(r"--set(?:-string)?[ =]'?([\w.]+)=")
_FREE: Final = frozenset({"labels", "annotations"})
"""Values that have whatever keys a person likes."""


def documents() -> list[Any]:
    """Return each block of a page that has documents of ours, with the page's name."""
    return [
        pytest.param(block, id=f"{named(page)}-{number}")
        for page in pages()
        for number, block in enumerate(_YAML.findall(page.read_text()))
        if block.startswith("apiVersion: bgpd.io/")
    ]


@pytest.mark.parametrize("block", documents())
def test_a_document_of_a_page_is_taken(block: str, tmp_path: Path) -> None:
    """Whoever copies it is not corrected by the first command that follows."""
    file = tmp_path / "page.yaml"
    file.write_text(block)
    found = validate([file])
    assert found.errors == []
    assert found.objects


def test_values_that_pages_set_are_values_of_the_chart() -> None:
    """`helm upgrade --set` with a key that is not there is refused, or worse."""
    values = yaml.safe_load(VALUES.read_text())
    named_values = {
        (named(page), path) for page in pages() for path in _SET.findall(page.read_text())
    }
    assert ("docs/how-to/monitor.md", "monitoring.podMonitor.enabled") in named_values
    unknown = [(page, path) for page, path in named_values if not _is_value(values, path)]
    assert sorted(unknown) == []


def _is_value(values: Any, path: str) -> bool:
    found = values
    for part in path.split("."):
        if part in _FREE and part in found:
            return True
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True
