"""`bgpctl timeline`: a table of 80 columns, one clock for several nodes, and a picture."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.columns import WIDTH
from bgpd.ctl.document import dump, timeline_document
from bgpd.ctl.timelinejoin import join
from bgpd.ctl.timelinepicture import picture
from bgpd.ctl.timelineread import read
from bgpd.ctl.timelinetable import joined_table
from bgpd.ipc.message import Answer
from bgpd.kube.nodestatus import document
from bgpd.model.errors import ConfigError
from bgpd.model.status import NodeStatus
from bgpd.model.timeline import Failover
from tests.ctl.apifake import STATUSES, api
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.test_table import failovers
from tests.ctl.timelinesamples import N1, N2, N4, TAKEOVER, WITHDRAWN


def write(directory: Path, *told: Failover, name: str = "") -> str:
    """Write what `bgpctl timeline -o json` prints of *told*; return the file."""
    path = directory / f"{name or told[0].node}.json"
    path.write_text(dump(timeline_document(told), "json"))
    return str(path)


def run(*words: str) -> Result:
    """Run bgpctl, on a host where nothing answers."""
    return asyncio.run(bgpctl("timeline", *words))


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    """JSON has everything that the join needs."""
    assert read(Path(write(tmp_path, *TAKEOVER, WITHDRAWN))) == [*TAKEOVER, WITHDRAWN]


def test_a_speakers_own_file_can_be_read(tmp_path: Path) -> None:
    """The disk of a node that answers no more still tells what it saw; the file names the node."""
    import msgspec  # noqa: PLC0415

    path = tmp_path / "n9.json"
    path.write_bytes(msgspec.json.encode([replace(N1, node="")]))
    assert read(path) == [replace(N1, node="n9")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("{", "no JSON", id="no JSON"),
        pytest.param("[" * 100_000, "no JSON", id="too deep"),
        pytest.param('{"kind": "NodeStatus"}', "must be FailoverList", id="another document"),
        pytest.param(
            '{"kind": "FailoverList", "items": [{"kind": 7}]}', "not understood", id="odd"
        ),
        pytest.param("3", "not understood", id="a number"),
    ],
)
def test_a_file_that_is_no_timeline_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """With its path, and how to make a right one."""
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "bgpctl timeline -o json" in str(caught.value)


def test_nodes_meet_by_files(tmp_path: Path) -> None:
    """Each node's JSON, brought together anywhere, shows one takeover on one clock."""
    files = [write(tmp_path, one) for one in TAKEOVER]
    result = run("--join", *files)
    assert result.status == 0
    assert "takeover to generation 8, 36 routes: member n3 silent for 131 ms" in " ".join(
        result.output.split()
    )
    assert "clock of n2: +500000250.000 ms to that of n1, ± 0.150 ms" in " ".join(
        result.output.split()
    )
    assert max(map(len, result.output.splitlines())) <= WIDTH


def test_the_joined_form_for_programs(tmp_path: Path) -> None:
    """Rows, and the clock of each pair with its uncertainty."""
    files = [write(tmp_path, one) for one in (N1, N2)]
    found = json.loads(run("--join", "-o", "json", *files).output)
    assert found["kind"] == "JoinedFailoverList"
    (item,) = found["items"]
    assert item["nodes"] == ["n1", "n2"]
    assert set(item["pairs"][0]) == {"node", "milliseconds", "uncertainty", "how"}
    assert set(item["rows"][0]) == {"milliseconds", "uncertainty", "node", "step", "detail"}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--join",), id="join without files"),
        pytest.param(("n1.json",), id="files without join"),
        pytest.param(("--join", "n1.json", "--all-nodes"), id="files and the cluster"),
    ],
)
def test_usage_that_means_nothing_is_refused(words: Sequence[str]) -> None:
    """Exit status 2, before anything is asked."""
    assert run(*words).status == 2


def test_the_picture_is_of_the_newest(tmp_path: Path) -> None:
    """A document that browsers show, with a lane for each node, and every step told in words."""
    path = tmp_path / "takeover.svg"
    assert (
        run("--join", *(write(tmp_path, one) for one in TAKEOVER), "--svg", str(path)).status == 0
    )
    root = ET.fromstring(path.read_text())  # noqa: S314 - our own
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"n1", "n2", "n4"} <= set(texts)
    assert any("takeover to generation 8" in text for text in texts)
    assert any(text.startswith("clock of n2") for text in texts)
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("acknowledged tor-a" in title for title in titles) == 2


def test_a_node_draws_what_it_saw_itself(tmp_path: Path) -> None:
    """Without any other node: one lane, no clocks to compare."""
    path = tmp_path / "x.svg"

    async def story() -> Result:
        async with serving(tmp_path, speaker={"timeline": Answer(content=(N1,))}):
            return await bgpctl("timeline", "--run-dir", str(tmp_path), "--svg", str(path))

    assert asyncio.run(story()).status == 0
    assert "clock of" not in path.read_text()
    missing = tmp_path / "missing" / "x.svg"
    result = run("--join", write(tmp_path, N4), "--svg", str(missing))
    assert result.status == 78
    assert str(missing) in result.errors
    assert run("--join", write(tmp_path, name="empty"), "--svg", str(path)).status == 1


@given(failovers)
def test_no_joined_timeline_is_wider_than_a_terminal(found: list[Failover]) -> None:
    """Whatever nodes and routers are called, and whatever a cause says."""
    for line in joined_table(join(found)).split("\n"):
        assert len(line) <= WIDTH
        assert line.isprintable()


@given(failovers, st.text(max_size=40))
def test_every_picture_is_well_formed(found: list[Failover], node: str) -> None:
    """No name and no number spoils the document."""
    for one in join([replace(failover, node=node) for failover in found]):
        ET.fromstring(picture(one))  # noqa: S314 - our own


@pytest.mark.parametrize("said", [("--all-nodes",), ()], ids=["all nodes", "a kubeconfig alone"])
def test_nodes_meet_through_the_cluster(tmp_path: Path, said: tuple[str, ...]) -> None:
    """Each agent wrote its node's last few into BGPNodeStatus: one takeover, without any file.

    As with every command, whoever names a cluster means it.
    """
    statuses = [
        document(
            NodeStatus(
                node=one.node, version="1", source="kubernetes", synced=True, speaker=None,
                failovers=(one,),
            ),
            now=5.0,
        )
        for one in TAKEOVER
    ]  # fmt: skip
    with api(tmp_path, {STATUSES: statuses}) as kubeconfig:
        words = (*said, "--kubeconfig", str(kubeconfig), "-o", "json")
        found = run(*words)
    assert (found.status, found.errors) == (0, "")
    (item,) = json.loads(found.output)["items"]
    assert item["nodes"] == ["n1", "n2", "n4"]
    assert [pair["how"] for pair in item["pairs"]] == ["heartbeats", "heartbeats"]
