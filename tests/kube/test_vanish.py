"""Configuration that vanishes as a whole stays in force; everything else goes as it should."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.directory import DirectorySource
from bgpd.kube.documents import Key, Object, read
from bgpd.kube.kept import KeptSource
from bgpd.kube.store import Changes, Store
from bgpd.kube.vanish import CONDITION, SETTLE, Keeper, Kept
from bgpd.kube.view import Objects, View
from bgpd.kube.vocabulary import AGENT, CONTROLLER
from tests.kube import build

A, B = Key("IPAddressPool", "", "a"), Key("IPAddressPool", "", "b")
PEER = Key("BGPPeer", "", "p")
OFFER = Key("BGPAdvertisement", "", "o")
POLICY = Key("SpeakerPolicy", "", "s")
SERVICE = Key("Service", "default", "web")
DOCUMENTS = {
    A: build.pool("a", "192.0.2.0/25"),
    B: build.pool("b", "192.0.2.128/25"),
    PEER: build.peer("p"),
    OFFER: build.ours("BGPAdvertisement", "o"),
    POLICY: build.ours("SpeakerPolicy", "s"),
    SERVICE: build.service("web"),
}
OTHER = build.pool("a", "203.0.113.0/24")


class World:
    """A store with a keeper behind it, as a source has."""

    def __init__(
        self,
        *keys: Key,
        remembered: dict[Key, Object] | None = None,
        held: frozenset[Key] = frozenset(),
    ) -> None:
        self.store = Store()
        self.keeper = Keeper(self.store.objects, remembered, held=held)
        self.say(*keys, now=0.0)

    def say(self, *keys: Key, now: float, **more: Any) -> Changes:
        """Say that there are exactly the objects known by *keys*."""
        return self.say_documents(*(DOCUMENTS[key] for key in keys), now=now, **more)

    def say_documents(self, *documents: Any, now: float, **more: Any) -> Changes:
        """Say that there are exactly these documents."""
        text = json.dumps({"kind": "List", "apiVersion": "v1", "items": list(documents)})
        changes = self.store.apply("f", read("f.json", text.encode()))
        return self.keeper.take(changes, now=now, **more)

    @property
    def names(self) -> set[Key]:
        """What is in force."""
        assert len(self.keeper.objects) == len(set(self.keeper.objects))
        assert self.keeper.objects.copy().keys() == set(self.keeper.objects)
        return set(self.keeper.objects)

    @property
    def pools(self) -> list[str]:
        """The pools in force."""
        return sorted(one.name for one in self.keeper.objects.pools)


def test_one_pool_of_two_goes_after_a_pause() -> None:
    """It might be the first of all of them."""
    world = World(A, B, PEER)
    assert not world.say(A, PEER, now=10.0)
    assert world.names == {A, B, PEER}
    assert world.keeper.due == 10.0 + SETTLE
    assert world.keeper.settle(now=10.0 + SETTLE).removed == {B}
    assert world.names == {A, PEER}
    assert world.keeper.conditions == ()
    assert world.keeper.due is None


def test_all_pools_within_a_moment_change_nothing() -> None:
    """One after the other; the pause begins anew with each."""
    world = World(A, B, PEER)
    world.say(A, PEER, now=10.0)
    world.say(PEER, now=11.9)
    assert not world.keeper.settle(now=12.0)
    changes = world.keeper.settle(now=13.9)
    assert not changes.keys
    assert changes.conditions
    assert world.pools == ["a", "b"]
    (condition,) = world.keeper.conditions
    assert condition.type == CONDITION
    assert "a, b" in condition.message
    assert "bgpctl accept" in condition.message


def test_a_person_may_accept_it() -> None:
    """Then it is a removal like any other."""
    world = World(A, B)
    world.say(now=0.0)
    world.keeper.settle(now=SETTLE)
    changes = world.keeper.accept()
    assert changes.removed == {A, B}
    assert changes.conditions
    assert world.names == set()
    assert world.keeper.conditions == ()
    assert not world.keeper.accept()


def test_what_comes_back_as_it_was_is_no_change() -> None:
    """One by one; what is still gone stays in force."""
    world = World(A, B)
    world.say(now=0.0)
    world.keeper.settle(now=SETTLE)
    changes = world.say(A, now=100.0)
    assert not changes.keys
    assert changes.conditions
    assert world.pools == ["a", "b"]
    assert not world.keeper.settle(now=1000.0)
    assert "b" in world.keeper.conditions[0].message
    world.say(A, B, now=1001.0)
    assert world.keeper.conditions == ()
    assert world.names == {A, B}


def test_what_comes_back_otherwise_is_a_change() -> None:
    """Whoever decides has the old version still, so it is not new."""
    world = World(A)
    world.say(now=0.0)
    changes = world.say_documents(OTHER, now=1.0)
    assert changes == Changes(changed=frozenset({A}), conditions=changes.conditions)
    assert world.names == {A}
    assert str(world.keeper.objects.pools[0].prefixes[0]) == "203.0.113.0/24"


def test_the_only_advertisement_may_go() -> None:
    """To stop to advertise is something that people do on purpose."""
    world = World(A, OFFER)
    assert not world.say(A, now=0.0)
    assert world.keeper.settle(now=SETTLE).removed == {OFFER}
    assert world.names == {A}


@pytest.mark.parametrize("last", [A, PEER], ids=["the last pool", "the last peer"])
@pytest.mark.parametrize("with_it", [OFFER, POLICY], ids=["advertisement", "speaker policy"])
@pytest.mark.parametrize("order", ["at once", "before", "after"])
def test_what_goes_with_the_last_pool_or_peer_is_held_with_it(
    last: Key, with_it: Key, order: str
) -> None:
    """A file too much removed holds them all, and without an advertisement every route goes."""
    everything = {A, PEER, OFFER, POLICY}
    world = World(*sorted(everything))
    if order != "at once":
        world.say(*sorted(everything - {with_it if order == "before" else last}), now=0.0)
        assert not world.keeper.settle(now=SETTLE - 0.1)
    world.say(*sorted(everything - {last, with_it}), now=SETTLE - 0.1)
    assert not world.keeper.settle(now=SETTLE).keys
    assert not world.keeper.settle(now=2 * SETTLE).keys
    assert world.names == everything
    assert {one.reason for one in world.keeper.conditions} == {
        f"{last.kind}Gone",
        f"{with_it.kind}Gone",
    }
    assert world.keeper.accept().removed == {last, with_it}


def test_an_advertisement_that_goes_later_than_the_pools_is_a_removal_of_its_own() -> None:
    """Only what goes within the pause can be of the same mistake."""
    world = World(A, PEER, OFFER)
    world.say(PEER, OFFER, now=0.0)
    world.keeper.settle(now=SETTLE)
    world.say(PEER, now=60.0)
    assert world.keeper.settle(now=60.0 + SETTLE).removed == {OFFER}
    assert world.names == {A, PEER}


def test_a_kind_that_is_uninstalled_stays() -> None:
    """Its objects are deleted before its CRD is."""
    world = World(A, OFFER)
    world.say(A, now=0.0)
    assert not world.keeper.settle(now=SETTLE, missing={OFFER.kind}).keys
    assert world.names == {A, OFFER}
    assert world.keeper.conditions


def test_a_kind_that_is_installed_anew_and_empty_stays() -> None:
    """Nobody saw the deletions: the watch was cut, the CRD was away, and now nothing is there."""
    world = World(A, OFFER)
    world.say(A, OFFER, now=0.0, missing={OFFER.kind})
    world.say(A, now=60.0)
    assert not world.keeper.settle(now=60.0 + SETTLE).keys
    assert world.names == {A, OFFER}


def test_what_went_while_nobody_looked_is_held_too() -> None:
    """An agent that starts after the pools vanished must not find that normal."""
    before = World(A, B, SERVICE)
    remembered = {key: before.store.objects[key] for key in (A, B, SERVICE)}
    world = World(SERVICE, remembered=remembered)
    assert world.names == {A, B, SERVICE}
    world.keeper.settle(now=SETTLE)
    assert world.pools == ["a", "b"]
    assert world.keeper.conditions


def test_nothing_of_ours_goes_while_only_a_part_is_known() -> None:
    """Who must go on meanwhile does so with what was in force; afterwards the rule is the same."""
    old = World(A, PEER, SERVICE)
    remembered = {key: old.keeper.objects[key] for key in (A, PEER)}
    view = View()
    keeper = Keeper(view, remembered)
    keeper.wait()
    assert set(keeper.objects) == {A, PEER}
    view.put(PEER, remembered[PEER])
    keeper.wait()
    assert set(keeper.objects) == {A, PEER}
    assert len(keeper.objects) == 2
    first = keeper.take(Changes(added=frozenset({PEER})), now=0.0)
    assert first.added == {PEER}
    assert keeper.settle(now=SETTLE).removed == frozenset()
    assert [one.type for one in keeper.conditions] == [CONDITION]
    assert keeper.accept().removed == {A}


def test_what_is_held_is_held_by_the_next_process_too() -> None:
    """Nobody accepted it: neither a restart nor a CRD that is installed anew says that it may go.

    What went while nobody looked is judged by itself.
    """
    old = World(A, PEER, OFFER, POLICY)
    old.say(A, PEER, POLICY, now=10.0, missing={"BGPAdvertisement"})
    old.keeper.settle(now=10.0 + SETTLE, missing={"BGPAdvertisement"})
    assert old.keeper.held == {OFFER}
    kept = old.keeper.objects.copy()
    new = World(A, PEER, remembered=kept, held=old.keeper.held)
    assert [one.reason for one in new.keeper.conditions] == ["BGPAdvertisementGone"]
    assert new.keeper.settle(now=SETTLE).removed == {POLICY}
    assert new.names == {A, PEER, OFFER}
    assert new.keeper.accept().removed == {OFFER}
    back = World(A, PEER, OFFER, POLICY, remembered=kept, held=old.keeper.held)
    assert back.keeper.held == frozenset()


def test_services_go_at_once() -> None:
    """A route of a Service that is gone draws traffic into nothing."""
    world = World(A, SERVICE)
    assert world.say(A, now=0.0).removed == {SERVICE}
    assert world.keeper.objects.service("default/web") is None


@given(
    st.lists(
        st.tuples(st.frozensets(st.sampled_from([A, B, PEER, SERVICE])), st.floats(0, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_changes_and_what_is_in_force_agree(story: list[tuple[frozenset[Key], float]]) -> None:
    """Whoever follows the changes knows what is in force, and pools never run out."""
    world = World(A, B, PEER, SERVICE)
    followed = {A, B, PEER, SERVICE}
    now = 0.0
    for keys, pause in story:
        now += pause
        for changes in (world.keeper.settle(now=now), world.say(*keys, now=now)):
            assert not followed & changes.added
            assert changes.removed <= followed
            followed = (followed | changes.added) - changes.removed
        assert followed == world.names
        assert world.pools
        assert world.keeper.objects.peers


def test_a_directory_that_is_emptied_changes_nothing_until_a_person_accepts(
    tmp_path: Path,
) -> None:
    """The rule stands between any source and whoever decides."""
    (tmp_path / "all.yaml").write_bytes(build.text(DOCUMENTS[A], DOCUMENTS[PEER]))
    heard: list[Changes] = []

    async def main() -> None:
        source = KeptSource(DirectorySource(tmp_path))
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            task = group.create_task(source.run(heard.append))
            await _until(lambda: source.synced)
            (tmp_path / "all.yaml").write_bytes(build.text(DOCUMENTS[SERVICE]))
            await _until(lambda: len(source.conditions) == 2)
            assert set(source.objects) == {A, PEER, SERVICE}
            assert source.accept() == 2
            assert set(source.objects) == {SERVICE}
            assert source.conditions == ()
            task.cancel()

    asyncio.run(main())
    assert [one.removed for one in heard if one.removed] == [{A, PEER}]


async def _until(fact: Any) -> None:
    while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
        await asyncio.sleep(0.01)


def test_what_is_kept_shows_all_that_its_source_shows() -> None:
    """Whoever asks for something new of a source must not find it empty behind the keeper."""
    kinds = ["Community", "BFDProfile", "BGPAdvertisement", "SpeakerPolicy"]
    documents = [
        build.pool(),
        build.peer(),
        build.service(),
        *(build.ours(one, "x") for one in kinds),
        build.ours("HealthCheck", "x", {"tcpSocket": {}}),
    ]
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    key |= {"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    names = [name for name, one in vars(Objects).items() if isinstance(one, property)]
    shown = set()
    for vocabulary in (AGENT, CONTROLLER):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
        found = read("f.yaml", build.text(*documents, key, node, namespace), vocabulary)
        view = View()
        for one, value in found.objects.items():
            view.put(one, value)
        kept = Kept(view)
        assert len(kept) == len(view)
        for name in names:
            assert getattr(kept, name) == getattr(view, name), name
            shown |= {name} if getattr(view, name) else set()
    assert shown == set(names) - {"reports"}
