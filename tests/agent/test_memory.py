"""What was accepted last, on disk: it comes back whole, and nothing in the file stops a start."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.agent import memory as module
from bgpd.agent.keeping import SHARE, SOON_SECONDS, Keeping
from bgpd.agent.memory import Memory, Snapshot
from bgpd.kube.documents import Key, read
from bgpd.model.cluster import NodeReport
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from tests.agent.test_planner import CONFIGURATION, endpoints, ours, service

SELECTOR = {"matchLabels": {"rack": "r1"}}
PROBES: dict[str, dict[str, Any]] = {
    "httpGet": {"headers": {"a": "b"}, "statuses": ["200-299"], "tls": {"caFile": "/ca"}},
    "tcpSocket": {"send": "x"},
    "dns": {"name": "example.com", "answers": ["192.0.2.1"]},
    "ntp": {"maxOffsetMilliseconds": 5},
    "grpc": {"service": "s"},
    "exec": {"command": ["/bin/true"]},
}
PARTS = [*CONFIGURATION, service("web", "203.0.113.1"), endpoints("web", "n1")]
PARTS += [
    ours(
        "SpeakerPolicy", "all", mesh={"multiplier": 4}, nodeSelectors=[{"matchLabels": {"a": "b"}}]
    ),
    ours("Community", "c", communities=[{"name": "edge", "value": "64512:1"}]),
    ours("BFDProfile", "b", detectMultiplier=3),
    ours("L2Advertisement", "l", interfaces=["eth0"]),
    *(ours("HealthCheck", kind.lower(), **{kind: probe}) for kind, probe in PROBES.items()),
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"password": "s3cret"},
    },
]


def snapshot() -> Snapshot:
    """Return one object of each kind, with everything that may be known of it."""
    content = {"apiVersion": "v1", "kind": "List", "items": PARTS}
    documents = read("all.json", json.dumps(content).encode())
    assert not documents.damaged
    key = Key("Service", "default", "web")
    member = Member(name=NodeName("n2"), address=Address("10.0.0.2"))
    report = NodeReport(name=member.name, member=member)
    objects = {**documents.objects, Key("BGPNodeStatus", "", "n2"): report}
    return Snapshot(
        objects=objects,
        sources=dict.fromkeys(objects, "all.json"),
        held=frozenset({Key("Community", "", "c")}),
        resource_versions={key: "4711"},
        passwords={"/run/secret": "s3cret"},
    )


def memory(directory: Path, origin: str = "here") -> Memory:
    """Return a memory that writes at once."""
    return Memory(directory, origin=origin)


def test_every_kind_comes_back_as_it_was(tmp_path: Path) -> None:
    """Objects, the file each is from, the API's version of it, and the passwords."""
    memory(tmp_path).remember(snapshot())
    recalled = memory(tmp_path).recall()
    assert recalled == snapshot()
    assert recalled is not None
    assert {key.kind for key in recalled.objects} == set(module._KINDS)
    assert set(recalled.by_source) == {"all.json"}
    assert recalled.view.service("default/web") is not None


def test_nobody_else_reads_the_passwords(tmp_path: Path) -> None:
    """TCP MD5 keys are in the file."""
    memory(tmp_path).remember(snapshot())
    assert stat.S_IMODE((tmp_path / module.FILE_NAME).stat().st_mode) == 0o600


def test_the_first_start_remembers_nothing(tmp_path: Path) -> None:
    """No file is no problem."""
    kept = memory(tmp_path)
    assert kept.recall() is None
    assert kept.problems == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 2}, id="a later version"),
        pytest.param({"origin": "elsewhere"}, id="another cluster, source or node"),
        pytest.param({"objects": 7}, id="nonsense"),
    ],
)
def test_what_is_not_ours_is_left_alone_with_a_sentence(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Another cluster's objects must not be advertised here."""
    memory(tmp_path).remember(snapshot())
    path = tmp_path / module.FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    kept = memory(tmp_path)
    assert kept.recall() is None
    assert len(kept.problems) == 1


def test_one_object_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    """A version that knows less, or more, loses only what it does not understand."""
    memory(tmp_path).remember(snapshot())
    path = tmp_path / module.FILE_NAME
    document = json.loads(path.read_text())
    document["objects"][0]["object"] = {"name": 7}
    document["objects"][1]["kind"] = "HealthCheck"
    path.write_text(json.dumps(document))
    kept = memory(tmp_path)
    recalled = kept.recall()
    assert recalled is not None
    assert len(recalled.objects) == len(snapshot().objects) - 2
    assert len(kept.problems) == 2
    assert not recalled.whole


def test_a_kind_that_only_another_version_has_is_not_missed(tmp_path: Path) -> None:
    """Nothing was ever decided by it here."""
    memory(tmp_path).remember(snapshot())
    path = tmp_path / module.FILE_NAME
    document = json.loads(path.read_text())
    document["objects"].append({"kind": "Invented", "name": "one", "object": {}})
    path.write_text(json.dumps(document))
    assert memory(tmp_path).recall() == snapshot()


@settings(deadline=None)
@given(st.binary(max_size=200) | st.integers(1, 10_000).map(lambda depth: b'{"objects":' * depth))
def test_no_bytes_prevent_a_start(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in the file, it counts as absent."""
    directory = tmp_path_factory.mktemp("state")
    (directory / module.FILE_NAME).write_bytes(content)
    assert memory(directory).recall() is None


def test_a_failed_write_is_a_condition_until_one_works(tmp_path: Path) -> None:
    """It is counted, said once, and ends."""
    kept = memory(tmp_path / "absent")
    kept.remember(snapshot())
    kept.remember(snapshot())
    assert [one.type for one in kept.conditions()] == ["StateNotWritten"]
    assert len(kept.problems) == 1
    (tmp_path / "absent").mkdir()
    kept.remember(snapshot())
    assert list(kept.conditions()) == []
    assert kept.counters == {"state_writes": 3, "state_writes_failed": 2}


def test_writing_follows_what_it_costs() -> None:
    """A change is written soon; a write of a second is followed by a pause of twenty."""
    keeping = Keeping()
    assert not keeping.due(0.0)
    keeping.changed(0.0)
    assert not keeping.due(SOON_SECONDS / 2)
    assert keeping.due(SOON_SECONDS)
    keeping.changed(1.5)
    assert not keeping.due(100.0), "one at a time"
    keeping.done(2.0, failed=False)
    assert keeping.behind
    assert not keeping.due(2.0 + 1.0 / SHARE - 0.1)
    assert keeping.due(2.0 + 1.0 / SHARE)
    keeping.done(22.1, failed=True)
    assert keeping.behind, "tried again"
