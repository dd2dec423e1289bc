"""ExaBGP's answers: the fake of the reflex's tests, and the real one with BIRD behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from bgpd.exabgp.command import (
    Command,
    Exit,
    Hold,
    PeerUpdate,
    Ping,
    Reload,
    RouteGroup,
    Show,
    Update,
)
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import Done, Failed, Message, Pong, Reloaded, SessionChanged, Shown
from bgpd.model.peer import Peer, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
from tests.exabgp.link import GHOST, NODE_V4, ROUTER_V4, peer
from tests.exabgp.rig import Rig, rig
from tests.fakes.exabgp import FakeExabgp

ONE, TWO = Prefix("203.0.113.1/32"), Prefix("203.0.113.2/32")
PLAIN = Attributes(next_hop=NODE_V4, med=100)
BETTER = Attributes(next_hop=NODE_V4, med=50, communities=("65000:1",))
ROUTER = peer()
ABSENT = peer(GHOST, name="absent")


class Exabgp(Protocol):
    """What both can do."""

    def write(self, *peers: Peer) -> None:
        """Replace the configuration file."""

    def spoil(self) -> None:
        """Make the configuration file one that does not load."""

    def ask(self, command: Command) -> Message:
        """Send *command* and return the answer that carries its id."""


class Fake:
    """The fake, with one established session."""

    def __init__(self) -> None:
        self._exabgp = FakeExabgp(strict=False)
        self.write(ROUTER)
        self.ask(Reload(id=1))

    def write(self, *peers: Peer) -> None:
        """Replace the configuration file."""
        self._exabgp.configuration = render(peers, reflex="/bin/true")
        self._exabgp.reload_error = ""

    def spoil(self) -> None:
        """Make the configuration file one that does not load."""
        self._exabgp.reload_error = "does not load"

    def ask(self, command: Command) -> Message:
        """Send *command* and return the answer."""
        (answer,) = self._exabgp.answer(command)
        return answer


class Real:
    """The launcher, with one established session."""

    def __init__(self, lab: Rig) -> None:
        self._speaker = lab.speaker
        lab.establish(ROUTER)

    def write(self, *peers: Peer) -> None:
        """Replace the configuration file."""
        self._speaker.write(*peers)

    def spoil(self) -> None:
        """Make the configuration file one that does not load."""
        self._speaker.configuration.write_text("neighbor { nonsense")

    def ask(self, command: Command) -> Message:
        """Send *command* and return the answer that carries its id."""
        self._speaker.send(command)
        return self._speaker.wait(
            lambda item: getattr(item, "id", None) == command.id, f"an answer to {command}"
        )


@pytest.fixture(name="exabgp", params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exabgp]:
    """Yield one implementation after the other, with one established session and no route."""
    if request.param == "fake":
        yield Fake()
        return
    with rig(tmp_path) as lab:
        yield Real(lab)


def update(
    number: int,
    *prefixes: Prefix,
    attributes: Attributes = PLAIN,
    withdraw: tuple[Prefix, ...] = (),
    to: Address = ROUTER_V4,
) -> Update:
    """Return the command that offers *prefixes* to the router."""
    groups = (RouteGroup(attributes=attributes, prefixes=prefixes),) if prefixes else ()
    return Update(id=number, peers=(PeerUpdate(peer=to, withdraw=withdraw, advertise=groups),))


def offered(exabgp: Exabgp, number: int) -> dict[Address, dict[Prefix, Attributes]]:
    """Return what `Show` says that each peer is offered."""
    answer = exabgp.ask(Show(id=number))
    assert isinstance(answer, Shown)
    assert not answer.terminating
    return {
        one.session.peer: {
            prefix: group.attributes for group in one.routes for prefix in group.prefixes
        }
        for one in answer.peers
    }


def outcome(answer: Message) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return who was flushed and who is unknown."""
    assert isinstance(answer, Done)
    assert answer.pending == answer.waiting == ()
    return answer.flushed, answer.unknown


def test_a_ping_is_answered(exabgp: Exabgp) -> None:
    """With its own number."""
    assert exabgp.ask(Ping(id=101)) == Pong(id=101)


