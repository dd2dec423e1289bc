"""Doctor on a real node with real routers: the line that fails is the one of what was broken."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from bgpd.ctl.doctor import Level
from tests.ctl.doctorrig import N1, N1_SECOND, NOISE, TOR_A, TOR_B, TWO_UPLINKS, Rig
from tests.exabgp.space import eventually
from tests.powerless import POWERLESS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

Break: TypeAlias = Callable[[Rig], AbstractContextManager[None]]

"""Without capabilities root is a user like any other; the Python of a test may be root's alone."""


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("doctor")) as found:
        yield found


@contextmanager
def configured(rig: Rig, name: str, **other: object) -> Iterator[None]:
    """Have *other* words in the BGPPeer *name*."""
    rig.configure(name, **other)
    yield
    rig.configure()


@contextmanager
def without_a_route(rig: Rig) -> Iterator[None]:
    """Let the kernel of n1 forget how tor-b is reached."""
    rig.run("n1", "ip", "route", "del", "default")
    rig.run("n1", "ip", "route", "del", "10.10.0.0/24", "dev", "up2")
    yield
    rig.run("n1", "ip", "route", "add", "10.10.0.0/24", "dev", "up2", "src", N1_SECOND)
    rig.run("n1", "ip", "route", "add", "default", "via", TOR_A)


@contextmanager
def filtered(rig: Rig) -> Iterator[None]:
    """Drop heartbeats that come to n1."""
    rule = "udp dport 7179 drop"
    chain = "chain i { type filter hook input priority 0; policy accept; %s; }; "
    rig.run("n1", "nft", f"table inet t {{ {chain % rule} }}")
    yield
    rig.run("n1", "nft", "delete", "table", "inet", "t")


@contextmanager
def cut(rig: Rig) -> Iterator[None]:
    """Drop what n1 sends to tor-b's port, while the session is up."""
    rule = f"ip daddr {TOR_B} tcp dport 179 drop"
    chain = "chain o { type filter hook output priority 0; policy accept; %s; }; "
    rig.run("n1", "nft", f"table inet t {{ {chain % rule} }}")
    yield
    rig.run("n1", "nft", "delete", "table", "inet", "t")


@contextmanager
def strict(rig: Rig) -> Iterator[None]:
    """Have the kernel of n1 check what comes in by up2, while the default route leaves by up1."""
    rig.run("n1", "sysctl", "-q", "-w", "net.ipv4.conf.up2.rp_filter=1")
    yield
    rig.run("n1", "sysctl", "-q", "-w", "net.ipv4.conf.up2.rp_filter=0")


