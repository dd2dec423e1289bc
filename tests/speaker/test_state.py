"""What is remembered on disk: nothing in it can prevent a start, and no full disk can stop us."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ipc.message import encode
from bgpd.model.prefix import Address
from bgpd.policy.lever import MAX_GENERATION
from bgpd.speaker import state as module
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.state import KeptMesh, State
from bgpd.speaker.timeline import Timeline
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World

DESIRED = json.loads(encode(World(3).desired("n1", peers=(PEER,))))


def start(directory: Path) -> Node:
    """Start a reflex from what *directory* holds, as the driver does, and let it live a while."""
    kept = State(directory)
    mesh = kept.load_mesh()
    Timeline(kept.load_timeline())
    node = Node("n1", 0.0, kept=mesh)
    node.reflex = Reflex(
        node=node.name,
        command="reflex",
        make_mesh=node.make_mesh,
        timeline=Timeline(),
        now=0.0,
        wall_offset=0.0,
    )
    node.reflex.start(configuration="", saved=kept.load_desired(), now=0.0, drain=kept.load_drain())
    for step in range(1, 200):
        now = step * 0.02
        if node.reflex.mesh is not None:
            node.reflex.mesh.handle_timer(now)
            node.reflex.mesh.datagrams_to_send()
        node.reflex.handle_timer(now)
        node.settle(now)
    return node


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def leaves(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in *document*, itself left out."""
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [found for key, value in items for found in ((*path, key), *leaves(value, (*path, key)))]


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the whole desired state with *value* at *path*."""
    document: Any = json.loads(json.dumps(DESIRED))
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    result: dict[str, Any] = document
    return result


@settings(deadline=None)
@given(
    st.sampled_from(["desired.json", "drain.json", "mesh.json", "timeline.json"]),
    st.binary(max_size=200)
    | values.map(lambda value: json.dumps(value).encode())
    | st.integers(1, 100_000).map(lambda depth: b"[" * depth)
    | st.integers(1, 10_000).map(lambda depth: b'{"desired":' * depth),
)
def test_no_bytes_on_disk_prevent_a_start(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    """Whatever a file holds, the reflex starts and asks ExaBGP what is there."""
    directory = tmp_path_factory.mktemp("state")
    (directory / name).write_bytes(content)
    assert start(directory).exabgp.commands


@settings(deadline=None)
@given(st.sampled_from(leaves(DESIRED)), values)
def test_no_wrong_value_on_disk_prevents_a_start(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], value: Any
) -> None:
    """Also not one wrong value in a file that is right otherwise."""
    directory = tmp_path_factory.mktemp("state")
    document = {"boot_id": module.BOOT_ID.read_text().strip(), "desired": changed(path, value)}
    (directory / "desired.json").write_text(json.dumps(document))
    assert start(directory).exabgp.commands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"generation": 7, "resets": 2}', KeptMesh(generation=7, resets=2), id="fine"),
        pytest.param('{"generation": 0}', KeptMesh(), id="generation 0"),
        pytest.param('{"generation": -3}', KeptMesh(), id="a negative generation"),
        pytest.param(f'{{"generation": {MAX_GENERATION + 1}}}', KeptMesh(), id="beyond the last"),
        pytest.param('{"generation": "7"}', KeptMesh(), id="text"),
        pytest.param('{"generation": 7, "resets": 4294967296}', KeptMesh(), id="too many resets"),
    ],
)
def test_a_generation_that_cannot_be_is_forgotten(
    tmp_path: Path, text: str, expected: KeptMesh
) -> None:
    """What no heartbeat could carry counts as absent, and the log says so."""
    (tmp_path / "mesh.json").write_text(text)
    kept = State(tmp_path)
    assert kept.load_mesh() == expected
    assert bool(kept.problems) is (expected == KeptMesh())


@pytest.mark.parametrize("at", ["1e18", "-1e18", "9e99"])
def test_a_probe_of_a_day_that_has_no_name_is_forgotten(tmp_path: Path, at: str) -> None:
    """The day is said in a condition, with each status: what cannot be said must not be known."""
    (tmp_path / "probed.json").write_text(
        f'{{"tor-1": {{"address": "10.0.0.0", "at": {at}, "moves": {{"med": false}}}}}}'
    )
    kept = State(tmp_path)
    assert kept.load_probed() == {}
    assert len(kept.problems) == 1


def test_a_disk_that_takes_nothing_is_reported_once(tmp_path: Path) -> None:
    """A read-only or full directory changes nothing but a condition, which ends with it."""
    directory = tmp_path / "state"
    kept = State(directory)
    kept.save_mesh({"generation": 2})
    kept.save_mesh({"generation": 3})
    assert len(kept.problems) == 1
    (condition,) = kept.conditions()
    assert (condition.type, condition.status) == ("StateNotWritten", True)
    assert "mesh.json: not written: No such file or directory" in condition.message
    directory.mkdir()
    kept.save_mesh({"generation": 4})
    assert list(kept.conditions()) == []
    assert State(directory).load_mesh().generation == 4


def test_a_full_disk_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    """Half of a new file never replaces a whole old one."""
    kept = State(tmp_path)
    kept.save_mesh({"generation": 4})
    (tmp_path / "mesh.json.new").symlink_to("/dev/full")
    kept.save_mesh({"generation": 5})
    assert [one.reason for one in kept.conditions()] == ["WriteFailed"]
    assert State(tmp_path).load_mesh().generation == 4


def test_a_configuration_that_was_not_written_says_so(tmp_path: Path) -> None:
    """The reflex has to know that ExaBGP will read the old one."""
    said: list[str] = []
    State(tmp_path).write_configuration("exabgp.conf", "text", said.append)
    assert State(tmp_path).read_configuration("exabgp.conf") == "text"
    State(tmp_path / "absent").write_configuration("exabgp.conf", "text", said.append)
    assert said[0] == ""
    assert said[1].endswith("exabgp.conf: not written: No such file or directory")


def test_a_failed_write_is_counted(tmp_path: Path) -> None:
    """A disk that fails now and then is seen in the counters, also between two conditions."""
    kept = State(tmp_path / "absent")
    kept.save_mesh({"generation": 2})
    kept.save_timeline(())
    assert kept.counters == {"state_writes": 2, "state_writes_failed": 2}


def test_many_routes_are_written_in_pieces_and_read_as_one(tmp_path: Path) -> None:
    """However many there are, each comes back once, in order."""
    routes = tuple(advertisement(number) for number in range(1, 251)) * 5
    kept = State(tmp_path)
    kept.save_desired(World(1).desired("n1", *routes))
    assert _loaded(tmp_path).advertisements == routes


def test_the_form_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    """An upgrade must not forget what the agent wanted."""
    document = {"boot_id": module.BOOT_ID.read_text().strip(), "desired": DESIRED}
    (tmp_path / "desired.json").write_text(json.dumps(document))
    assert len(_loaded(tmp_path).advertisements) == 2


def test_what_holds_keys_is_ours_alone(tmp_path: Path) -> None:
    """MD5 keys are in both: nobody else may read them."""
    kept = State(tmp_path)
    kept.save_desired(World(1).desired("n1"))
    kept.write_configuration("exabgp.conf", "text", lambda _: None)
    assert {os.stat(path).st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}  # noqa: PTH116


def test_after_a_reboot_the_routes_are_forgotten(tmp_path: Path) -> None:
    """What ran before the boot does not run now; peers and members are still good."""
    kept = State(tmp_path)
    kept.save_desired(World(1).desired("n1"))
    assert len(_loaded(tmp_path).advertisements) == 2
    document = json.loads((tmp_path / "desired.json").read_text())
    document["boot_id"] = "another"
    (tmp_path / "desired.json").write_text(json.dumps(document))
    assert _loaded(tmp_path).advertisements == ()
    assert _loaded(tmp_path).peers[0].address == Address(PEER.address)


def _loaded(directory: Path) -> Any:
    return State(directory).load_desired()


def test_a_request_for_a_drain_outlives_a_reboot_unless_it_was_for_this_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is serviced comes back drained; one that was drained to reboot does not."""
    for boot, kept in (("", True), ("this", False)):
        request = DrainRequest(forced=True, since=7.0, boot=boot)
        State(tmp_path).save_drain(request)
        here = State(tmp_path).load_drain()
        assert here is not None
        assert (here.forced, here.since) == (True, 7.0)
        with monkeypatch.context() as patch:
            (tmp_path / "boot").write_text("another\n")
            patch.setattr(module, "BOOT_ID", tmp_path / "boot")
            assert (State(tmp_path).load_drain() is not None) is kept
    State(tmp_path).save_drain(None)
    assert State(tmp_path).load_drain() is None


def test_after_a_boot_an_earlier_request_without_an_end_holds_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit of a shutdown drains by force until the boot; the person's own drain goes on."""
    lasting = DrainRequest(since=7.0)
    State(tmp_path).save_drain(DrainRequest(forced=True, since=7.0, boot="this", then=lasting))
    here = State(tmp_path).load_drain()
    assert here is not None
    assert here.forced
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr(module, "BOOT_ID", tmp_path / "boot")
    assert State(tmp_path).load_drain() == lasting
