"""The objects in force: last good versions stay, duplicates wait, and only real changes count."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube.documents import Key, read
from bgpd.kube.store import Changes, Store, union
from bgpd.model.cluster import EndpointSlice
from bgpd.model.configuration import BGPPeer
from tests.kube.build import Document, endpoint_slice, ours, peer, pool, service, text

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

A = Key("BGPPeer", "", "a")
B = Key("BGPPeer", "", "b")


def apply(store: Store, file: str, *documents: Document) -> Changes:
    """Apply one file with *documents*."""
    return store.apply(file, read(file, text(*documents)))


def port(store: Store, key: Key) -> int:
    """Return the port of a peer in force, by which versions are told apart here."""
    found = store.objects[key]
    assert isinstance(found, BGPPeer)
    return found.port


def test_only_what_really_changed_is_reported() -> None:
    """A file that is written again with the same facts changes nothing."""
    store = Store()
    assert apply(store, "f.yaml", peer("a"), peer("b")).added == {A, B}
    assert not apply(store, "f.yaml", peer("b"), peer("a"))
    changes = apply(store, "f.yaml", peer("a", peerPort=1179))
    assert (set(changes.added), set(changes.changed), set(changes.removed)) == (set(), {A}, {B})
    assert changes.configuration


def test_a_refused_document_leaves_its_last_good_version_in_force() -> None:
    """Its neighbors in the file change as the file says."""
    store = Store()
    apply(store, "f.yaml", peer("a", peerPort=1), peer("b", peerPort=1))
    changes = apply(store, "f.yaml", peer("a", peerPort=0), peer("b", peerPort=2))
    assert changes.changed == {B}
    assert (port(store, A), port(store, B)) == (1, 2)
    (condition,) = store.conditions
    assert (condition.type, condition.reason, condition.status) == (
        "DocumentRefused",
        "BGPPeer",
        True,
    )
    assert "f.yaml document 1 (BGPPeer a): spec.peerPort" in condition.message


def test_a_corrected_document_takes_its_condition_away() -> None:
    """A condition lasts as long as its cause."""
    store = Store()
    apply(store, "f.yaml", peer("a", myASN=0))
    assert apply(store, "f.yaml", peer("a")).conditions
    assert store.conditions == ()


def test_a_refused_document_that_moves_to_no_other_file_can_still_be_removed() -> None:
    """A last good version stays only while the file names the object."""
    store = Store()
    apply(store, "f.yaml", peer("a"))
    apply(store, "f.yaml", peer("a", myASN=0))
    assert apply(store, "f.yaml", pool("p")).removed == {A}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(text(peer("a"))[:-20], id="a file that was cut"),
        pytest.param(text({"apiVersion": "v1", "kind": "Service"}), id="a document without a name"),
        pytest.param(text(peer("a")) + b"---\n[", id="a good document before broken syntax"),
        pytest.param(b"\x00\x01", id="no text at all"),
    ],
)
def test_a_file_that_cannot_be_read_through_takes_nothing_away(content: bytes) -> None:
    """Unknown is not empty."""
    store = Store()
    apply(store, "f.yaml", peer("a"), peer("b"))
    changes = store.apply("f.yaml", read("f.yaml", content))
    assert not changes.keys
    assert changes.conditions
    assert set(store.objects) == {A, B}


def test_a_file_that_is_gone_takes_its_objects_with_it() -> None:
    """And its conditions."""
    store = Store()
    apply(store, "f.yaml", peer("a"), peer("b", myASN=0))
    assert store.remove("f.yaml").removed == {A}
    assert (len(store.objects), store.conditions, store.files) == (0, (), frozenset())


def test_of_two_files_with_one_object_the_first_in_force_stays() -> None:
    """The newcomer waits, the condition names both files, and it takes over when the first goes."""
    store = Store()
    apply(store, "first.yaml", peer("a", peerPort=1))
    changes = apply(store, "second.yaml", peer("a", peerPort=2))
    assert changes.conditions
    assert not changes.keys
    assert port(store, A) == 1
    (condition,) = store.conditions
    assert condition.message == (
        "second.yaml (BGPPeer a): is already in first.yaml; the one in first.yaml holds, "
        "remove one of them"
    )
    apply(store, "first.yaml", peer("a", peerPort=3))
    assert port(store, A) == 3
    assert store.remove("first.yaml").changed == {A}
    assert (port(store, A), store.conditions) == (2, ())


def test_a_waiting_duplicate_can_go_without_a_trace() -> None:
    """Removing the second file leaves the first in force and no condition."""
    store = Store()
    apply(store, "first.yaml", peer("a", peerPort=1))
    apply(store, "second.yaml", peer("a", peerPort=2))
    changes = store.remove("second.yaml")
    assert changes.conditions
    assert not changes.keys
    assert store.conditions == ()


def test_our_kinds_are_known_by_name_in_whatever_namespace() -> None:
    """They refer to each other by name alone, so two of one name are one too many."""
    store = Store()
    apply(
        store, "f.yaml", ours("IPAddressPool", "p", {"addresses": ["192.0.2.0/24"]}, namespace="x")
    )
    apply(
        store, "g.yaml", ours("IPAddressPool", "p", {"addresses": ["192.0.2.0/24"]}, namespace="y")
    )
    assert (len(store.objects), len(store.conditions)) == (1, 1)


def test_a_service_is_touched_by_its_slices_also_when_one_moves_away() -> None:
    """Whoever decides on Services again needs no more than the changes."""
    store = Store()
    apply(store, "s.yaml", service("web"), service("api"))
    ready = {"addresses": ["10.0.0.1"], "nodeName": "n1"}
    assert apply(store, "e.yaml", endpoint_slice("x", "web", ready)).services == {"default/web"}
    assert len(store.objects.slices("default/web")) == 1
    moved = apply(store, "e.yaml", endpoint_slice("x", "api", ready))
    assert moved.services == {"default/web", "default/api"}
    assert not moved.configuration
    assert store.objects.slices("default/web") == ()
    assert store.remove("e.yaml").services == {"default/api"}
    assert store.objects.slices("default/api") == ()


@pytest.mark.parametrize(
    ("conditions", "serving"),
    [
        ({"ready": True}, True),
        ({"serving": True}, True),
        ({"ready": None}, True),
        (None, True),
        ({}, True),
        ({"ready": True, "serving": False}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": None}, False),
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": False, "serving": False, "terminating": True}, False),
    ],
)
def test_an_endpoint_takes_traffic_unless_it_says_no(
    conditions: Document | None, *, serving: bool
) -> None:
    """Ready unless it says otherwise, and still serving while it terminates."""
    store = Store()
    endpoint = {"addresses": ["10.0.0.1"], "nodeName": "n1", "conditions": conditions}
    apply(store, "e.yaml", endpoint_slice("x", "web", endpoint))
    (found,) = store.objects.slices("default/web")
    assert (found.serving, found.not_serving) == ((("n1",), 0) if serving else ((), 1))


def test_an_endpoint_without_an_address_never_counts() -> None:
    """There is nowhere to send traffic to."""
    store = Store()
    apply(store, "e.yaml", endpoint_slice("x", "web", {"addresses": [], "nodeName": "n1"}))
    assert store.objects.slices("default/web") == (
        EndpointSlice(namespace="default", name="x", service="default/web", not_serving=1),
    )


_FILES = st.dictionaries(
    st.sampled_from(["a.yaml", "b.yaml", "c.yaml"]),
    st.lists(st.integers(1, 5), max_size=3),
    min_size=1,
)


def _documents(file: str, ports: list[int]) -> bytes:
    return text(
        *(peer(f"{file[0]}{number}", peerPort=number) for number in set(ports)), pool(file[0])
    )


@calm
@given(_FILES, st.randoms())
def test_the_order_of_files_makes_no_difference(
    files: dict[str, list[int]], random: Random
) -> None:
    """Where no two files name one object, any order gives the same state and the same changes."""
    states = []
    for _ in range(2):
        store = Store()
        order = list(files)
        random.shuffle(order)
        changes = union(store.apply(f, read(f, _documents(f, files[f]))) for f in order)
        states.append(({key: store.objects[key] for key in store.objects}, changes))
    assert states[0] == states[1]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a.yaml", "b.yaml"]),
        st.none() | st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), max_size=3),
    ),
    max_size=12,
)


@calm
@given(_STEPS)
def test_changes_add_up_to_the_state(
    steps: list[tuple[str, list[tuple[str, int]] | None]],
) -> None:
    """However files come, change, break, clash and go: the joined changes explain the objects."""
    store = Store()
    known: dict[Key, object] = {}
    for file, peers in steps:
        if peers is None:
            changes = store.remove(file)
        else:
            changes = apply(store, file, *(peer(name, peerPort=number) for name, number in peers))
        now: dict[Key, object] = {key: store.objects[key] for key in store.objects}
        assert changes.added == now.keys() - known.keys()
        assert changes.removed == known.keys() - now.keys()
        assert changes.changed == {k for k in now.keys() & known.keys() if now[k] != known[k]}
        known = now


@calm
@given(_STEPS)
def test_joined_changes_are_the_difference_of_the_ends(
    steps: list[tuple[str, list[tuple[str, int]] | None]],
) -> None:
    """What several files change together is what differs between before and after."""
    store = Store()
    apply(store, "a.yaml", peer("x", peerPort=1), peer("y", peerPort=1))
    before = {key: store.objects[key] for key in store.objects}
    total = union(
        store.remove(file)
        if peers is None
        else apply(store, file, *(peer(name, peerPort=number) for name, number in peers))
        for file, peers in steps
    )
    after = {key: store.objects[key] for key in store.objects}
    assert total.added == after.keys() - before.keys()
    assert total.removed == before.keys() - after.keys()
    assert total.changed >= {k for k in after.keys() & before.keys() if after[k] != before[k]}
    assert total.changed <= after.keys() & before.keys()
