"""Each mend, against the real ExaBGP and BIRD: the fault without it, the cure with it."""

import base64
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bgpd.exabgp.command import Close, EndOfRib, Exit, Ping, Show, Update, encode
from bgpd.exabgp.message import Done, Pong, Reloaded, Shown, Terminating
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Family
from tests.exabgp.rig import (
    GHOST,
    NODE_V6,
    RELAY,
    ROUTER_V4,
    ROUTER_V6,
    Rig,
    bird_session,
    eventually,
    offer,
    peer,
    rig,
    to,
)

pytestmark = pytest.mark.integration

EIP, OTHER, THIRD = "203.0.113.7/32", "203.0.113.8/32", "203.0.113.9/32"
_SILENCE = (
    "table inet t { chain i { type filter hook input priority 0; policy drop; }; "
    "chain o { type filter hook output priority 0; policy drop; }; }"
)
EXTENDED = bird_session(
    neighbor=NODE_V6,
    local=ROUTER_V6,
    channels=(
        "ipv4 { import all; export none; extended next hop on; };ipv6 { import all; export none; };"
    ),
)


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found


def test_a_reflex_that_dies_six_times_in_a_row_costs_no_session(lab: Rig) -> None:
    """The reflex is started again for as long as it dies; routes and session stay."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    for _ in range(6):
        lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
        lab.speaker.accept()
    assert lab.router.established()
    assert EIP in lab.router.prefixes()
    assert "closed" not in lab.router.log()


def test_without_the_mend_a_reflex_that_dies_often_ends_exabgp(lab: Rig) -> None:
    """ExaBGP's own limit is five deaths in 64 seconds."""
    lab.establish(without=["respawn"])
    for _ in range(40):
        pid = str(lab.speaker.reflex_pid)
        lab.node_space.run("kill", "-KILL", pid, check=False)
        with suppress(TimeoutError):
            lab.speaker.accept(seconds=1.0)
        if not lab.speaker.running:
            break
    lab.speaker.exit_status()


def test_exabgp_ends_when_the_reflex_cannot_be_started(lab: Rig) -> None:
    """A command that does not exist is the supervisor's business: status 75, one sentence."""
    lab.speaker.start(reflex="/nonexistent/reflex --now", accept=False)
    assert lab.speaker.exit_status() == 75
    assert "cannot start the reflex: /nonexistent/reflex --now" in lab.speaker.stderr()


@pytest.mark.parametrize("status", [75, 78])
def test_exabgp_ends_as_a_reflex_that_cannot_serve_here(lab: Rig, status: int) -> None:
    """Its sentence stays the only one, and no loop repeats it."""
    program = _failing(lab, status)
    lab.speaker.start(reflex=program, accept=False)
    assert lab.speaker.exit_status() == status
    assert "bgpd speaker: the reason\n" in lab.speaker.stderr()
    assert lab.speaker.stderr().count("bgpd") == 1


def test_once_a_reflex_has_served_no_status_of_another_ends_exabgp(lab: Rig) -> None:
    """A mistake that is made while the node carries traffic costs no session."""
    program = lab.speaker.directory / "reflex.sh"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {RELAY} {lab.speaker.directory}/reflex\n")
    program.chmod(0o755)
    lab.router.start("")
    lab.speaker.start(peer(), reflex=str(program))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    for number in range(2):
        lab.speaker.send(Ping(id=number))
        time.sleep(1.2)
    program.write_text("#!/bin/sh\nexit 78\n")
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    eventually(lambda: lab.speaker.stderr().count("status 78") >= 3, "three ends", seconds=30.0)
    assert lab.speaker.running
    assert lab.router.established()


def test_a_reflex_that_cannot_be_started_again_costs_no_session(lab: Rig) -> None:
    """Once a reflex has run, ExaBGP tries for ever: attempts that fail end nothing."""
    program = lab.speaker.directory / "reflex.sh"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {RELAY} {lab.speaker.directory}/reflex\n")
    program.chmod(0o755)
    lab.router.start("")
    lab.speaker.start(peer(), reflex=str(program))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    program.rename(program.with_suffix(".away"))
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    eventually(lambda: "attempt 7," in lab.speaker.stderr(), "seven failures", seconds=30.0)
    assert "No such file or directory" in lab.speaker.stderr()
    assert lab.router.established()
    assert EIP in lab.router.prefixes()
    program.with_suffix(".away").rename(program)
    lab.speaker.accept(seconds=30.0)
    assert "closed" not in lab.router.log()