def test_what_is_offered_is_shown(exabgp: Exabgp) -> None:
    """Advertise, replace without a withdrawal, withdraw: each is flushed, and shown."""
    assert offered(exabgp, 101) == {ROUTER_V4: {}}
    assert outcome(exabgp.ask(update(102, ONE, TWO))) == ((ROUTER_V4,), ())
    assert offered(exabgp, 103) == {ROUTER_V4: {ONE: PLAIN, TWO: PLAIN}}
    assert outcome(exabgp.ask(update(104, TWO, attributes=BETTER))) == ((ROUTER_V4,), ())
    assert offered(exabgp, 105) == {ROUTER_V4: {ONE: PLAIN, TWO: BETTER}}
    assert outcome(exabgp.ask(update(106, withdraw=(ONE,)))) == ((ROUTER_V4,), ())
    assert offered(exabgp, 107) == {ROUTER_V4: {TWO: BETTER}}


def test_what_is_not_there_can_be_withdrawn(exabgp: Exabgp) -> None:
    """The reflex may know less than ExaBGP; a withdrawal too many hurts nobody."""
    assert outcome(exabgp.ask(update(101, TWO, withdraw=(ONE,)))) == ((ROUTER_V4,), ())
    assert offered(exabgp, 102) == {ROUTER_V4: {TWO: PLAIN}}


def test_a_peer_that_nobody_configured_is_unknown(exabgp: Exabgp) -> None:
    """It is named in the answer, and the routes go nowhere."""
    assert outcome(exabgp.ask(update(101, ONE, to=GHOST))) == ((), (GHOST,))
    assert offered(exabgp, 102) == {ROUTER_V4: {}}


def test_a_reload_of_the_same_file_touches_nothing(exabgp: Exabgp) -> None:
    """A reflex that starts again may always ask for one."""
    exabgp.ask(update(101, ONE))
    answer = exabgp.ask(Reload(id=102))
    assert isinstance(answer, Reloaded)
    assert (answer.added, answer.changed, answer.removed) == ((), (), ())
    assert offered(exabgp, 103) == {ROUTER_V4: {ONE: PLAIN}}
    shown = exabgp.ask(Show(id=104))
    assert isinstance(shown, Shown)
    assert _states(shown) == {ROUTER_V4: PeerState.ESTABLISHED}


def test_a_reload_adds_and_removes_peers(exabgp: Exabgp) -> None:
    """A new peer is offered nothing; one that is gone takes its routes along."""
    exabgp.ask(update(101, ONE))
    exabgp.write(ROUTER, ABSENT)
    answer = exabgp.ask(Reload(id=102))
    assert isinstance(answer, Reloaded)
    assert (answer.added, answer.removed) == ((GHOST,), ())
    assert offered(exabgp, 103) == {ROUTER_V4: {ONE: PLAIN}, GHOST: {}}
    exabgp.write(ABSENT)
    answer = exabgp.ask(Reload(id=104))
    assert isinstance(answer, Reloaded)
    assert (answer.added, answer.removed) == ((), (ROUTER_V4,))
    assert offered(exabgp, 105) == {GHOST: {}}


def test_a_file_that_does_not_load_changes_nothing(exabgp: Exabgp) -> None:
    """`Failed` with the number of the command; sessions and routes stay."""
    exabgp.ask(update(101, ONE))
    exabgp.spoil()
    answer = exabgp.ask(Reload(id=102))
    assert isinstance(answer, Failed)
    assert answer.id == 102
    assert answer.error
    assert offered(exabgp, 103) == {ROUTER_V4: {ONE: PLAIN}}
    exabgp.write(ROUTER)
    assert isinstance(exabgp.ask(Reload(id=104)), Reloaded)


def test_whom_it_holds_back_is_shown(exabgp: Exabgp) -> None:
    """Routes of a held peer are kept; a peer that nobody configured is named as unknown."""
    exabgp.ask(update(101, ONE))
    assert outcome(exabgp.ask(Hold(id=102, peers=(ROUTER_V4, GHOST)))) == ((ROUTER_V4,), (GHOST,))
    shown = exabgp.ask(Show(id=103))
    assert isinstance(shown, Shown)
    assert shown.held == (ROUTER_V4,)
    assert offered(exabgp, 104) == {ROUTER_V4: {ONE: PLAIN}}
    assert outcome(exabgp.ask(Hold(id=105, peers=()))) == ((), ())
    shown = exabgp.ask(Show(id=106))
    assert isinstance(shown, Shown)
    assert shown.held == ()


def test_an_exit_is_answered(exabgp: Exabgp) -> None:
    """The reflex learns that it was heard."""
    assert isinstance(exabgp.ask(Exit(id=101)), Done)


def _states(shown: Shown) -> dict[Address, PeerState]:
    sessions: list[SessionChanged] = [one.session for one in shown.peers]
    return {session.peer: session.state for session in sessions}
