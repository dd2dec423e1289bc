"""The routes of a report: the same rows in any pieces, of one moment."""

from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement, Attributes
from bgpd.speaker.rows import Rows

PEERS = tuple(PeerName(name) for name in ("a", "b", "c"))
PREFIXES = tuple(Prefix(f"10.0.0.{number}/32") for number in range(8))
_RANKS = st.dictionaries(st.sampled_from(PREFIXES), st.integers(0, 200))
_ROUTES = st.dictionaries(st.sampled_from(PEERS), _RANKS)
Ranks = dict[PeerName, dict[Prefix, int]]


def actual(ranks: Ranks) -> dict[PeerName, dict[Prefix, Attributes]]:
    """Return what is on the wire, with the rank as MED."""
    hop = Address("10.0.0.1")
    return {
        peer: {prefix: Attributes(next_hop=hop, med=rank) for prefix, rank in routes.items()}
        for peer, routes in ranks.items()
    }


def wanted(ranks: Ranks) -> dict[PeerName, dict[Prefix, Advertisement]]:
    """Return the same as the agent wanted it."""
    return {
        peer: {p: Advertisement(peer=peer, prefix=p, rank=rank) for p, rank in routes.items()}
        for peer, routes in ranks.items()
    }


def made(rows: Rows, most: int) -> Rows:
    """Make all of *rows* in pieces of *most*."""
    while not rows.complete:
        rows.go_on(most)
    return rows


@given(
    on_wire=_ROUTES, wants=_ROUTES, up=st.frozensets(st.sampled_from(PEERS)), most=st.integers(1, 9)
)
def test_each_prefix_has_one_row_whatever_the_pieces(
    on_wire: Ranks, wants: Ranks, up: frozenset[PeerName], most: int
) -> None:
    """Sorted, with the peers that are up, the best rank that is wanted, and the first MED."""
    rows = made(Rows(actual(on_wire), wanted(wants), up), most).rows
    assert [one.prefix for one in rows] == sorted({p for r in on_wire.values() for p in r})
    for row in rows:
        peers = sorted(peer for peer, routes in on_wire.items() if row.prefix in routes)
        ranks = [wants[peer][row.prefix] for peer in peers if row.prefix in wants.get(peer, {})]
        assert row.peers == tuple(peer for peer in peers if peer in up)
        assert row.rank == min(ranks, default=0)
        assert row.med == on_wire[peers[0]][row.prefix]


def test_what_changes_between_two_pieces_is_the_next_report_s() -> None:
    """Half of one moment and half of another would show routes that never were."""
    ranks: Ranks = {PEERS[0]: dict.fromkeys(PREFIXES, 1)}
    on_wire = actual(ranks)
    rows = Rows(on_wire, wanted(ranks), frozenset(PEERS))
    rows.go_on(2)
    rows.go_on(2)
    on_wire[PEERS[0]].clear()
    assert [one.prefix for one in made(rows, 2).rows] == sorted(PREFIXES)
