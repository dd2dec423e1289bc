"""The documents in valid/, invalid/ and late/, and what is to be said about them.

An invalid document begins with comments: `at`, the field; `says`, words that both bgpd and the API
server use; and `server` where the server's own check comes first and has words of its own. A late
one passes the server, whose language cannot say what is wrong with it, and is refused by bgpd.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
CHARTS: Final = HERE.parents[1] / "charts" / "bgpd" / "files"
CRDS: Final = CHARTS / "crds"
_COMMENT: Final = re.compile(r"^# (at|says|server): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One document, and where it comes from."""

    name: str
    text: bytes
    at: str = ""
    says: str = ""
    server: str = ""
    """What the server says; empty where it says what we say."""

    @property
    def document(self) -> dict[str, Any]:
        """The document as the server is sent it."""
        found: dict[str, Any] = yaml.safe_load(self.text)
        return found


def examples(folder: str) -> list[Example]:
    """Return the examples in *folder*, by name."""
    found = []
    for path in sorted((HERE / folder).glob("*.yaml")):
        text = path.read_text()
        said = dict(_COMMENT.findall(text))
        found.append(Example(name=path.stem.replace("-", " "), text=text.encode(), **said))
    return found


def definitions() -> list[dict[str, Any]]:
    """Return our CustomResourceDefinitions as the chart ships them."""
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
