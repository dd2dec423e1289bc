"""Each step of the walk follows from what there is, and from nothing remembered."""

import json

import pytest

from bgpd.migrate.found import Document, Found
from bgpd.migrate.stand import Step
from bgpd.migrate.walk import behind, finish_is_early, holds_at_copy, stand
from tests.migrate.build import (
    OURS,
    cluster,
    controller,
    copied,
    endpoints,
    node,
    one,
    peer,
    pod,
    polite_speaker,
    pool,
    report,
    service,
    speaker,
)

METALLB = (pool(), peer(), controller())
COPIED = (*METALLB, copied(pool()), copied(peer()))
GONE = (pool(), peer(), controller(0), copied(pool()), copied(peer()))
DONE = (pool(), peer(), controller(0), copied(pool(), held=False), copied(peer()))


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param([node("n1")], Step.NOTHING, id="no MetalLB"),
        pytest.param([*METALLB, polite_speaker(), pod("n1")], Step.COPY, id="nothing is copied"),
        pytest.param(
            [*COPIED, pool("new", "198.51.100.0/24"), speaker()],
            Step.COPY,
            id="MetalLB has a new pool since",
        ),
        pytest.param(
            [*COPIED, speaker(), node("n1"), pod("n1")],
            Step.GIVE_WAY,
            id="a label would change nothing",
        ),
        pytest.param(
            [*COPIED, polite_speaker(), node("n1"), pod("n1"), node("n2"), pod("n2")],
            Step.MOVE,
            id="no node is moved",
        ),
        pytest.param(
            [*COPIED, polite_speaker(), node("n1", moved=True), pod("n1"), node("n2"), pod("n2")],
            Step.WAIT,
            id="MetalLB's pod has not ended",
        ),
        pytest.param(
            [*COPIED, polite_speaker(), node("n1", moved=True), node("n2"), pod("n2")],
            Step.WAIT,
            id="bgpd's agent has not said anything",
        ),
        pytest.param(
            [
                *COPIED, polite_speaker(), node("n1", moved=True), report("n1", up=False),
                node("n2"), pod("n2"),
            ],
            Step.WAIT,
            id="bgpd's session is down",
        ),
        pytest.param(
            [
                *COPIED, polite_speaker(), node("n1", moved=True), report("n1"),
                node("n2"), pod("n2"),
            ],
            Step.MOVE,
            id="one node is moved",
        ),
        pytest.param(
            [*COPIED, polite_speaker(), node("n1", moved=True), report("n1")],
            Step.STOP_CONTROLLER,
            id="every node is moved",
        ),
        pytest.param(
            [*GONE, polite_speaker(), node("n1", moved=True), report("n1")],
            Step.FINISH,
            id="MetalLB's controller is stopped",
        ),
        pytest.param(
            [*DONE, polite_speaker(), node("n1", moved=True), report("n1", held=False)],
            Step.REMOVE,
            id="the lever is on",
        ),
        pytest.param(
            [copied(pool(), held=False), node("n1", moved=True), report("n1", held=False)],
            Step.NOTHING,
            id="MetalLB is removed",
        ),
    ],
)  # fmt: skip
def test_the_next_step_follows_from_what_there_is(
    documents: list[Document], expected: Step
) -> None:
    """Whoever comes back after a week, or on another machine, is told the same."""
    assert stand(cluster(*documents), OURS).step is expected


def test_kinds_that_are_not_installed_come_first() -> None:
    """A copy needs somewhere to be written."""
    assert stand(Found(documents=METALLB, live=True), OURS).step is Step.INSTALL


def test_the_commands_of_giving_way_are_patches() -> None:
    """OnDelete first: a change of the template would else restart every speaker."""
    documents = (*COPIED, speaker(), node("n1"), pod("n1"))
    commands = stand(cluster(*documents), OURS).commands
    patches = [json.loads(command.partition(" -p ")[2].strip("'")) for command in commands]
    assert patches[0]["spec"]["updateStrategy"]["type"] == "OnDelete"
    made = speaker(**patches[0]["spec"])
    made["spec"]["template"]["spec"] |= patches[1]["spec"]["template"]["spec"]
    assert stand(cluster(*COPIED, made, node("n1"), pod("n1")), OURS).step is Step.MOVE


def test_frr_k8s_gives_way_with_the_speaker() -> None:
    """In that mode FRR is another DaemonSet, which keeps the session when the speaker goes."""
    labels = {"app.kubernetes.io/name": "frr-k8s", "app.kubernetes.io/component": "frr-k8s"}
    frr = one("apps/v1", "DaemonSet", "frr-k8s-daemon", labels=labels, spec={})
    owner = {"kind": "DaemonSet", "name": "frr-k8s-daemon"}
    owned = one("v1", "Pod", "frr-k8s-daemon-x", spec={"nodeName": "n1"})
    owned["metadata"]["ownerReferences"] = [owner]
    documents = (*COPIED, speaker(mode="frr-k8s"), frr, node("n1"), owned)
    at = stand(cluster(*documents), OURS)
    assert at.nodes[0].metallb
    assert at.step is Step.GIVE_WAY
    assert sum("frr-k8s-daemon" in command for command in at.commands) == 2
    strangers = (*COPIED, polite_speaker(), frr, node("n1"), owned)
    assert not stand(cluster(*strangers), OURS).nodes[0].metallb, "MetalLB speaks natively there"