def test_routes_stay_while_the_reflex_is_gone_and_its_successor_learns_them(lab: Rig) -> None:
    """A new reflex adopts what is offered from Shown."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP, med=5)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.signal(signal.SIGKILL, lab.speaker.reflex_pid)
    lab.speaker.accept()
    lab.speaker.send(Show(id=77))
    shown = lab.speaker.wait(lambda item: isinstance(item, Shown), "Shown")
    assert isinstance(shown, Shown)
    assert [(p.session.state, p.routes) for p in shown.peers] == [
        (PeerState.ESTABLISHED, (offer(EIP, med=5),))
    ]
    assert EIP in lab.router.prefixes()
    assert "closed" not in lab.router.log()


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_peers_can_be_added_while_another_is_down_with_queued_routes(
    lab: Rig, mended: bool
) -> None:
    """ExaBGP drops a reload while a peer that is down has routes queued, and says nothing."""
    lab.router.start(bird_session() + EXTENDED.replace("bgp node", "bgp node6"))
    ghost = peer(GHOST, name="ghost")
    lab.speaker.start(peer(), ghost, without=[] if mended else ["reload"])
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    done = lab.speaker.update(to(GHOST, offer(EIP)), to(ROUTER_V4, offer(EIP)))
    assert done.waiting == (GHOST,)
    reloaded = lab.speaker.reload(peer(), ghost, peer(ROUTER_V6, name="six"))
    if mended:
        assert reloaded.added == (ROUTER_V6,)
        lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
        assert "closed" not in lab.router.log()
    else:
        lab.speaker.read(1.0)
        lab.speaker.read(1.0)
        assert ROUTER_V6 not in lab.speaker.states


def test_a_reload_touches_only_peers_that_differ(lab: Rig) -> None:
    """Changed, removed and added peers each see their own session alone."""
    lab.router.start(bird_session() + EXTENDED.replace("bgp node", "bgp node6"))
    six = peer(ROUTER_V6, name="six")
    lab.speaker.start(peer(), six)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    changed = lab.speaker.reload(peer(), peer(ROUTER_V6, name="six", hold_time=30))
    assert (changed.added, changed.changed, changed.removed) == ((), (ROUTER_V6,), ())
    lab.speaker.wait(lambda item: getattr(item, "hold_time", 0) == 30, "the new hold time")
    lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
    removed = lab.speaker.reload(peer())
    assert (removed.added, removed.changed, removed.removed) == ((), (), (ROUTER_V6,))
    eventually(lambda: not lab.router.established("node6"), "the removed peer's session is down")
    log = lab.router.log()
    assert "node6: Received: Peer de-configured" in log
    assert "node6: Received: Other configuration change" in log
    assert "node: Received" not in log
    assert EIP in lab.router.prefixes()


def test_a_peer_removed_and_added_again_at_once_comes_back_empty(lab: Rig) -> None:
    """The second reload does not wait for the first one's farewell."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    assert lab.speaker.reload().removed == (ROUTER_V4,)
    assert lab.speaker.reload(peer()).added == (ROUTER_V4,)
    eventually(lambda: not lab.router.prefixes(), "the route is gone")
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    eventually(lab.router.established, "established again")
    assert lab.speaker.update(to(ROUTER_V4, offer(OTHER))).flushed == (ROUTER_V4,)
    eventually(lambda: lab.router.prefixes() == {OTHER}, "the new route alone")


def test_a_peer_with_another_identity_is_a_new_one(lab: Rig) -> None:
    """ExaBGP knows peers by address, ASNs and router ID; we say that it is empty now."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    reloaded = lab.speaker.reload(peer(router_id="192.0.2.77"))
    assert (reloaded.added, reloaded.changed, reloaded.removed) == ((ROUTER_V4,), (), ())
    eventually(lambda: "192.0.2.77" in lab.router.ask("show protocols all node"), "the new one")
    assert "Received: Other configuration change" in lab.router.log()
    assert not lab.router.prefixes()
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")


def test_a_changed_peer_keeps_its_routes(lab: Rig) -> None:
    """A re-established session offers again what it offered before."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP, OTHER)), to(ROUTER_V4, withdraw=[OTHER]))
    assert lab.speaker.reload(peer(hold_time=30)).changed == (ROUTER_V4,)
    lab.speaker.wait(lambda item: getattr(item, "hold_time", 0) == 30, "the new hold time")
    eventually(lambda: lab.router.prefixes() == {EIP}, "the route")


