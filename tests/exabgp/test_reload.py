"""The real ExaBGP applies each change of its configuration, and only that."""

import base64
import signal

import pytest

from bgpd.exabgp.command import Close
from bgpd.exabgp.message import Reloaded
from bgpd.model.peer import PeerState
from tests.exabgp.link import EIP, GHOST, OTHER, ROUTER_V4, ROUTER_V6, offer, peer, to
from tests.exabgp.mended import each_way
from tests.exabgp.rig import Rig
from tests.exabgp.router import EXTENDED, bird_session
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration


@each_way
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
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    changed = lab.speaker.reload(peer(), peer(ROUTER_V6, name="six", hold_time=30))
    assert (changed.added, changed.changed, changed.removed) == ((), (ROUTER_V6,), ())
    lab.speaker.wait(lambda item: getattr(item, "hold_time", 0) == 30, "the new hold time")
    lab.speaker.until(ROUTER_V6, PeerState.ESTABLISHED)
    removed = lab.speaker.reload(peer())
    assert (removed.added, removed.changed, removed.removed) == ((), (), (ROUTER_V6,))
    gone = "node6: Received: Peer de-configured"
    eventually(lambda: gone in lab.router.log(), "the removed peer's session is down")
    log = lab.router.log()
    assert "node6: Received: Other configuration change" in log
    assert "node: Received" not in log
    assert EIP in lab.router.prefixes()


def test_a_peer_removed_and_added_again_at_once_comes_back_empty(lab: Rig) -> None:
    """The second reload does not wait for the first one's farewell."""
    lab.establish()
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
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
    eventually(lambda: EIP in lab.router.prefixes(), "the route")
    reloaded = lab.speaker.reload(peer(router_id="192.0.2.77"))
    assert (reloaded.added, reloaded.changed, reloaded.removed) == ((ROUTER_V4,), (), ())
    eventually(lambda: "192.0.2.77" in lab.router.ask("show protocols all node"), "the new one")
    assert "Received: Other configuration change" in lab.router.log()
    eventually(lambda: not lab.router.prefixes(), "it is empty")
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    lab.speaker.update(to(ROUTER_V4, offer(EIP)))
    eventually(lambda: EIP in lab.router.prefixes(), "the route")


def test_a_reload_that_a_person_asks_for_says_when_it_fails(lab: Rig) -> None:
    """SIGUSR1 has no answer, so the reason goes to the log; the sessions stay."""
    lab.establish()
    text = lab.speaker.configuration.read_text()
    lab.speaker.configuration.write_text(text.replace("hold-time 90", "hold-time ninety"))
    lab.speaker.signal(signal.SIGUSR1)
    eventually(lambda: "not reloaded: " in lab.speaker.stderr(), "the reason")
    assert "does not load: line" in lab.speaker.stderr()
    assert lab.router.established()


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


@each_way
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


def test_a_wrong_md5_key_is_named_and_the_right_one_mends_it(lab: Rig) -> None:
    """A silent SYN and a key are a hint; a key that changes re-establishes the session."""
    key = "dead\\beef ';#{}[], ü"
    lab.router.start("", session=f'password "{key}";')
    wrong = key[::-1]
    lab.speaker.start(peer(password=wrong))
    session = lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    assert "its TCP MD5 password is missing or differs" in session.error
    assert lab.speaker.reload(peer(password=key)).changed == (ROUTER_V4,)
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)


def test_no_log_level_shows_a_key(lab: Rig) -> None:
    """Not while it is wrong, not when it changes, and not when the session stands."""
    key = "dead-beef-0123456789"
    keys = (key, key[::-1])
    lab.router.start("", session=f'password "{key}";')
    lab.speaker.start(peer(password=key[::-1]), arguments=["--log-level", "DEBUG"])
    lab.speaker.until(ROUTER_V4, PeerState.ACTIVE)
    lab.speaker.reload(peer(password=key))
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    shown = lab.speaker.stderr()
    assert "initialising connection" in shown, "what it says at this level alone"
    for one in keys:
        assert one not in shown
        assert base64.b64encode(one.encode()).decode() not in shown


@each_way
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


@each_way
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