@contextmanager
def not_forwarding(rig: Rig) -> Iterator[None]:
    """Have the kernel of n1 pass nothing on."""
    rig.run("n1", "sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    yield
    rig.run("n1", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")


@pytest.mark.parametrize(
    ("broken", "failing", "words"),
    [
        pytest.param(
            lambda rig: configured(rig, "tor-a", password="another"),  # noqa: S106 - of this test alone
            ("md5", "tor-a"),
            "most likely the passwords of both ends differ",
            id="a wrong password is told from a filter",
        ),
        pytest.param(
            lambda rig: configured(rig, "tor-b", password="unknown"),  # noqa: S106 - of this test
            ("md5", "tor-b"),
            "accepts a connection without a signature",
            id="a password that the router does not have",
        ),
        pytest.param(
            lambda rig: configured(rig, "tor-a", password=None),
            ("tcp", "tor-a"),
            "or the router expects a TCP MD5 password",
            id="a password that only the router has",
        ),
        pytest.param(
            lambda rig: configured(rig, "tor-a", peerASN=65531),
            ("open", "tor-a"),
            "the router is AS 65530, not AS 65531",
            id="a wrong AS number is told with both",
        ),
        pytest.param(
            lambda rig: configured(rig, "tor-a", sourceAddress="10.9.0.77"),
            ("source", "tor-a"),
            "no interface has 10.9.0.77",
            id="a source that the host does not have",
        ),
        pytest.param(
            without_a_route, ("route", "tor-b"), f"no route to {TOR_B}", id="a route is missing"
        ),
        pytest.param(
            filtered,
            ("mesh", "n2"),
            "answers ping: something drops UDP port 7179",
            id="a firewall takes heartbeats away",
        ),
        pytest.param(
            cut,
            ("tcp", "tor-b"),
            "is still up, but nothing has been acknowledged for",
            id="a session that is up while packets are lost",
        ),
        pytest.param(
            strict,
            ("rp-filter", "up2"),
            "but the default route leaves by up1",
            id="strict rp_filter where the way back is another",
        ),
        pytest.param(
            not_forwarding, ("forwarding", "IPv4"), "net.ipv4.ip_forward is 0", id="no forwarding"
        ),
    ],
)
def test_the_line_that_fails_is_the_one_of_what_was_broken(
    rig: Rig, broken: Break, failing: tuple[str, str], words: str
) -> None:
    """Everything else stays OK, or says that it waits for that line."""
    sound = rig.until_sound()
    assert sound.status == 0
    assert set(sound.at(Level.WARN)) >= TWO_UPLINKS
    with broken(rig):
        told = rig.until_failed(*failing, words)
    assert set(told.at(Level.FAIL)) == {failing}
    assert told.status == 1
    assert set(told.wrong) == {failing}
    waiting = {key: one for key, one in told.at(Level.SKIP).items() if "not judged" in one}
    assert set(waiting.values()) <= {f"not judged, because {failing[0]} failed"}
    assert {subject for _, subject in waiting} <= {failing[1]}
    # A router that came back just now had been offered nothing yet when all was sound.
    skipped = told.at(Level.SKIP)
    offered = {key for key, one in skipped.items() if "only the router knows" in one}
    lost = set(sound.at(Level.OK)) - set(told.at(Level.OK)) - set(waiting) - offered
    follows = {("rp-filter", "up2")}
    assert lost <= {failing} | follows | NOISE, "every other line is as it was"


def test_without_the_agent_the_speaker_tells(rig: Rig) -> None:
    """Sessions, mesh and kernel are judged as before."""
    rig.until_sound()
    rig.kill("n1", "agent")
    told = rig.until_well(("open", "tor-a"), ("open", "tor-b"), ("mesh", "n2"))
    rig.start("n1", "agent")
    assert set(told.at(Level.FAIL)) == {("agent", "")}
    assert {("documents", ""), ("api", "")} <= set(told.at(Level.SKIP))


def test_without_the_speaker_the_saved_state_names_the_routers(rig: Rig) -> None:
    """What can be tried by hand is tried: routes, sources, connections."""
    rig.until_sound()
    rig.kill("n1", "speaker")
    rig.kill("n1", "agent")
    checks, routers = ("source", "route", "tcp"), ("tor-a", "tor-b")
    told = rig.until_well(*((check, router) for check in checks for router in routers))
    rig.start("n1", "speaker")
    rig.start("n1", "agent")
    assert set(told.at(Level.FAIL)) == {("agent", ""), ("speaker", "")}
    found = told.at(Level.OK)
    assert "accepts connections" in found["tcp", "tor-b"]
    assert "as a router does that expects TCP MD5" in found["tcp", "tor-a"]


def test_whoever_may_not_look_is_told_what_was_not_looked_at(rig: Rig) -> None:
    """No root, no group of the sockets: nothing fails that nobody could see."""
    rig.until_sound()
    own = rig.directory / "n1"
    os.chown(own, 65534, 65534)
    own.chmod(0o700)
    try:
        told = rig.doctor(before=POWERLESS)
    finally:
        os.chown(own, 0, 0)
    assert told.status == 0
    assert told.at(Level.FAIL) == {}
    skipped = told.at(Level.SKIP)
    assert "may not ask it" in skipped["agent", ""]
    assert {("speaker", ""), ("route", ""), ("open", ""), ("state", "")} <= set(skipped)


def test_doctor_disturbs_no_session(rig: Rig) -> None:
    """Sessions that are up keep their age while doctor looks four times at once."""
    rig.until_sound()
    # BIRD may note a moment later than ExaBGP that a session is up, and doctor does not ask n2.
    eventually(
        lambda: all(map(rig.router.established, ("a1", "a2", "b1"))), "BIRD has all its sessions"
    )
    before = rig.router.log()
    looks = [
        subprocess.Popen(
            rig.spaces["n1"].wrap(
                *(sys.executable, "-m", "bgpd.ctl", "doctor", "--timeout", "1"),
                *("--run-dir", str(rig.directory / "n1" / "run")),
            ),
            stdout=subprocess.DEVNULL,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for _ in range(4)
    ]
    for look in looks:
        assert look.wait(timeout=60) in {0, 1}
    assert eventually(lambda: rig.router.established("a1"), "the session")
    assert rig.router.log() == before, "BIRD has noticed nothing"
    assert N1 in rig.router.ask("show protocols all a1")
