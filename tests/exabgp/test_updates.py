"""Routes reach a real router as they were asked for, and what is no command changes nothing."""

import signal

import pytest

from bgpd.exabgp.command import Show
from bgpd.exabgp.message import Done, Shown
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Family
from tests.exabgp.link import (
    EIP,
    NODE_V6,
    OTHER,
    ROUTER_V4,
    ROUTER_V6,
    offer,
    peer,
    to,
    update_line,
)
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.router import EXTENDED, bird_session
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration

_UNDERSTAND_NOTHING = (
    "table inet t { chain i { type filter hook input priority 0; "
    "tcp dport 179 tcp flags syn reject with tcp reset; }; }"
)
"""At the router: new connections are refused, old ones end as they do."""


@each_way
def test_the_last_of_several_changes_between_two_flushes_wins(lab: Rig, mended: bool) -> None:
    """A, B, A: the router ends with A."""
    lab.establish(without=[] if mended else ["replace"])
    first, second = offer(EIP, med=1), offer(EIP, med=2)
    lab.speaker.update(to(ROUTER_V4, first, second, first), to(ROUTER_V4, offer(OTHER)))
    eventually(lambda: OTHER in lab.router.prefixes(), "the second route")
    med = "BGP.med: 1" if mended else "BGP.med: 2"
    assert med in lab.router.ask(f"show route {EIP} all")


@each_way
def test_at_a_prefix_limit_a_replacement_fits(lab: Rig, mended: bool) -> None:
    """With room for one prefix at the router, one can be exchanged for another."""
    lab.router.start(
        bird_session(channels="ipv4 { import all; export none; import limit 1 action disable; };")
    )
    lab.speaker.start(peer(), without=[] if mended else ["withdraw-first"])
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the first route")
    lab.speaker.update(to(ROUTER_V4, offer(OTHER)), to(ROUTER_V4, withdraw=[EIP]))
    if mended:
        eventually(lambda: lab.router.prefixes() == {OTHER}, "the second route alone")
        assert lab.router.established()
    else:
        eventually(lambda: not lab.router.established(), "the router ends the session")


@each_way
def test_at_a_prefix_limit_a_route_that_was_replaced_during_a_restart_is_taken_back_first(
    lab: Rig, mended: bool
) -> None:
    """A router that keeps stale routes counts them: with room for one, two are one too many."""
    limited = "ipv4 { import all; export none; import limit 1 action disable; };"
    lab.router.start(bird_session(options="graceful restart on;", channels=limited))
    lab.speaker.start(peer(graceful_restart=60), without=[] if mended else ["withdraw-first"])
    assert lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED).graceful_restart
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the first route")
    lab.cut()
    lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    assert EIP in lab.router.prefixes(), "the router keeps it"
    lab.speaker.update(to(ROUTER_V4, offer(OTHER)), to(ROUTER_V4, withdraw=[EIP]))
    lab.mend()
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    if mended:
        eventually(lambda: lab.router.prefixes() == {OTHER}, "the second route alone")
        assert "limit" not in lab.router.log()
        assert lab.router.established()
    else:
        eventually(lambda: "limit" in lab.router.log(), "the router counts both")


def test_at_a_prefix_limit_a_new_exabgp_takes_back_what_the_router_kept(lab: Rig) -> None:
    """It knows of no route; the reflex does, and its withdrawal outlives attempts that fail."""
    limited = "ipv4 { import all; export none; import limit 1 action disable; };"
    lab.router.start(bird_session(options="graceful restart on;", channels=limited))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the first route")
    lab.router_space.run("nft", _UNDERSTAND_NOTHING)
    lab.speaker.signal(signal.SIGKILL)
    lab.speaker.exit_status()
    lab.speaker.states.clear()
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.update(to(ROUTER_V4, offer(OTHER), withdraw=[EIP]))
    lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    lab.router_space.run("nft", "delete", "table", "inet", "t")
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    eventually(lambda: lab.router.prefixes() == {OTHER}, "the second route alone")
    assert "limit" not in lab.router.log()


