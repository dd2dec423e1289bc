"""The lever: any path of a later generation beats any path of an earlier one."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bgpd.model.peer import Asn, Lever, Peer, PeerName, Takeover
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement, Attributes
from bgpd.policy.lever import MAX_GENERATION, Stance, attributes, effective_generation

PEER = Peer(
    name=PeerName("tor"),
    address=Address("10.0.0.0"),
    peer_asn=Asn(65530),
    local_asn=Asn(65000),
    local_address=Address("10.0.0.1"),
    router_id=Address("10.0.0.1"),
)
V6 = replace(PEER, families=(Family.IPV4, Family.IPV6), next_hop_v6=Address("2001:db8::1"))
EIP = Advertisement(peer=PEER.name, prefix=Prefix("203.0.113.7/32"))
EIP6 = Advertisement(peer=PEER.name, prefix=Prefix("2001:db8:f::7/128"))

generations = st.integers(0, MAX_GENERATION - 1)
ranks = st.integers(0, 255)


def on_wire(peer: Peer, generation: int, rank: int) -> Attributes:
    """Return what *peer* is sent for one elastic IP."""
    verdict = attributes(replace(EIP, rank=rank), peer, Stance(generation=generation))
    assert isinstance(verdict, Attributes)
    return verdict


@given(generations, st.integers(1, 50), ranks, ranks)
def test_a_later_generation_has_the_lower_med_whatever_the_ranks(
    generation: int, raises: int, early: int, late: int
) -> None:
    """MED is compared first among paths of one neighbor AS, lowest wins (RFC 4271, 9.1.2.2)."""
    old = on_wire(PEER, generation, early).med
    new = on_wire(PEER, min(generation + raises, MAX_GENERATION), late).med
    assert old is not None
    assert new is not None
    assert 0 < new < old


@given(generations, ranks)
def test_within_a_generation_the_lower_rank_wins(generation: int, rank: int) -> None:
    """Rank 0 is normal, and a doubtful or draining node is worse."""
    normal = on_wire(PEER, generation, 0).med
    ranked = on_wire(PEER, generation, rank).med
    assert normal is not None
    assert ranked == normal + rank


@given(st.integers(0, 10_000), st.integers(1, 50), ranks, ranks)
def test_a_later_generation_has_the_higher_local_preference(
    generation: int, raises: int, early: int, late: int
) -> None:
    """Inside one AS the highest local preference wins, before anything else."""
    peer = replace(PEER, peer_asn=PEER.local_asn, lever=Lever.LOCAL_PREF)
    old = on_wire(peer, generation, early).local_pref
    new = on_wire(peer, generation + raises, late).local_pref
    assert old is not None
    assert new is not None
    assert new > old


@example(2**32 - 1, 0, 0, 0)
@given(st.integers(0, 2**32 - 1), generations, ranks, ranks)
def test_a_local_preference_of_any_size_has_room_for_every_generation(
    own: int, generation: int, early: int, late: int
) -> None:
    """What does not fit into its four bytes ExaBGP refuses: no route, and no takeover."""
    peer = replace(PEER, peer_asn=PEER.local_asn, lever=Lever.LOCAL_PREF)

    def heard(generation: int, rank: int) -> int:
        wanted = replace(EIP, local_pref=own, rank=rank)
        verdict = attributes(wanted, peer, Stance(generation=generation))
        assert isinstance(verdict, Attributes)
        assert verdict.local_pref is not None
        return verdict.local_pref

    assert heard(generation, early) < heard(generation + 1, late) < 2**32


@pytest.mark.parametrize(
    ("generation", "copies", "origin"), [(3, 2, 2), (4, 1, 1), (5, 0, 0), (6, 2, 2)]
)
def test_levers_with_three_steps_walk_down_and_wrap(
    generation: int, copies: int, origin: int
) -> None:
    """Each raise is one step better, and the fourth starts over."""
    assert on_wire(replace(PEER, lever=Lever.AS_PATH), generation, 0).as_path_prepend == copies
    assert on_wire(replace(PEER, lever=Lever.ORIGIN), generation, 0).origin == origin


@pytest.mark.parametrize(
    ("previous", "generation", "unheard", "expected"),
    [
        pytest.param(4, 5, True, 5, id="a step within the cycle is taken at once"),
        pytest.param(5, 6, True, 5, id="a wrap waits while a listed member is unheard"),
        pytest.param(4, 9, True, 5, id="the best step of the cycle is the most that is taken"),
        pytest.param(5, 6, False, 6, id="a wrap is taken when everybody is heard"),
        pytest.param(6, 6, True, 6, id="nothing changes when nothing changes"),
        pytest.param(100, 1, False, 1, id="a reset by a person is followed"),
        pytest.param(100, 1, True, 1, id="also while a listed member is unheard"),
    ],
)
def test_effective_generation(previous: int, generation: int, unheard: bool, expected: int) -> None:
    """A wrap would let the path that a dead node left behind win again."""
    assert effective_generation(previous, generation, unheard=unheard) == expected


@pytest.mark.parametrize("lever", [Lever.AS_PATH, Lever.ORIGIN, Lever.NONE])
@pytest.mark.parametrize("rank", [1, 200, 250, 255])
def test_a_lever_without_ranks_withholds_what_is_not_normal(lever: Lever, rank: int) -> None:
    """There a standby is not advertised until the active node is dead."""
    verdict = attributes(replace(EIP, rank=rank), replace(PEER, lever=lever), Stance(generation=3))
    assert verdict is Reason.STANDBY


def test_doubt_does_not_withdraw_while_half_of_the_agents_are_away() -> None:
    """If all are in doubt, ranks would be equal; withdrawing would end the service."""
    stance = Stance(generation=3, floor=250, withdraw_unranked=False)
    assert isinstance(attributes(EIP, replace(PEER, lever=Lever.ORIGIN), stance), Attributes)


def test_a_peer_with_takeover_never_hears_no_generation() -> None:
    """`Never` leaves the router alone: its routes look the same whoever dies."""
    peer = replace(PEER, takeover=Takeover.NEVER)
    assert on_wire(peer, 3, 0) == on_wire(peer, 400, 0)


@pytest.mark.parametrize("lever", [Lever.MED, Lever.LOCAL_PREF])
@given(own=st.none() | st.integers(101, 1000), ranks=st.tuples(ranks, ranks), gen=generations)
def test_a_peer_with_takeover_never_hears_ranks_all_the_same(
    lever: Lever, own: int | None, ranks: tuple[int, int], gen: int
) -> None:
    """A node that drains must not be liked better there, and no raise may show."""
    peer = replace(PEER, peer_asn=PEER.local_asn, lever=lever, takeover=Takeover.NEVER)
    wanted = replace(EIP, med=own, local_pref=own)

    def heard(rank: int, generation: int) -> tuple[int, int]:
        verdict = attributes(replace(wanted, rank=rank), peer, Stance(generation=generation))
        assert isinstance(verdict, Attributes)
        assert verdict.local_pref is not None
        assert verdict.local_pref >= 0
        return -verdict.local_pref, verdict.med or 0

    better, worse = sorted(ranks)
    assert heard(better, gen) <= heard(worse, gen)
    assert (heard(0, gen) < heard(worse, gen)) is (worse > 0)
    assert heard(worse, gen) == heard(worse, gen + 1)


def test_graceful_shutdown_is_added_to_the_communities() -> None:
    """RFC 8326: planned shutdown is announced with 65535:0."""
    advertisement = replace(EIP, communities=("65000:1",))
    verdict = attributes(advertisement, PEER, Stance(generation=1, others=frozenset({"n2"})))
    assert isinstance(verdict, Attributes)
    assert verdict.communities == ("65000:1", "65535:0")


@pytest.mark.parametrize(
    ("carriers", "others", "expected"),
    [
        pytest.param(None, {"n2"}, True, id="any member may carry it, and one stays"),
        pytest.param(None, set(), False, id="nobody stays"),
        pytest.param(("n1", "n2"), {"n2", "n3"}, True, id="a carrier stays"),
        pytest.param(("n1", "n2"), {"n3"}, False, id="who stays does not carry it"),
        pytest.param(("n1",), {"n2", "n3"}, False, id="only we carry it"),
    ],
)
def test_graceful_shutdown_goes_where_another_carries_the_prefix(
    carriers: tuple[str, ...] | None, others: set[str], expected: bool
) -> None:
    """A route that nobody else has must not be made the worst of all: there is no other."""
    advertisement = replace(EIP, carriers=carriers)
    verdict = attributes(advertisement, PEER, Stance(generation=1, others=frozenset(others)))
    assert isinstance(verdict, Attributes)
    assert ("65535:0" in verdict.communities) is expected


@pytest.mark.parametrize(
    ("advertisement", "peer", "next_hop"),
    [
        pytest.param(EIP, PEER, "10.0.0.1", id="the session's source for its own family"),
        pytest.param(EIP6, V6, "2001:db8::1", id="the explicit next hop for the other family"),
        pytest.param(
            EIP,
            replace(PEER, local_address=Address("2001:db8::9")),
            "2001:db8::9",
            id="an IPv6 next hop for IPv4 routes over an IPv6 session",
        ),
    ],
)
def test_next_hop(advertisement: Advertisement, peer: Peer, next_hop: str) -> None:
    """The next hop is always written out: ExaBGP's `self` is wrong across families."""
    verdict = attributes(advertisement, peer, Stance(generation=1))
    assert isinstance(verdict, Attributes)
    assert verdict.next_hop == next_hop


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(PEER, id="the family is not configured"),
        pytest.param(replace(V6, next_hop_v6=None), id="there is no IPv6 next hop"),
    ],
)
def test_a_family_that_cannot_be_spoken_is_withheld(peer: Peer) -> None:
    """An IPv6 route has no place on such a session."""
    assert attributes(EIP6, peer, Stance(generation=1)) is Reason.FAMILY_NOT_NEGOTIATED
