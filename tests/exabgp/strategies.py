"""Values of this room for property tests."""

from hypothesis import strategies as st

from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    Hold,
    PeerUpdate,
    Ping,
    Reload,
    RouteGroup,
    Show,
    Update,
)
from bgpd.exabgp.message import (
    Arrived,
    Done,
    Failed,
    Message,
    Pong,
    Reloaded,
    SessionChanged,
    Shown,
    ShownPeer,
    Terminating,
)
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Attributes, Origin

ids = st.integers(0, 2**53)
seconds = st.floats(0, 1e6)
v4 = st.ip_addresses(v=4).map(lambda ip: Address(str(ip)))
v6 = st.ip_addresses(v=6).map(lambda ip: Address(str(ip)))
addresses = v4 | v6
prefixes = v4.map(lambda ip: Prefix(f"{ip}/32")) | v6.map(lambda ip: Prefix(f"{ip}/128"))
families = st.sampled_from(list(Family))


def many(values: st.SearchStrategy) -> st.SearchStrategy:
    """Return a strategy of short tuples of *values*."""
    return st.lists(values, max_size=4).map(tuple)


attributes = st.builds(
    Attributes,
    next_hop=addresses,
    origin=st.sampled_from(list(Origin)),
    med=st.none() | st.integers(0, 2**32 - 1),
    local_pref=st.none() | st.integers(0, 2**32 - 1),
    communities=many(st.from_regex(r"[0-9]{1,5}:[0-9]{1,5}", fullmatch=True)),
    large_communities=many(st.text(max_size=8)),
    as_path_prepend=st.integers(0, 10),
    link_bandwidth=st.none() | st.integers(0, 2**53),
)
route_groups = st.builds(RouteGroup, attributes=attributes, prefixes=many(prefixes))
peer_updates = st.builds(
    PeerUpdate, peer=addresses, withdraw=many(prefixes), advertise=many(route_groups)
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Update, id=ids, peers=many(peer_updates), watched=st.booleans()),
    st.builds(Reload, id=ids),
    st.builds(Show, id=ids),
    st.builds(Ping, id=ids),
    st.builds(Exit, id=ids),
    st.builds(Close, id=ids, subcode=st.integers(0, 255), peers=many(addresses)),
    st.builds(EndOfRib, id=ids, peers=many(addresses), families=many(families)),
    st.builds(Hold, id=ids, peers=many(addresses), subcode=st.integers(0, 255)),
)
sessions = st.builds(
    SessionChanged,
    peer=addresses,
    state=st.sampled_from(list(PeerState)),
    hold_time=st.none() | st.integers(0, 65535),
    peer_router_id=st.none() | v4,
    families=many(families),
    extended_next_hop=st.booleans(),
    graceful_restart=st.booleans(),
    error=st.text(max_size=40),
)
messages: st.SearchStrategy[Message] = st.one_of(
    sessions,
    st.builds(
        Done,
        id=ids,
        flushed=many(addresses),
        flushed_at=many(seconds),
        pending=many(addresses),
        waiting=many(addresses),
        unknown=many(addresses),
        elapsed_milliseconds=seconds,
    ),
    st.builds(Arrived, id=ids, peer=addresses, flushed_at=seconds, at=seconds),
    st.builds(
        Reloaded,
        id=ids,
        added=many(addresses),
        changed=many(addresses),
        removed=many(addresses),
        elapsed_milliseconds=seconds,
    ),
    st.builds(
        Shown,
        id=ids,
        peers=many(st.builds(ShownPeer, session=sessions, routes=many(route_groups))),
        terminating=st.booleans(),
        held=many(addresses),
    ),
    st.builds(Pong, id=ids),
    st.builds(Terminating, seconds=seconds),
    st.builds(Failed, id=st.none() | ids, error=st.text(max_size=40)),
)