def test_a_closed_session_returns_with_the_next_reload(lab: Rig) -> None:
    """Close is for good until somebody asks for the configuration again."""
    lab.establish()
    lab.speaker.send(Close(id=90, peers=(ROUTER_V4, GHOST)))
    done = lab.speaker.done(90)
    assert (done.flushed, done.unknown) == ((ROUTER_V4,), (GHOST,))
    assert lab.speaker.update(to(ROUTER_V4, offer(EIP))).unknown == (ROUTER_V4,)
    assert lab.speaker.reload(peer()).added == (ROUTER_V4,)
    eventually(lab.router.established, "established again")


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_change_that_exabgp_does_not_compare_is_applied(lab: Rig, mended: bool) -> None:
    """The interface of a session is part of what it is."""
    lab.establish(without=[] if mended else ["compare"])
    lab.speaker.write(peer())
    text = lab.speaker.configuration.read_text()
    lab.speaker.configuration.write_text(
        text.replace("passive false;", "passive false;\n    source-interface uplink;")
    )
    lab.speaker.send_line(b'bgpd reload {"id":9}\n')
    reloaded = lab.speaker.wait(lambda item: isinstance(item, Reloaded), "Reloaded")
    assert isinstance(reloaded, Reloaded)
    assert reloaded.changed == ((ROUTER_V4,) if mended else ())


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_the_last_of_several_changes_between_two_flushes_wins(lab: Rig, mended: bool) -> None:
    """A, B, A: the router ends with A."""
    lab.establish(without=[] if mended else ["replace"])
    first, second = offer(EIP, med=1), offer(EIP, med=2)
    lab.speaker.update(to(ROUTER_V4, first, second, first), to(ROUTER_V4, offer(OTHER)))
    eventually(lambda: OTHER in lab.router.prefixes(), "the second route")
    med = "BGP.med: 1" if mended else "BGP.med: 2"
    assert med in lab.router.ask(f"show route {EIP} all")


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
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


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
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


def test_sigterm_lets_the_reflex_drain_and_says_why_to_the_router(lab: Rig) -> None:
    """Terminating, then Close and Exit by the reflex; status 0, Cease on the wire."""
    lab.establish()
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.wait(lambda item: isinstance(item, Terminating), "Terminating")
    assert lab.router.established()
    lab.speaker.send(Close(id=5))
    assert lab.speaker.done(5).flushed == (ROUTER_V4,)
    lab.speaker.send(Exit(id=6))
    assert lab.speaker.exit_status() == 0
    assert "Received: Administrative shutdown" in lab.router.log()


def test_without_the_mend_sigterm_is_a_broken_connection(lab: Rig) -> None:
    """ExaBGP's own answer to SIGTERM is a bare FIN."""
    lab.establish(without=["sigterm"])
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.exit_status()
    eventually(lambda: not lab.router.established(), "the session is down")
    assert "Received: Administrative shutdown" not in lab.router.log()


def test_sigterm_with_a_hung_reflex_still_ends_in_order(lab: Rig) -> None:
    """After three silent seconds the launcher closes the sessions itself."""
    lab.establish()
    lab.speaker.signal(signal.SIGSTOP, lab.speaker.reflex_pid)
    lab.speaker.signal(signal.SIGTERM)
    assert lab.speaker.exit_status() == 0
    assert "Received: Administrative shutdown" in lab.router.log()
    assert "the reflex is silent" in lab.speaker.stderr()