def test_the_node_that_alone_carries_something_comes_last_with_a_warning() -> None:
    """Its packets cannot go anywhere else while its session changes hands."""
    local = {"externalTrafficPolicy": "Local"}
    documents = (
        *COPIED, polite_speaker(), node("n1"), pod("n1"), node("n2"), pod("n2"),
        service("web", "192.0.2.7", spec=local), endpoints("web", "n1"),
        service("both", "192.0.2.8", spec=local), endpoints("both", "n1", "n2"),
        service("any", "192.0.2.9"), endpoints("any", "n2"),
    )  # fmt: skip
    at = stand(cluster(*documents), OURS)
    assert at.commands == ("kubectl label node n2 bgpd.io/speaker=true",)
    assert at.warnings == ()
    moved = [one for one in documents if one["metadata"]["name"] not in {"n2", "speaker-n2"}]
    at = stand(cluster(*moved, node("n2", moved=True), report("n2")), OURS)
    assert at.commands == ("kubectl label node n1 bgpd.io/speaker=true",)
    assert "shop/web" in at.warnings[0]
    assert "shop/both" not in at.warnings[0]


def test_every_step_but_the_first_has_a_way_back() -> None:
    """A person who types the next command wants to know what takes it back."""
    moved = (*COPIED, polite_speaker(), node("n1", moved=True), report("n1"))
    assert stand(cluster(*moved, node("n2"), pod("n2")), OURS).back == (
        "kubectl label node n1 bgpd.io/speaker-",
    )
    finished = cluster(*DONE, polite_speaker(), node("n1", moved=True), report("n1", held=False))
    assert stand(finished, OURS).back == ("bgpctl migrate finish --undo",)


def test_a_lever_beside_metallb_is_a_warning() -> None:
    """MetalLB's routes have no MED, so every route of ours would lose to them."""
    documents = (
        pool(), peer(), copied(pool(), held=False), copied(peer()), polite_speaker(),
        node("n1"), pod("n1"), node("n2", moved=True), report("n2", held=False),
    )  # fmt: skip
    assert "finish --undo" in stand(cluster(*documents), OURS).warnings[0]


@pytest.mark.parametrize(
    ("documents", "word"),
    [
        pytest.param([*GONE, node("n1"), pod("n1")], "speaker still runs on n1", id="a speaker"),
        pytest.param([*COPIED, node("n1")], "controller still runs", id="the controller"),
        pytest.param(
            [*GONE, node("n1"), report("n1", up=False)], "not all established", id="a session"
        ),
        pytest.param([*GONE, node("n1", moved=True)], "says nothing on n1", id="an agent"),
        pytest.param([*GONE, pool("b", "198.51.100.0/24")], "IPAddressPool b", id="a copy"),
    ],
)
def test_to_finish_early_is_refused(documents: list[Document], word: str) -> None:
    """What would take traffic away, or give an address twice, has to be gone first."""
    found = cluster(*documents)
    assert any(word in reason for reason in finish_is_early(stand(found, OURS), found))


def test_nothing_speaks_against_the_end_when_all_is_moved() -> None:
    """The sentences above are all that there is."""
    found = cluster(*GONE, polite_speaker(), node("n1", moved=True), report("n1"))
    assert finish_is_early(stand(found, OURS), found) == ()


def test_the_end_waits_for_every_agent() -> None:
    """One that did not hear of it yet has the best routes, and all traffic."""
    documents = (node("n1"), report("n1", held=False), node("n2"), report("n2"))
    at = stand(cluster(*DONE, *documents), OURS)
    assert behind(at, on=True) == ["n2"]
    assert behind(at, on=False) == ["n1"]


def test_what_a_speaker_has_not_done_is_waited_for() -> None:
    """The agent knows of the change a second before the routes carry it, in either direction."""
    on = cluster(*DONE, node("n1"), report("n1", held=False, lever="none"))
    off = cluster(*DONE, node("n1"), report("n1", held=True, lever="med"))
    assert behind(stand(on, OURS), on=True) == ["n1"]
    assert behind(stand(off, OURS), on=False) == ["n1"]


def test_a_peer_without_a_lever_by_a_persons_wish_is_not_waited_for() -> None:
    """Two clusters that share a prefix have none, for example; there is nothing to turn on."""
    own = copied(peer())
    own["spec"] = {**own["spec"], "takeover": {"lever": "none"}}
    documents = (
        copied(pool(), held=False),
        own,
        node("n1"),
        report("n1", held=False, lever="none"),
    )
    assert behind(stand(cluster(*documents), OURS), on=True) == []


def test_the_end_is_at_one_generation() -> None:
    """Routes of unlike generations are no equals: the later one would have all traffic."""
    documents = (
        node("n1"), report("n1", held=False, generation=2),
        node("n2"), report("n2", held=False, generation=3),
    )  # fmt: skip
    assert behind(stand(cluster(*DONE, *documents), OURS), on=True) == ["n1"]
    assert behind(stand(cluster(*DONE), OURS), on=True) == [], "nobody to wait for"


def test_a_copy_after_the_end_does_not_begin_again() -> None:
    """The mark comes with the first copy, and stays away once it was taken off."""
    assert holds_at_copy(cluster(*METALLB))
    assert holds_at_copy(cluster(*COPIED))
    assert not holds_at_copy(cluster(*DONE))


def test_an_object_of_a_person_is_not_waited_for() -> None:
    """Who wrote a pool of our kind differently on purpose is not asked to copy for ever."""
    own = copied(pool("a", "192.0.2.0/25"))
    documents = (pool(), peer(), own, copied(peer()), polite_speaker(), node("n1"), pod("n1"))
    assert stand(cluster(*documents), OURS).step is Step.MOVE
