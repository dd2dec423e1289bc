"""One node is the active one: all nodes agree which, and whoever is left is the best."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.cluster import EXCLUDE_LABEL, EndpointSlice, NodeReport, Service
from bgpd.model.configuration import BGPAdvertisement, Distribution, NodePreference
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import Lever
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement, Attributes
from bgpd.policy.lever import Stance, attributes
from bgpd.policy.service import decide
from bgpd.policy.standby import Contest
from tests.policy.build import Cluster, advertisement, label, node, peer, service, slices

NODES = tuple(node(f"n{number}") for number in range(1, 6))
NAMES = tuple(one.name for one in NODES)
EVERYWHERE = slices(*NAMES)


def standby(*preferences: tuple[int, str], med: int | None = None) -> BGPAdvertisement:
    """Return an advertisement that prefers nodes by name, with weights."""
    return advertisement(
        distribution=Distribution.ACTIVE_STANDBY,
        preferred_nodes=tuple(
            NodePreference(weight=weight, selector=label("name", name))
            for weight, name in preferences
        ),
        med=med,
    )


def routes(
    cluster: Cluster,
    asked: Service | None = None,
    endpoints: tuple[EndpointSlice, ...] = EVERYWHERE,
) -> dict[str, Advertisement]:
    """Return what each node of *cluster* advertises for one Service."""
    found: dict[str, Advertisement] = {}
    for name in NAMES:
        context = replace(cluster, me=name).context()
        for one in decide(asked or service(), endpoints, context).advertisements:
            found[name] = one
    return found


def ranks(
    cluster: Cluster,
    asked: Service | None = None,
    endpoints: tuple[EndpointSlice, ...] = EVERYWHERE,
) -> dict[str, int]:
    """Return the rank of each node that advertises."""
    return {name: one.rank for name, one in routes(cluster, asked, endpoints).items()}


CLUSTER = Cluster(nodes=NODES, advertisements=(standby(),))


def test_every_node_has_another_rank() -> None:
    """One is 0, the others follow, and each computed its own."""
    assert sorted(ranks(CLUSTER).values()) == [0, 1, 2, 3, 4]


def test_different_prefixes_have_different_active_nodes() -> None:
    """So that all nodes carry traffic; a node that goes moves only its own prefixes."""
    prefixes = [Prefix(f"198.51.100.{number}/32") for number in range(250)]

    def active(nodes: tuple[str, ...]) -> list[str]:
        cluster = [one for one in NODES if one.name in nodes]
        contests = {name: Contest(name, cluster, ()) for name in nodes}
        return [
            next(name for name in nodes if contests[name].place(prefix, None).position == 0)
            for prefix in prefixes
        ]

    before, after = active(NAMES), active(NAMES[:-1])
    assert all(30 <= count <= 70 for count in Counter(before).values())
    moved = {old for old, new in zip(before, after, strict=True) if old != new}
    assert moved == {NAMES[-1]}


def test_preferences_come_first_and_add_up() -> None:
    """The weights of all selectors that match a node are summed."""
    cluster = replace(CLUSTER, advertisements=(standby((60, "n4"), (50, "n2"), (20, "n2")),))
    found = ranks(cluster)
    assert (found["n2"], found["n4"]) == (0, 1)
    assert {found[name] for name in ("n1", "n3", "n5")} == {2, 3, 4}


@pytest.mark.parametrize(
    ("cluster", "asked", "endpoints", "expected"),
    [
        pytest.param(CLUSTER, service(local=True), slices("n2", "n2", "n4"), {"n2", "n4"},
                     id="Local policy: only nodes with endpoints"),
        pytest.param(replace(CLUSTER, nodes=(node("n1", labels={EXCLUDE_LABEL: ""}), *NODES[1:])),
                     None, EVERYWHERE, {"n2", "n3", "n4", "n5"}, id="an excluded node"),
        pytest.param(replace(CLUSTER, nodes=(node("n1", network_unavailable=True), *NODES[1:])),
                     None, EVERYWHERE, {"n2", "n3", "n4", "n5"}, id="a node without network"),
        pytest.param(replace(CLUSTER, advertisements=(
                         replace(standby(), node_selectors=(label("name", "n1", "n3"),)),)),
                     None, EVERYWHERE, {"n1", "n3"}, id="nodes that are not selected"),
    ],
)  # fmt: skip
def test_only_who_can_carry_competes(
    cluster: Cluster,
    asked: Service | None,
    endpoints: tuple[EndpointSlice, ...],
    expected: set[str],
) -> None:
    """The ranks have no hole where a node does not advertise."""
    found = ranks(cluster, asked, endpoints)
    assert found.keys() == expected
    assert sorted(found.values()) == list(range(len(expected)))


def test_a_node_whose_agent_says_nothing_does_not_compete() -> None:
    """Where agents report, a Node without one has no speaker."""
    reports = tuple(
        NodeReport(
            name=NodeName(name),
            member=Member(name=NodeName(name), address=Address(f"10.0.0.{name[1:]}")),
        )
        for name in ("n1", "n2")
    )
    found = ranks(replace(CLUSTER, reports=reports))
    assert {found["n1"], found["n2"]} == {0, 1}


def test_a_users_med_moves_all_ranks() -> None:
    """Two advertisements for two groups of nodes can be put behind each other; 200 is the last."""
    assert sorted(ranks(replace(CLUSTER, advertisements=(standby(med=10),))).values()) == [
        10, 11, 12, 13, 14,
    ]  # fmt: skip
    last = ranks(replace(CLUSTER, advertisements=(standby(med=198),)))
    assert sorted(last.values()) == [198, 199, 200, 200, 200]


@given(dead=st.sets(st.sampled_from(NAMES), max_size=4), number=st.integers(1, 250))
def test_when_nodes_die_the_best_that_lives_is_best(dead: set[str], number: int) -> None:
    """The survivors keep their ranks and raise the generation; the dead keep the old one."""
    found = routes(CLUSTER, service("web", f"198.51.100.{number}"))
    (spoken,) = CLUSTER.context().peers
    meds: dict[str, int] = {}
    for name, one in found.items():
        said = attributes(one, spoken, Stance(generation=1 if name in dead else 2))
        assert isinstance(said, Attributes)
        assert said.med is not None
        meds[name] = said.med
    alive = [name for name in NAMES if name not in dead]
    best = min(alive, key=lambda name: found[name].rank)
    assert min(meds, key=lambda name: meds[name]) == best
    assert sorted(meds.values()).count(meds[best]) == 1


@pytest.mark.parametrize("lever", [Lever.AS_PATH, Lever.ORIGIN, Lever.NONE])
def test_without_ranks_a_standby_waits_until_nobody_is_before_it(lever: Lever) -> None:
    """It names those before it, best first; once the router hears none of them, it advertises."""
    cluster = replace(CLUSTER, peers=(peer(lever=lever),))
    found = routes(cluster)
    order = sorted(found, key=lambda name: found[name].rank)
    (spoken,) = cluster.context().peers
    for position, name in enumerate(order):
        one = found[name]
        assert set(one.ahead) == set(order[:position])
        for alive in range(len(order)):
            present = frozenset(order[alive:])
            said = attributes(one, spoken, Stance(generation=0, present=present))
            assert isinstance(said, Attributes) is (alive >= position)
            if not isinstance(said, Attributes):
                assert said is Reason.STANDBY


def test_only_the_last_of_those_before_us_are_named() -> None:
    """The best sixteen: with hundreds of nodes the routes would be lists of nodes."""
    nodes = [node(f"n{number}") for number in range(1, 101)]
    prefix = Prefix("198.51.100.1/32")
    places = {one.name: Contest(one.name, nodes, ()).place(prefix, None) for one in nodes}
    order = sorted(places, key=lambda name: places[NodeName(name)].position)
    assert places[order[-1]].ahead == tuple(order[:16])
    assert [places[name].position for name in order] == list(range(100))


def test_an_active_node_that_no_advertisement_orders_is_as_good_as_any() -> None:
    """Plain advertisements have no order and name nobody."""
    found = routes(replace(CLUSTER, advertisements=(advertisement(),)))
    assert {(one.rank, one.ahead) for one in found.values()} == {(0, ())}
    assert not replace(CLUSTER, advertisements=(advertisement(),)).context().ordered
    assert CLUSTER.context().ordered
