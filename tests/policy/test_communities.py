"""Aliases of communities: defined once, resolved, and never lost under an advertisement."""

from dataclasses import replace

from bgpd.model.configuration import Community
from bgpd.policy.service import decide
from tests.policy.build import Cluster, advertisement, service, slices

BLACKHOLE = Community(name="ours", values={"blackhole": "65535:666", "big": "large:1:2:3"})
TWIN = Community(name="theirs", values={"blackhole": "1:1"})
NAMING = advertisement(aliases=("blackhole",))


def communities(cluster: Cluster, previous: Cluster | None = None) -> tuple[str, ...]:
    """Return the communities of the one route."""
    context = cluster.context(previous.context() if previous else None)
    (route,) = decide(service(), slices("n1"), context).advertisements
    return (*route.communities, *route.large_communities)


def test_an_alias_stands_for_its_community() -> None:
    """Beside those that are written out, and for large ones, too."""
    cluster = Cluster(
        communities=(BLACKHOLE,),
        advertisements=(advertisement(aliases=("blackhole", "big"), communities=("1:1",)),),
    )
    assert not cluster.context().errors
    assert communities(cluster) == ("1:1", "65535:666", "1:2:3")


def test_an_unknown_alias_refuses_the_advertisement() -> None:
    """The last good version stays in force."""
    good = Cluster(advertisements=(advertisement(communities=("1:1",)),))
    bad = replace(good, advertisements=(NAMING,))
    (error,) = bad.context().errors
    assert error == (
        "BGPAdvertisement all: spec.communities names blackhole, which is no community and which "
        "no Community document defines; correct the name or define it"
    )
    assert communities(bad, good) == ("1:1",)


def test_an_alias_that_is_defined_twice_is_refused_with_both_objects_named() -> None:
    """The one in force stays, whatever the names; at a start the first by name holds."""
    both = Cluster(communities=(BLACKHOLE, TWIN), advertisements=(NAMING,))
    (error,) = both.context().errors
    assert error == (
        "Community theirs: alias blackhole is already defined by Community ours; an alias may be "
        "defined once, rename or remove one of them"
    )
    assert communities(both) == ("65535:666",)
    assert communities(both, replace(both, communities=(TWIN,))) == ("1:1",)


def test_an_alias_in_use_outlives_its_document() -> None:
    """Until the advertisement names it no more; a condition says so."""
    before = Cluster(communities=(BLACKHOLE,), advertisements=(NAMING,))
    gone = replace(before, communities=())
    context = gone.context(before.context())
    assert not context.errors
    (condition,) = context.conditions
    assert condition.type == "LastGoodInForce"
    assert "Community ours defines alias blackhole no more" in condition.message
    assert communities(gone, before) == ("65535:666",)
    again = gone.context(context)
    assert again.in_force == context.in_force
    renamed = replace(before, communities=(Community(name="ours", values={"other": "1:1"}),))
    assert communities(renamed, before) == ("65535:666",)
    free = replace(gone, advertisements=(advertisement(),))
    assert not free.context(context).in_force.communities


def test_an_edited_alias_changes_the_routes() -> None:
    """At once, without touching the advertisement."""
    before = Cluster(communities=(BLACKHOLE,), advertisements=(NAMING,))
    after = replace(before, communities=(Community(name="ours", values={"blackhole": "2:2"}),))
    assert communities(after, before) == ("2:2",)