def test_a_second_sigterm_ends_at_once(lab: Rig) -> None:
    """A person who asks twice means it."""
    lab.establish()
    lab.speaker.signal(signal.SIGTERM)
    lab.speaker.wait(lambda item: isinstance(item, Terminating), "Terminating")
    lab.speaker.signal(signal.SIGTERM)
    assert lab.speaker.exit_status(seconds=2.0) != 0


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_after_a_silent_reboot_of_the_router_the_session_is_back_soon(
    lab: Rig, mended: bool
) -> None:
    """Hold time 90: ExaBGP alone notices at its next KEEPALIVE, up to 30 seconds later."""
    lab.establish(without=[] if mended else ["reconnect"])
    _reboot_router(lab, seconds=3.0)
    assert _back(lab, seconds=6.0 if mended else 3.0) is mended


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_router_that_comes_late_is_greeted_soon(lab: Rig, mended: bool) -> None:
    """A SYN that nobody answers is repeated by the kernel after 1, 3, 7 and 15 seconds."""
    lab.router_space.run("nft", _SILENCE)
    lab.speaker.start(peer(), without=[] if mended else ["reconnect"])
    time.sleep(8.5)
    lab.router.start("")
    lab.router_space.run("nft", "delete", "table", "inet", "t")
    assert _back(lab, seconds=5.0 if mended else 2.5) is mended


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_router_that_missed_something_is_asked_where_the_kernel_backs_off(
    lab: Rig, mended: bool
) -> None:
    """On a kernel that cannot cap retransmission, the next one is six seconds away."""
    lab.establish(without=["cap"] if mended else ["cap", "prod"])
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    _reboot_router(lab, seconds=8.5, missed=OTHER)
    assert _back(lab, seconds=5.0 if mended else 2.5) is mended


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_hung_reflex_is_replaced(lab: Rig, mended: bool) -> None:
    """Two seconds without a Ping, after the first, are taken for a hang."""
    lab.speaker.start(without=[] if mended else ["watchdog"])
    lab.speaker.send(Ping(id=1))
    lab.speaker.wait(lambda item: isinstance(item, Pong), "Pong")
    hung = lab.speaker.reflex_pid
    lab.speaker.signal(signal.SIGSTOP, hung)
    if mended:
        lab.speaker.accept()
        assert lab.speaker.reflex_pid != hung
    else:
        with pytest.raises(TimeoutError):
            lab.speaker.accept(seconds=4.0)


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_reflex_that_hangs_before_its_first_ping_is_replaced(lab: Rig, mended: bool) -> None:
    """A start has a deadline, or nobody would ever end it."""
    lab.speaker.start(
        without=[] if mended else ["watchdog"], arguments=["--first-ping", "1"], accept=False
    )
    lab.speaker.accept()
    hung = lab.speaker.reflex_pid
    lab.speaker.signal(signal.SIGSTOP, hung)
    if mended:
        lab.speaker.accept()
        assert lab.speaker.reflex_pid != hung
        assert "has sent no Ping" in lab.speaker.stderr()
    else:
        with pytest.raises(TimeoutError):
            lab.speaker.accept(seconds=5.0)


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_reflex_that_does_not_read_never_stalls_the_sessions(lab: Rig, mended: bool) -> None:
    """Two megabytes of answers that nobody takes, and a route still goes out."""
    lab.router.start("")
    reflex = f"{sys.executable} {RELAY} {lab.speaker.directory / 'reflex'} deaf"
    lab.speaker.start(peer(), reflex=reflex, without=[] if mended else ["pipe"])
    eventually(lab.router.established, "established at BIRD")
    many = [f"198.51.100.{n}/32" for n in range(256)]
    lab.speaker.send_line(_update(1, many))
    lab.speaker.send_line(b'bgpd show {"id":2}\n' * 500)
    lab.speaker.send_line(_update(3, [EIP]))
    if mended:
        eventually(lambda: EIP in lab.router.prefixes(), "the route")
    else:
        time.sleep(3.0)
        assert EIP not in lab.router.prefixes()


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_log_that_nobody_reads_never_stalls_the_sessions(lab: Rig, mended: bool) -> None:
    """A container runtime whose disk is full leaves the pipe full."""
    log = lab.speaker.directory / "speaker.err"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(reader, b"x" * 4096)
    try:
        lab.router.start("")
        lab.speaker.start(
            peer(),
            arguments=["--log-level", "DEBUG"],
            without=[] if mended else ["stderr"],
            accept=mended,
        )
        if mended:
            eventually(lab.router.established, "established at BIRD")
            lab.speaker.update(to(ROUTER_V4, offer(EIP)))
            eventually(lambda: EIP in lab.router.prefixes(), "the route")
        else:
            time.sleep(5.0)
            assert not lab.router.established()
    finally:
        os.close(reader)


