"""The file of all fields holds, has every field, and has none behind a `#` without a reason."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bgpd.kube.documents import read
from bgpd.kube.reference import MEANINGS, spec_fields
from bgpd.kube.referencefile import PATH, file
from bgpd.kube.referencevalues import SAMPLES, Off

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = sorted(MEANINGS.keys() - {"L2Advertisement"})
_BEHIND: Final = re.compile(r"^ +# (\w+): (.+)$", re.MULTILINE)
STANDS: Final = {
    "sourceAddress": "one node",
    "routerID": "one node, and then every peer",
    "holdTimeSeconds": "says the same again",
    "keepaliveTime": "says the same again",
    "enableGracefulRestart": "says the same again",
    "dualStackAddressFamily": "says the same again",
    "nextHopV4": "the session is of the same family",
    "disableMP": "false is what holds anyway",
}
"""What would be taken without a word, and why it is behind a `#` all the same."""


def named(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every field that is set somewhere in *value*."""
    match value:
        case dict():
            for name, one in value.items():
                below = f"{path}.{name}".lstrip(".")
                yield below
                yield from named(one, below)
        case list():
            for one in value:
                yield from named(one, path)
        case _:
            return


def off(kind: str) -> Mapping[str, Off]:
    """Return what stands behind a `#`."""
    return {
        name: value
        for one in SAMPLES
        if one.kind == kind
        for name, value in one.spec.items()
        if isinstance(value, Off)
    }


def test_the_file_is_up_to_date() -> None:
    """Run scripts/docs when this fails."""
    assert (ROOT / PATH).read_text() == file()


def test_bgpctl_finds_nothing_wrong_in_it() -> None:
    """Neither an error nor a field without effect, by itself and all documents together."""
    done = subprocess.run(
        [sys.executable, "-m", "bgpd.ctl", "validate", PATH, "-o", "json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (found["errors"], found["warnings"], found["skipped"]) == ([], [], [])
    assert len(found["valid"]) == len(SAMPLES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_missing_and_none_is_made_up(kind: str) -> None:
    """What the file sets, with what it has behind a `#`, is what the kind has."""
    fields = {name for name, _ in spec_fields(kind)}
    documents = [one for one in yaml.safe_load_all((ROOT / PATH).read_text()) if one]
    found = {one for each in documents if each["kind"] == kind for one in named(each["spec"])}
    within = {
        one for one in found if not re.search(r"\.match\w+|^passwordSecret\.|\.headers\.", one)
    }
    assert within | off(kind).keys() == fields
    assert within.isdisjoint(off(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_behind_a_mark_is_a_line_to_take_it_from(kind: str) -> None:
    """Without its `#` the line is the field with its value."""
    of_kind = [one for one in (ROOT / PATH).read_text().split("---\n") if f"kind: {kind}\n" in one]
    lines = dict(_BEHIND.findall("".join(of_kind)))
    values = {name: yaml.safe_load(lines[name]) for name in off(kind)}
    assert values == {name: one.value for name, one in off(kind).items()}


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param(kind, name, id=f"{kind} {name}") for kind in KINDS for name in off(kind)],
)
def test_nothing_is_behind_a_mark_without_a_reason(kind: str, name: str) -> None:
    """Beside the rest it is refused, or said to have no effect; or the table above says why."""
    (sample,) = (one for one in SAMPLES if one.kind == kind and name in one.spec)
    wanted = {
        key: value.value if isinstance(value, Off) else value
        for key, value in sample.spec.items()
        if key == name or not isinstance(value, Off)
    }
    document = {
        "apiVersion": "bgpd.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": wanted
    }  # fmt: skip
    problems = read("f.json", json.dumps(document).encode()).problems
    assert bool(problems) != (name in STANDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_stands_below_its_meaning(kind: str) -> None:
    """The first time that a kind has the field."""
    text = " ".join(re.sub(r"^ *# ?", "", (ROOT / PATH).read_text(), flags=re.MULTILINE).split())
    for meaning in MEANINGS[kind].values():
        assert " ".join(meaning.split()) in text