@each_way
def test_ipv4_routes_over_an_ipv6_session_have_the_next_hop_asked_for(
    lab: Rig, mended: bool
) -> None:
    """RFC 8950; ExaBGP's idea of itself would be the router ID."""
    lab.router.start(EXTENDED)
    lab.speaker.start(
        peer(ROUTER_V6, router_id="192.0.2.1"), without=[] if mended else ["next-hop"]
    )
    session = lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
    assert session.extended_next_hop
    assert session.families == (Family.IPV4, Family.IPV6)
    lab.speaker.update(to(ROUTER_V6, offer(EIP, next_hop=NODE_V6)))
    expected = f"BGP.next_hop: {NODE_V6}" if mended else "BGP.next_hop: 192.0.2.1"
    eventually(lambda: expected in lab.router.ask(f"show route {EIP} all"), expected)
    if mended:
        eventually(lambda: EIP in lab.router.prefixes(), "the route")


def test_an_ipv6_next_hop_is_held_back_from_a_peer_that_cannot_read_it(lab: Rig) -> None:
    """Such a route would cost the session."""
    lab.router.start(EXTENDED.replace("extended next hop on;", ""))
    lab.speaker.start(peer(ROUTER_V6))
    session = lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
    assert not session.extended_next_hop
    lab.speaker.update(to(ROUTER_V6, offer(EIP, "2001:db8::7/128", next_hop=NODE_V6)))
    eventually(lambda: "2001:db8::7/128" in lab.router.prefixes(), "the IPv6 route")
    lab.speaker.update(to(ROUTER_V6, offer("2001:db8::8/128", next_hop=NODE_V6)))
    eventually(lambda: "2001:db8::8/128" in lab.router.prefixes(), "what was said after it")
    assert EIP not in lab.router.prefixes()
    log = lab.router.log()
    assert "closed" not in log
    assert "Invalid" not in log


def test_lines_that_are_no_commands_of_ours_change_nothing(lab: Rig) -> None:
    """Garbage, ExaBGP's own commands and impossible routes are answered with Failed."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    bad = [
        b"shutdown",
        b"neighbor * teardown 2",
        b"withdraw route 203.0.113.7/32 next-hop self",
        b"bgpd",
        b"bgpd update {",
        b"bgpd shutdown {}",
        b"\xff\xfe\x00",
        update_line(8, ["203.0.113.300/32"]).strip(),
        update_line(9, ["2001:db8::1/128"]).strip(),
    ]
    for line in bad:
        lab.speaker.send_line(line + b"\n")
    for _ in bad:
        lab.speaker.wait(lambda item: type(item).__name__ == "Failed", "Failed")
    lab.speaker.send(Show(id=1000))
    lab.speaker.wait(lambda item: isinstance(item, Shown), "Shown")
    assert lab.router.established()
    assert EIP in lab.router.prefixes()


def test_a_thousand_routes_of_both_families_leave_at_once(lab: Rig) -> None:
    """One command, and the answer says that all has been handed to the kernel."""
    lab.router.start(
        bird_session(
            channels="ipv4 { import all; export none; }; ipv6 { import all; export none; };"
        )
    )
    lab.speaker.start(peer(families=(Family.IPV4, Family.IPV6)))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    four = [f"198.18.{n // 250}.{n % 250}/32" for n in range(1000)]
    six = [f"2001:db8::{n:x}/128" for n in range(1, 1001)]
    done = lab.speaker.update(
        to(ROUTER_V4, offer(*four, med=1), offer(*six, med=1, next_hop=NODE_V6))
    )
    assert isinstance(done, Done)
    assert done.flushed == (ROUTER_V4,)
    eventually(lambda: len(lab.router.prefixes()) == 2000, "all routes")