def test_a_router_that_stops_reading_for_a_while_gets_every_byte_in_order(lab: Rig) -> None:
    """Meanwhile the speaker answers at once, and a KEEPALIVE falls due."""
    for space in (lab.node_space, lab.router_space):
        for name in ("tcp_rmem", "tcp_wmem"):
            space.run("sysctl", "-q", "-w", f"net.ipv4.{name}=4096 4096 4096")
    lab.router.start("")
    lab.speaker.start(peer(hold_time=9))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    bird = lab.router_space.run("pgrep", "-x", "bird").split()[0]
    _signal_router(lab, "STOP", bird)
    offers = [
        offer(*(f"198.{18 + n}.{m // 250}.{m % 250}/32" for m in range(1000)), med=n)
        for n in range(4)
    ]
    done = lab.speaker.update(to(ROUTER_V4, *offers))
    assert done.pending == (ROUTER_V4,)
    time.sleep(4.0)
    lab.speaker.send(Ping(id=50))
    assert lab.speaker.wait(lambda item: isinstance(item, Pong), "Pong", seconds=5.0)
    _signal_router(lab, "CONT", bird)
    eventually(lambda: len(lab.router.prefixes()) == 4000, "all routes")
    assert "closed" not in lab.router.log()


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_an_idle_speaker_sleeps(lab: Rig, mended: bool) -> None:
    """ExaBGP wakes a hundred times a second; a few times are enough."""
    lab.establish(without=[] if mended else ["idle"])
    time.sleep(1.0)
    before = _sleeps(lab)
    time.sleep(2.0)
    slept = _sleeps(lab) - before
    assert slept < 60 if mended else slept > 120


def test_with_graceful_restart_the_router_keeps_routes_after_close(lab: Rig) -> None:
    """No NOTIFICATION, stale routes kept; End-of-RIB of the next run ends the staleness."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    session = lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    assert session.graceful_restart
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    lab.speaker.send(EndOfRib(id=40, peers=(ROUTER_V4,)))
    assert lab.speaker.done(40).flushed == (ROUTER_V4,)
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    lab.speaker.send(Close(id=41))
    assert lab.speaker.done(41).flushed == (ROUTER_V4,)
    eventually(lambda: not lab.router.established(), "the session is down")
    assert EIP in lab.router.prefixes()
    assert "Received" not in lab.router.log()


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_end_of_rib_waits_for_the_reflex(lab: Rig, mended: bool) -> None:
    """Told by ExaBGP itself, it comes before the routes, and the router drops what it kept."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP, OTHER)))
    eventually(lambda: lab.router.prefixes() == {EIP, OTHER}, "the routes")
    lab.speaker.signal(signal.SIGKILL)
    lab.speaker.exit_status()
    eventually(lambda: not lab.router.established(), "the session is down")
    lab.speaker.states.clear()
    lab.speaker.start(peer(graceful_restart=60), manual_end_of_rib=mended)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    time.sleep(1.0)
    assert (lab.router.prefixes() == {EIP, OTHER}) is mended
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    lab.speaker.send(EndOfRib(id=40, peers=(ROUTER_V4,)))
    eventually(lambda: lab.router.prefixes() == {EIP}, "what is not offered again is gone")


def test_exabgp_takes_nothing_from_us_and_nothing_from_the_node(lab: Rig) -> None:
    """Neither our user nor our umask, which the reflex inherits, nor port 179."""
    lab.establish()
    status = lab.node_space.run("cat", f"/proc/{lab.speaker.reflex_pid}/status")
    mask = os.umask(0o022)
    os.umask(mask)
    found = {line.split()[0]: line.split()[1] for line in status.splitlines() if line.split()[1:]}
    assert int(found["Uid:"]) == os.geteuid()
    assert int(found["Umask:"], 8) == mask
    assert ":179" not in lab.node_space.run("ss", "-ltnH")


