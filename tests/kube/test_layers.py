"""One kind from two groups: ours holds, MetalLB's is shown, and MetalLB may go."""

from bgpd.kube.documents import Key, read
from bgpd.kube.kinds import METALLB
from bgpd.kube.layers import Layers
from bgpd.kube.mirror import Mirror
from bgpd.kube.problem import Standing
from bgpd.kube.resource import resources
from bgpd.kube.store import Store
from bgpd.kube.view import View
from bgpd.kube.vocabulary import CONTROLLER
from bgpd.model.configuration import IPAddressPool
from tests.fakes.apiserver import FakeApiServer, refusal
from tests.kube.build import Document, pool, text
from tests.kube.follow import NAMESPACE, PATHS, Following, follow

P = Key("IPAddressPool", "", "p")
Q = Key("IPAddressPool", "", "q")
OURS = PATHS["IPAddressPool"]
THEIRS = next(
    one.path for one in resources(NAMESPACE) if one.foreign and one.kind == "IPAddressPool"
)


def theirs(document: Document) -> Document:
    """Return *document* as an object of MetalLB's."""
    metadata = {**document["metadata"], "namespace": "metallb-system"}
    return {**document, "apiVersion": METALLB, "metadata": metadata}


def blocks(one: Following, key: Key) -> tuple[str, ...]:
    """Return the addresses of a pool in force."""
    found = one.source.objects[key]
    assert isinstance(found, IPAddressPool)
    return found.prefixes


def test_a_cluster_without_metallb_is_no_news() -> None:
    """Its kinds are not there; nobody is told, and nothing waits for them."""

    async def story(one: Following, _: FakeApiServer) -> None:
        await one.synced()
        assert set(one.source.objects) == {P}
        assert one.source.conditions == ()
        assert one.source.missing == frozenset()

    follow(story, prepare=lambda api: api.apply(OURS, pool("p")))


def test_the_objects_of_metallb_are_read_as_they_are() -> None:
    """A cluster that has only MetalLB's kinds needs no other."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert one.source.sources[P] == "kubernetes"
        api.apply(THEIRS, theirs(pool("q", "198.51.100.0/24")))
        await one.keys(P, Q)
        api.delete(THEIRS, "metallb-system/q")
        await one.keys(P)
        assert one.source.conditions == ()

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS)
        api.apply(THEIRS, theirs(pool("p")))

    follow(story, prepare=prepare)


def test_ours_holds_and_theirs_is_shown() -> None:
    """Whoever edits the wrong one of two finds out why nothing happens."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert blocks(one, P) == ("192.0.2.0/24",)
        (condition,) = one.source.conditions
        assert (condition.type, condition.reason) == ("ObjectShadowed", "IPAddressPool")
        assert condition.message == (
            "IPAddressPool p of metallb.io: objects of bgpd.io with the same names hold in their "
            "place; those of p say something else"
        )
        api.delete(OURS, "p")
        await one.until(lambda: blocks(one, P) == ("198.51.100.0/24",))
        assert one.changes.changed == {P}
        assert one.source.conditions == ()

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS)
        api.apply(THEIRS, theirs(pool("p", "198.51.100.0/24")))
        api.apply(OURS, pool("p"))

    follow(story, prepare=prepare)


