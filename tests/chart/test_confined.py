"""Agent and speaker do their work with exactly the rights that the chart gives their containers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chart.render import Document, render
from tests.chart.test_render import containers
from tests.lacking import lacking, need_root

_UNPROVEN = "that the chart's security contexts suffice"
_NET_ADMIN, _NET_RAW, _SYS_NICE = 1 << 12, 1 << 13, 1 << 23


def run(values: Document, directory: Path) -> Document:
    """Run the containers of *values* on a node of their own; return what was seen there."""
    need_root(unproven=_UNPROVEN)
    if shutil.which("bird", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        lacking("no bird", unproven=_UNPROVEN)
    rendered = {name.rpartition("/")[2]: one for name, one in containers(render(values))}
    path = directory / "containers.json"
    path.write_text(json.dumps(rendered))
    for parent in (directory, *directory.parents):
        if parent == Path("/tmp"):  # noqa: S108 - pytest's own directories are closed to others
            break
        parent.chmod(parent.stat().st_mode | 0o011)
    line = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*line, sys.executable, "-m", "tests.chart.confined", str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    seen: Document = json.loads(done.stdout.splitlines()[-1])
    assert seen["route"], seen["logs"]
    assert seen["prepare"] == ""
    assert set(seen["ended"].values()) == {None}
    for text in seen["logs"].values():
        assert "raceback" not in text
    return seen


def only(seen: Any, user: int, capabilities: int) -> None:
    """Assert that all of these processes have these rights and can gain no other."""
    for one in seen:
        assert one["NoNewPrivs"] == "1"
        assert (one["Uid"], one["Gid"]) == (str(user), "65532")
        assert int(one["CapBnd"], 16) == capabilities
        assert int(one["CapEff"], 16) == int(one["CapPrm"], 16) == (0 if user else capabilities)


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_an_ordinary_installation_needs_no_right(tmp_path: Path) -> None:
    """As user 65532 without any capability a router hears the route; the address is not bound."""
    seen = run({}, tmp_path)
    only(seen["processes"]["speaker"], 65532, 0)
    only(seen["processes"]["agent"], 65532, 0)
    assert "203.0.113.5" not in seen["addresses"]


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_each_capability_is_one_that_a_value_asks_for(tmp_path: Path) -> None:
    """An agent that manages its host binds the elastic IP; a speaker gets real-time priority."""
    values = {
        "agent": {"manageHost": "Always"},
        "speaker": {"capabilities": ["SYS_NICE", "NET_RAW"]},
    }
    seen = run(values, tmp_path)
    only(seen["processes"]["speaker"], 0, _SYS_NICE | _NET_RAW)
    only(seen["processes"]["agent"], 0, _NET_ADMIN)
    assert "203.0.113.5/32" in seen["addresses"]
    assert "priority=real-time" in seen["logs"]["speaker"]