def test_a_reflex_that_never_reads_is_replaced_before_memory_is_gone(lab: Rig) -> None:
    """Answers wait for it up to a limit."""
    reflex = f"{sys.executable} {RELAY} {lab.speaker.directory / 'reflex'} deaf"
    lab.speaker.start(peer(), reflex=reflex)
    lab.speaker.send_line(_update(1, [f"198.18.{n // 250}.{n % 250}/32" for n in range(2000)]))
    lab.speaker.send_line(b'bgpd show {"id":2}\n' * 1200)
    eventually(
        lambda: "does not read what it is told" in lab.speaker.stderr(), "the end of it", 40.0
    )
    lab.speaker.accept()


def test_a_removed_peer_keeps_no_route_though_it_restarts_gracefully(lab: Rig) -> None:
    """Nobody will come back to it: withdrawals and a reason, not a silent end."""
    lab.router.start(bird_session(options="graceful restart on;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    assert lab.speaker.reload().removed == (ROUTER_V4,)
    eventually(lambda: not lab.router.established(), "the session is down")
    eventually(lambda: not lab.router.prefixes(), "no route is kept")
    assert "Received: Peer de-configured" in lab.router.log()


def test_close_gives_a_reason_where_the_peer_does_not_restart_gracefully(lab: Rig) -> None:
    """Offering graceful restart alone makes ExaBGP close without a word."""
    lab.router.start(bird_session(options="graceful restart off;"))
    lab.speaker.start(peer(graceful_restart=60))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.send(Close(id=41, subcode=4))
    assert lab.speaker.done(41).flushed == (ROUTER_V4,)
    eventually(lambda: "Received: Administrative reset" in lab.router.log(), "the reason")


def test_a_wrong_md5_key_is_named_and_the_right_one_mends_it(lab: Rig) -> None:
    """A silent SYN and a key are a hint; a key that changes re-establishes the session."""
    key = "dead\\beef ';#{}[], ü"
    lab.router.start("", session=f'password "{key}";')
    wrong = key[::-1]
    lab.speaker.start(peer(password=wrong))
    session = lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    assert "the TCP MD5 keys differ" in session.error
    assert lab.speaker.reload(peer(password=key)).changed == (ROUTER_V4,)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_configuration_that_does_not_load_spoils_none_that_follows(
    lab: Rig, mended: bool
) -> None:
    """ExaBGP keeps what it read of a broken file, and refuses all later ones as repetitions."""
    lab.speaker.start(peer(), without=[] if mended else ["afresh"])
    good = lab.speaker.configuration.read_text()
    lab.speaker.configuration.write_text(good.replace("hold-time 90", "hold-time ninety"))
    lab.speaker.send_line(b'bgpd reload {"id":1}\n')
    failed = lab.speaker.wait(lambda item: getattr(item, "id", 0) == 1, "Failed")
    assert "does not load: line" in getattr(failed, "error", "")
    lab.speaker.write(peer(), peer(GHOST, name="ghost"))
    lab.speaker.send_line(b'bgpd reload {"id":2}\n')
    answer = lab.speaker.wait(lambda item: getattr(item, "id", 0) == 2, "an answer")
    assert isinstance(answer, Reloaded) is mended


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "without the mend"])
def test_a_configuration_that_does_not_load_shows_no_key(lab: Rig, mended: bool) -> None:
    """Neither in the answer, which becomes a condition, nor in the log, at any level."""
    key = "dead-beef-0123456789"
    written = base64.b64encode(key.encode()).decode()
    lab.speaker.start(
        peer(), without=[] if mended else ["redact"], arguments=["--log-level", "DEBUG"]
    )
    lab.speaker.write(peer(password=key))
    good = lab.speaker.configuration.read_text()
    answers = []
    for number, bad in enumerate(
        (
            good.replace("md5-password", "md5-pasword"),
            good.replace(f"{written};", written),
            good.replace(f"{written};", f'"{written};'),
            good.replace("md5-password ", ""),
            good.replace(written, f"{written}!"),
        ),
        100,
    ):
        lab.speaker.configuration.write_text(bad)
        lab.speaker.send_line(b'bgpd reload {"id":%d}\n' % number)
        failed = lab.speaker.wait(lambda m, n=number: getattr(m, "id", 0) == n, "Failed")  # type: ignore[misc]
        answers.append(getattr(failed, "error", ""))
    assert all("does not load: " in answer for answer in answers)
    shown = "".join(answers) + lab.speaker.stderr()
    assert (written in shown or key in shown) is not mended
    if mended:
        line = 1 + good.splitlines().index(f"    md5-password {written};")
        assert answers[0].endswith(f"does not load: line {line}: an unknown word")
        assert answers[1].endswith(f"does not load: line {line}: md5-password")


