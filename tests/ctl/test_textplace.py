"""Facts about places: line and column of what is wrong, as a person's editor counts them."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.textplace import Marks
from tests.ctl.fakes import bgpctl

TWO = b"""\
apiVersion: bgpd.io/v1alpha1
kind: IPAddressPool
metadata: {name: a}
spec:
  addresses:
  - 203.0.113.0/24
  - 203.0.113.0/99
---
apiVersion: bgpd.io/v1alpha1
kind: BGPPeer
metadata:
  name: tor
spec:
  myASN: 65000
  peerASN: 0
"""


@pytest.mark.parametrize(
    ("place", "path", "spot"),
    [
        pytest.param(" document 1", "spec.addresses[1]", "7:5", id="an item of a list"),
        pytest.param(" document 2", "spec.peerASN", "15:12", id="a field of a later document"),
        pytest.param(" document 2", "spec.peerAddress", "14:3", id="a field that is missing"),
        pytest.param(" document 2", "", "9:1", id="a whole document"),
        pytest.param(" document 9", "spec", "None", id="a document that there is not"),
    ],
)
def test_a_field_is_found(place: str, path: str, spot: str) -> None:
    """Where it is missing, what should hold it is."""
    assert str(Marks(TWO).of(place, path, "")) == spot


def test_an_item_of_a_list_of_documents_is_found() -> None:
    """`kubectl get -o json` prints such."""
    text = b'{"kind": "List",\n "items": [{"a": 1},\n           {"b": {"c": 2}}]}'
    assert str(Marks(text).of(" item 2", "b.c", "")) == "3:24"


def test_a_key_with_dots_is_one_key() -> None:
    """As annotations have them."""
    text = b'metadata:\n  annotations:\n    bgpd.io/x: "1"\n'
    assert str(Marks(text).of("", 'metadata.annotations["bgpd.io/x"]', "")) == "3:16"


FILES = [
    pytest.param("a.yaml", TWO.decode(), "7:5", "spec.addresses[1]", id="a value"),
    pytest.param("a.yaml", "a: [1\nb: }", "2:2", "not YAML", id="what is no YAML"),
    pytest.param("a.json", '{"a": 1,\n "b" 2}', "2:6", "not JSON", id="what is no JSON"),
    pytest.param(
        "a.yaml",
        TWO.decode().replace("  peerASN: 0", "  peerASN: 1\n  pearAddress: 10.0.0.1"),
        "16:16",
        "spec.pearAddress",
        id="a misspelled field",
    ),
    pytest.param(
        "a.yaml",
        TWO.decode().replace("  name: tor", "  name: tor\n  name: tor"),
        "13:3",
        "stands twice",
        id="a key twice",
    ),
    pytest.param(
        "a.yaml",
        TWO.decode().replace("metadata: {name: a}\n", "metadata: {}\n"),
        "3:11",
        "metadata.name: is required",
        id="no name",
    ),
]


@pytest.mark.parametrize(("name", "text", "spot", "words"), FILES)
def test_validate_says_line_and_column(
    tmp_path: Path, name: str, text: str, spot: str, words: str
) -> None:
    """In the form that editors jump to, and for programs as numbers."""
    file = tmp_path / name
    file.write_text(text)
    told = asyncio.run(bgpctl("validate", str(file)))
    assert told.status == 1
    lines = [line for line in told.output.splitlines() if words in line]
    assert lines
    assert lines[0].startswith(f"error: {file}:{spot}: "), told.output
    found = json.loads(asyncio.run(bgpctl("validate", "-o", "json", str(file))).output)
    places = [f"{one['line']}:{one['column']}" for one in found["mistakes"]]
    assert spot in places


@given(text=st.binary(max_size=200), path=st.text(max_size=20), message=st.text(max_size=40))
def test_no_text_and_no_path_is_too_odd(text: bytes, path: str, message: str) -> None:
    """A place is for people: what has none has none."""
    Marks(text).of(" document 1 item 3", path, message)
