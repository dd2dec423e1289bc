"""Facts about checking documents before a roll-out."""

import asyncio
from pathlib import Path

import pytest

from tests.ctl.fakes import bgpctl

POOL = """
apiVersion: bgpd.io/v1alpha1
kind: IPAddressPool
metadata: {name: NAME, namespace: bgpd}
spec: {addresses: [ADDRESS]}
"""


def pool(name: str, address: str) -> str:
    """Return a pool of one block."""
    return POOL.replace("NAME", name).replace("ADDRESS", address)


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), "b.yml": pool("b", "198.51.100.0/24")},
            0,
            "2 objects valid, 0 errors, 0 warnings",
            id="two good files",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/99")}, 1, '"203.0.113.0/99"', id="a bad value"
        ),
        pytest.param({"a.yaml": "a: [b"}, 1, "a.yaml", id="a file that does not parse"),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/99") + "---" + pool("b", "203.0.113.0/24")},
            1,
            "1 object valid, 1 error, 0 warnings",
            id="a good document beside a bad one",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), "b.yaml": pool("a", "203.0.113.0/24")},
            1,
            "b.yaml: IPAddressPool a is already in",
            id="one name in two files",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), ".b.yaml": "no", "README": "no"},
            0,
            "1 object valid",
            id="files that the agent would not read",
        ),
    ],
)
def test_documents_are_judged_as_the_agent_would(
    tmp_path: Path, files: dict[str, str], status: int, words: str
) -> None:
    """Errors name the file and the value, and the exit status says whether there are any."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert (result.status, result.errors) == (status, "")
    assert words in result.output


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A typing error in the path does not look like success."""
    result = asyncio.run(bgpctl("validate", str(tmp_path / "missing.yaml")))
    assert result.status == 1
    assert "missing.yaml: No such file or directory" in result.output


def test_nothing_to_check_is_a_usage_error() -> None:
    """Without a path there is nothing to say."""
    assert asyncio.run(bgpctl("validate")).status == 2
