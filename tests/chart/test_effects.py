"""Each value of the chart has its effect in a process that runs, or in what the server keeps."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chart import effectsvalues as values
from tests.chart.effects import Where
from tests.chart.effectstable import EFFECTS
from tests.chart.render import Document, render, tools
from tests.chart.test_render import containers, pods
from tests.chart.test_values import DEFAULTS, PATHS, at, documents, put
from tests.lacking import lacking, need_root

_UNPROVEN = "what each value of the chart changes in the processes"
_SECONDS = 600


@pytest.fixture(scope="module")
def seen(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001 - the server is started in namespaces
    tmp_path_factory: pytest.TempPathFactory,
) -> Document:
    """Return what was seen of the chart with each set of values, on a node of its own."""
    need_root(unproven=_UNPROVEN)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if shutil.which("bird", path=path) is None:
        lacking("no bird", unproven=_UNPROVEN)
    home = tmp_path_factory.mktemp("effects")
    line = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*line, sys.executable, "-m", "tests.chart.effectsworld", home, tools() / "helm4"],
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: Document = json.loads((home / "seen.json").read_text())
    return found


def test_each_value_has_one_entry() -> None:
    """A value that is new has to say how it shows; one that is gone leaves nothing behind."""
    assert sorted(EFFECTS) == sorted(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_each_value_is_set_and_left_out(path: str) -> None:
    """What is compared is a stage with the value as it comes and one in which somebody set it."""
    effect, default = EFFECTS[path], at(DEFAULTS, path)
    of = {True: [], False: []}  # type: dict[bool, list[object]]
    for stage, fact in effect.seen.items():
        said = at(values.STAGES[stage], path)
        of[said in (None, default)].append(fact)
    assert of[True], "no stage has it as it comes"
    assert of[False], "no stage sets it"
    assert not [one for one in of[False] if one in of[True]], "it makes no difference"


@pytest.mark.integration
@pytest.mark.timeout(_SECONDS + 20)
@pytest.mark.parametrize("path", PATHS)
def test_each_value_does_what_it_says(seen: Document, path: str) -> None:
    """In the process that it is for; what is Kubernetes' own is as the API server has stored it."""
    effect = EFFECTS[path]
    found = {stage: effect.fact(seen[stage]) for stage in effect.seen}
    assert found == effect.seen, effect.where.value


def test_no_process_hears_of_what_the_server_alone_shows() -> None:
    """Else the value would have to show in a process: command lines, mounts, rights, documents."""
    without = values.EVERYTHING
    for path, effect in EFFECTS.items():
        if effect.where is Where.SERVER:
            without = put(without, path, at(DEFAULTS, path))
    assert told(without) == told(values.EVERYTHING)


def told(said: Document) -> Document:
    """Return all that the processes hear of the values *said*."""
    rendered = render(said)
    found = {
        name: {key: one.get(key) for key in ("args", "env", "volumeMounts", "securityContext")}
        for name, one in containers(rendered)
    }
    pods_ = {name: one["spec"]["volumes"] for name, one in pods(rendered) if "agent" in name}
    return {**found, **pods_, "documents": documents(said)}
