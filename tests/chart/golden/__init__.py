"""What the chart was when somebody last looked: one file for each of `ci/`.

The kinds' definitions, rules and dashboards are plain files of the chart, with tests of their own,
and are left out; so is the mesh's key, which is another one each time.
"""

import re
from pathlib import Path
from typing import Final

from tests.chart.render import template, values_of

_LEFT_OUT: Final = re.compile(
    r"(?m)^(kind: (CustomResourceDefinition|PrometheusRule)|  name: bgpd-dashboard-)"
)


def normal(text: str) -> list[str]:
    """Return a rendered chart without what differs each time, and without empty lines."""
    text = re.sub(r"(?m)^  key: \S+$", "  key: KEY", text)
    return [line for line in text.splitlines() if line.strip()]


def golden_path(values: Path) -> Path:
    """Return where the render of the *values* file is kept."""
    return Path(__file__).parent / values.name


def golden_text(values: Path) -> str:
    """Return what the chart makes of the *values* file now."""
    parts = re.split(r"(?m)^---$", template(values_of(values)))
    kept = "---".join(one for one in parts if not _LEFT_OUT.search(one))
    return "\n".join(normal(kept)) + "\n"
