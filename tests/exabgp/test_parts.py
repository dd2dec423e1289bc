"""Our parts in ExaBGP's seats, each alone: what they do, and what ExaBGP's own would do."""

import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from exabgp.bgp.message import Action
from exabgp.protocol.family import AFI, SAFI
from hypothesis import given
from hypothesis import strategies as st

from bgpd.exabgp.command import RouteGroup
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.rib import AdjRibOut
from bgpd.exabgp.routes import RouteBuilder, groups
from bgpd.exabgp.transport import PeerConnection
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes, Origin

NEIGHBOR = {"local-as": 65000, "peer-as": 65530}
FAMILIES = [(AFI.ipv4, SAFI.unicast), (AFI.ipv6, SAFI.unicast)]
PREFIXES = [Prefix(text) for text in ("192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128")]

changes = st.lists(st.tuples(st.sampled_from(PREFIXES), st.sampled_from([None, 1, 2])), max_size=12)


class Broken(AdjRibOut):
    """Adj-RIB-Out with ExaBGP's order of changes."""

    without = frozenset({Mend.REPLACE, Mend.WITHDRAW_FIRST})


def change(prefix: Prefix, med: int | None) -> Any:
    """Return an announcement of *prefix* with *med*, a withdrawal without."""
    if med is None:
        return BUILDER.withdrawal(prefix)
    attributes = Attributes(next_hop=Address("2001:db8::9" if ":" in prefix else "10.0.0.1"))
    attributes = Attributes(next_hop=attributes.next_hop, med=med)
    group = RouteGroup(attributes=attributes, prefixes=(prefix,))
    return BUILDER.announcements(NEIGHBOR, group)[0]


BUILDER = RouteBuilder()


def wire(rib: AdjRibOut) -> list[tuple[str, int | None]]:
    """Return what leaves on a flush, in order: prefix and MED, or None for a withdrawal."""
    return [
        (
            nlri.cidr.prefix(),
            update.attributes.source.med if nlri.action == Action.ANNOUNCE else None,
        )
        for update in rib.updates(grouped=True)
        for nlri in update.nlris
    ]


@given(st.lists(changes, max_size=4))
def test_after_every_flush_the_peer_has_what_was_offered_last(
    batches: list[list[tuple[Prefix, int | None]]],
) -> None:
    """Whatever is queued between flushes, the peer's table ends as the last word on each prefix."""
    rib = AdjRibOut(cache=True, families=FAMILIES)
    table: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for batch in batches:
        for prefix, med in batch:
            rib.change(change(prefix, med))
            _apply(wanted, [(prefix, med)])
        _apply(table, wire(rib))
        assert table == wanted
        assert {p: g.attributes.med for g in groups(rib.offered()) for p in g.prefixes} == wanted


@given(changes)
def test_withdrawals_always_leave_first(batch: list[tuple[Prefix, int | None]]) -> None:
    """No announcement precedes a withdrawal within one flush."""
    rib = AdjRibOut(cache=True, families=FAMILIES)
    for prefix, med in batch:
        rib.change(change(prefix, med))
    withdraws = [med is None for _, med in wire(rib)]
    assert all(first or not second for first, second in pairwise(withdraws))


def test_without_the_mends_the_order_on_the_wire_is_wrong() -> None:
    """ExaBGP sends A after... A before B, and announcements before withdrawals."""
    one, two, _ = PREFIXES
    rib = Broken(cache=True, families=FAMILIES)
    for med in (1, 2, 1):
        rib.change(change(one, med))
    assert wire(rib)[-1] == (one, 2)
    rib.change(change(two, 1))
    rib.change(change(one, None))
    assert wire(rib) == [(two, 1), (one, None)]


def test_ipv6_prefixes_with_the_same_attributes_share_an_update() -> None:
    """ExaBGP alone sends one UPDATE for each."""
    rib = AdjRibOut(cache=True, families=FAMILIES)
    group = RouteGroup(
        attributes=Attributes(next_hop=Address("2001:db8::9")),
        prefixes=tuple(Prefix(f"2001:db8::{n:x}/128") for n in range(1, 100)),
    )
    for item in BUILDER.announcements(NEIGHBOR, group):
        rib.change(item)
    assert [len(update.nlris) for update in rib.updates(grouped=True)] == [99]