def test_a_session_that_ends_says_why(lab: Rig) -> None:
    """NOTIFICATION in words, and what the kernel said afterwards."""
    lab.establish()
    lab.router.ask("disable node")
    session = lab.speaker.until(ROUTER_V4, PeerState.IDLE)
    assert session.error.startswith(
        "the peer sent NOTIFICATION 6/2: Cease, Administrative Shutdown"
    )
    lab.router.kill()
    refused = lab.speaker.wait(
        lambda item: "connection refused" in getattr(item, "error", ""), "refusal"
    )
    assert getattr(refused, "state", None) is PeerState.ACTIVE


def test_without_a_configuration_file_there_are_no_peers_until_a_reload(lab: Rig) -> None:
    """The first start of all: the reflex writes the file later."""
    lab.router.start("")
    lab.speaker.start()
    lab.speaker.configuration.write_text("neighbor { nonsense")
    lab.speaker.send_line(b'bgpd reload {"id":3}\n')
    failed = lab.speaker.wait(lambda item: getattr(item, "id", 0) == 3, "an answer")
    assert "does not load" in getattr(failed, "error", "")
    lab.speaker.configuration.unlink()
    lab.speaker.send_line(b'bgpd reload {"id":4}\n')
    failed = lab.speaker.wait(lambda item: getattr(item, "id", 0) == 4, "an answer")
    assert "does not exist" in getattr(failed, "error", "")
    assert lab.speaker.reload(peer()).added == (ROUTER_V4,)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.configuration.unlink()
    lab.speaker.send_line(b'bgpd reload {"id":5}\n')
    lab.speaker.wait(lambda item: bool(getattr(item, "error", "")), "an answer")
    assert lab.router.established()


def test_lines_that_are_no_commands_of_ours_change_nothing(lab: Rig) -> None:
    """Garbage, ExaBGP's own commands and impossible routes are answered with Failed."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    bad = [
        b"shutdown",
        b"neighbor * teardown 2",
        b"withdraw route 203.0.113.7/32 next-hop self",
        b"bgpd",
        b"bgpd update {",
        b"bgpd shutdown {}",
        b"\xff\xfe\x00",
        _update(8, ["203.0.113.300/32"]).strip(),
        _update(9, ["2001:db8::1/128"]).strip(),
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


def _failing(lab: Rig, status: int) -> str:
    """Return a reflex that gives its reason and ends with *status*."""
    program = lab.speaker.directory / "failing.sh"
    program.write_text(f"#!/bin/sh\necho 'bgpd speaker: the reason' >&2\nexit {status}\n")
    program.chmod(0o755)
    return str(program)


def _update(number: int, prefixes: list[str]) -> bytes:
    return encode(Update(id=number, peers=(to(ROUTER_V4, offer(*prefixes)),)))


def _reboot_router(lab: Rig, seconds: float, missed: str = "") -> None:
    lab.router_space.run("nft", _SILENCE)
    # The dead BIRD's kernel must forget the connection, as one that lost power would.
    lab.router_space.run("sysctl", "-q", "-w", "net.ipv4.tcp_orphan_retries=1")
    lab.router.kill()
    if missed:
        lab.speaker.update(to(ROUTER_V4, offer(missed)))
    time.sleep(seconds)
    lab.router.start("")
    lab.router_space.run("nft", "delete", "table", "inet", "t")


def _back(lab: Rig, seconds: float) -> bool:
    began = time.monotonic()
    while not lab.router.established() and time.monotonic() - began < seconds:
        lab.speaker.read(0.1)
    return lab.router.established()


def _signal_router(lab: Rig, name: str, pid: str) -> None:
    lab.router_space.run("kill", f"-{name}", pid)


def _sleeps(lab: Rig) -> int:
    status = lab.node_space.run("cat", f"/proc/{lab.speaker.pid}/status")
    line = next(line for line in status.splitlines() if line.startswith("voluntary"))
    return int(line.split()[1])