def test_removing_metallb_after_its_objects_were_copied_changes_nothing() -> None:
    """No object changes, none is missing, and nobody has to accept anything."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(OURS, pool("p"))
        await one.until(lambda: bool(one.source.conditions))
        api.uninstall(THEIRS)
        await one.until(lambda: not one.source.conditions)
        assert one.changes.keys == frozenset()
        assert one.source.missing == frozenset()
        assert set(one.source.objects) == {P}

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS)
        api.apply(THEIRS, theirs(pool("p")))

    follow(story, prepare=prepare)


def test_a_group_that_goes_with_objects_that_nobody_copied_is_missing() -> None:
    """They went together, so what vanished is held back although others of the kind stay.

    The objects go first; without the end of the group that is somebody's wish.
    """

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert set(one.source.objects) == {P, Q}
        api.clear(THEIRS)
        await one.keys(P)
        assert one.source.missing == frozenset()
        api.uninstall(THEIRS)
        await one.until(lambda: one.source.missing == {"IPAddressPool"})

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS)
        api.apply(THEIRS, theirs(pool("q", "198.51.100.0/24")))
        api.apply(OURS, pool("p"))

    follow(story, prepare=prepare)


def test_what_an_earlier_process_remembered_waits_for_both_groups() -> None:
    """The first of two answers is no reason to let go of what the other one has."""
    view = View()
    said = read("f.yaml", text(pool("p"), pool("q", "198.51.100.0/24"))).objects
    for key, one in said.items():
        view.put(key, one)
    layers = Layers("IPAddressPool", view)
    ours, theirs_ = layers.add("bgpd.io"), layers.add("metallb.io")
    assert not layers.merge()
    ours.view.put(P, said[P])
    theirs_.view.put(Q, said[Q])
    ours.known = theirs_.known = True
    assert not layers.merge()
    assert set(view) == {P, Q}
    theirs_.view.drop(Q)
    assert layers.merge().removed == {Q}
    assert layers.emptied


def test_an_object_of_ours_hides_one_of_theirs_in_files() -> None:
    """In one file and across files, in whichever order they are written."""
    mine, other = pool("p"), theirs(pool("p", "198.51.100.0/24"))
    for documents in ((mine, other), (other, mine)):
        found = read("f.yaml", text(*documents))
        (problem,) = found.problems
        assert problem.standing is Standing.SHADOWED
        assert "the object of bgpd.io with the same name" in problem.message
        (one,) = found.objects.values()
        assert isinstance(one, IPAddressPool)
        assert one.prefixes == ("192.0.2.0/24",)
    for first, second in (("a.yaml", "b.yaml"), ("b.yaml", "a.yaml")):
        store = Store()
        store.apply(first, read(first, text(other)))
        store.apply(second, read(second, text(mine)))
        assert store.sources[P] == second
        (problem,) = store.problems
        assert (problem.standing, problem.source) == (Standing.SHADOWED, first)
        store.apply(first, read(first, text(other)))
        assert store.sources[P] == second
        changes = store.remove(second)
        assert changes.changed == {P}
        assert not changes.removed
        assert store.sources[P] == first
        assert store.problems == ()


def test_an_object_of_ours_that_is_refused_does_not_give_way_to_theirs() -> None:
    """Its last good version holds: a slip must not bring an old object back."""
    store = Store()
    store.apply("f", read("f", text(pool("p"), theirs(pool("p", "198.51.100.0/24")))))
    store.apply("f", read("f", text(theirs(pool("p", "198.51.100.0/24")), pool("p", "bad"))))
    found = store.objects[P]
    assert isinstance(found, IPAddressPool)
    assert found.prefixes == ("192.0.2.0/24",)


def test_a_part_knows_what_is_remembered_until_it_is_complete() -> None:
    """An empty answer from the past must not pass for the present because the part is new."""
    (resource,) = (one for one in resources(NAMESPACE) if one.path == OURS)
    view = View()
    view.put(P, read("f.yaml", text(pool("p"))).objects[P])
    mirror = Mirror(resource, View(), view)
    assert mirror.known == 1
    mirror.begin()
    assert mirror.known == 1
    mirror.complete()
    assert mirror.known == 0


def test_what_nobody_may_read_of_metallb_is_not_gone() -> None:
    """An agent that starts again without that right keeps what it remembers of their pools."""
    said = read("f.yaml", text(pool("p"), pool("q", "198.51.100.0/24"))).objects

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        await one.until(lambda: "ApiForbidden" in one.reasons)
        assert set(one.source.objects) == {P, Q}
        api.delete(OURS, "p")
        await one.keys(Q)
        api.refuse = lambda _: None
        await one.until(lambda: not one.reasons)
        assert set(one.source.objects) == {Q}

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS)
        api.apply(THEIRS, theirs(pool("q", "198.51.100.0/24")))
        api.apply(OURS, pool("p"))
        forbidden = refusal(403, "Forbidden", "ipaddresspools is forbidden")
        api.refuse = lambda asked: forbidden if asked.path == THEIRS else None

    follow(story, prepare=prepare, remembered=said)


def test_a_controller_waits_for_the_pools_of_metallb() -> None:
    """It remembers nothing: without their pools it would take addresses for strays."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.until(lambda: one.reasons == ["ApiForbidden"])
        assert not one.source.synced
        api.refuse = lambda _: None
        await one.synced()
        assert {P, Q} <= set(one.source.objects)

    def prepare(api: FakeApiServer) -> None:
        api.install(THEIRS, *(one.path for one in CONTROLLER.resources(NAMESPACE) if one.ours))
        api.install("/api/v1/namespaces")
        api.apply(THEIRS, theirs(pool("q", "198.51.100.0/24")))
        api.apply(OURS, pool("p"))
        forbidden = refusal(403, "Forbidden", "ipaddresspools is forbidden")
        api.refuse = lambda asked: forbidden if asked.path == THEIRS else None

    follow(story, prepare=prepare, vocabulary=CONTROLLER)