@pytest.mark.parametrize(
    ("peer_as", "attributes", "expected"),
    [
        pytest.param(
            65530,
            Attributes(next_hop=Address("10.0.0.1")),
            " origin igp as-path [ 65000 ]",
            id="our ASN is on the path of an eBGP route",
        ),
        pytest.param(
            65530,
            Attributes(next_hop=Address("10.0.0.1"), as_path_prepend=2, local_pref=7),
            " origin igp as-path [ 65000 65000 65000 ]",
            id="prepending adds to it, and local preference is not for eBGP",
        ),
        pytest.param(
            65000,
            Attributes(next_hop=Address("10.0.0.1"), local_pref=7),
            " origin igp as-path [ ] local-preference 7",
            id="an iBGP route has an empty path and a local preference",
        ),
        pytest.param(
            65530,
            Attributes(
                next_hop=Address("10.0.0.1"),
                origin=Origin.INCOMPLETE,
                med=4294967295,
                communities=("65535:0", "65000:1"),
                large_communities=("65000:1:4294967295",),
            ),
            " origin incomplete as-path [ 65000 ] med 4294967295"
            " community [ 65000:1 65535:0 ] large-community 65000:1:4294967295",
            id="origin, MED and both kinds of communities",
        ),
        pytest.param(
            65530,
            Attributes(next_hop=Address("10.0.0.1"), link_bandwidth=3_000_000),
            # 00 04: transitive link bandwidth; FDE8: AS 65000; 4A371B00: 3,000,000 as a float.
            " origin igp as-path [ 65000 ] extended-community 0x0004FDE84A371B00",
            id="the bandwidth that stands for our endpoints",
        ),
    ],
)
def test_attributes_reach_exabgp_as_they_are(
    peer_as: int, attributes: Attributes, expected: str
) -> None:
    """Ours, in ExaBGP's words."""
    group = RouteGroup(attributes=attributes, prefixes=(PREFIXES[0],))
    built = BUILDER.announcements({"local-as": 65000, "peer-as": peer_as}, group)[0]
    assert _words(str(built.attributes)) == _words(expected)
    assert str(built.nlri.nexthop) == "10.0.0.1"


@pytest.mark.parametrize(
    ("prefix", "attributes"),
    [
        pytest.param("192.0.2.1/33", {}, id="a length that cannot be"),
        pytest.param("nonsense", {}, id="no prefix at all"),
        pytest.param("2001:db8::1/128", {}, id="an IPv4 next hop of an IPv6 route"),
        pytest.param("192.0.2.1/32", {"next_hop": "router"}, id="a next hop that is a name"),
        pytest.param("192.0.2.1/32", {"communities": ("65536:1",)}, id="a community too large"),
        pytest.param("192.0.2.1/32", {"communities": ("no-export",)}, id="a community by name"),
        pytest.param("192.0.2.1/32", {"large_communities": ("1:2",)}, id="two thirds of one"),
    ],
)
def test_a_route_that_cannot_be_is_refused(prefix: str, attributes: dict[str, Any]) -> None:
    """ProtocolError, before anything is changed."""
    group = RouteGroup(
        attributes=Attributes(**{"next_hop": Address("10.0.0.1"), **attributes}),
        prefixes=(Prefix(prefix),),
    )
    with pytest.raises(ProtocolError):
        BUILDER.announcements(NEIGHBOR, group)


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_messages_leave_whole_when_the_kernel_takes_them_in_pieces(mended: bool) -> None:
    """A second message waits for the rest of the first; ExaBGP lets it overtake."""
    kind = PeerConnection if mended else _Unbuffered
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        connection = kind(AFI.ipv4, "192.0.2.1", "192.0.2.2")
        connection.io = ours
        update, keepalive = random.Random(1).randbytes(2_000_000), b"KEEPALIVE"
        first, second = connection.writer(update), connection.writer(keepalive)
        assert not next(first)
        received = bytearray()
        done = [False, False]
        while not all(done):
            received += _drain(theirs)
            for index, writer in ((1, second), (0, first)):
                done[index] = done[index] or next(writer)
        received += _drain(theirs)
        connection.close()
    assert (bytes(received) == update + keepalive) is mended


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_setting_the_clock_expires_no_hold_timer(mended: bool) -> None:
    """NTP may step the wall clock by more than a hold time."""
    program = f"""
import time
from bgpd.exabgp.launcher import install, set_environment
from bgpd.exabgp.mends import Mend
set_environment("CRITICAL")
install(frozenset() if {mended} else frozenset([Mend.CLOCK]))
from exabgp.bgp.timer import ReceiveTimer
timer = ReceiveTimer(lambda: "", 90, 4, 0)
real = time.time
time.time = lambda: real() + 3600
timer.check_ka_timer()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode == 0) is mended, done.stderr


class _Unbuffered(PeerConnection):
    without = frozenset({Mend.OUTBOX})


def _drain(link: socket.socket) -> bytes:
    found = b""
    try:
        while data := link.recv(1 << 20):
            found += data
    except BlockingIOError:
        return found
    return found


def _apply(table: dict[str, int], updates: Iterable[tuple[str, int | None]]) -> None:
    for prefix, med in updates:
        if med is None:
            table.pop(prefix, None)
        else:
            table[prefix] = med


def _words(text: str) -> list[str]:
    return re.sub(r"[][()]", " ", text.replace("graceful-shutdown", "65535:0")).split()
