"""The reflex's commands, carried out inside ExaBGP; in the seat of ExaBGP's `API`.

ExaBGP finds out which command a line is by looking for each command's name anywhere in it, and
rewrites blanks, commas and brackets first. Here a line of ours is decoded as it is, and
nothing else is obeyed. Whatever goes wrong is answered with `Failed`; nothing is raised into
the reactor, where it would end every session.
"""

from collections.abc import Iterable
from time import monotonic
from typing import Any, assert_never

from exabgp.protocol.family import AFI, SAFI
from exabgp.protocol.family import Family as ExabgpFamily
from exabgp.reactor.api import API

from bgpd.exabgp import command as commands
from bgpd.exabgp import wire
from bgpd.exabgp.arrival import Arrivals
from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    Hold,
    PeerUpdate,
    Ping,
    Reload,
    Show,
    Update,
)
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.message import Done, Failed, Pong, Reloaded, Shown, ShownPeer
from bgpd.exabgp.routes import RouteBuilder, groups
from bgpd.exabgp.say import say
from bgpd.model.errors import BgpdError, ProtocolError
from bgpd.model.prefix import Address, Family

_FAMILIES = {Family.IPV4: (AFI.ipv4, SAFI.unicast), Family.IPV6: (AFI.ipv6, SAFI.unicast)}


class ReflexCommands(API):  # type: ignore[misc]
    """Decode a line, do what it says, answer."""

    def __init__(self, reactor: Any, without: frozenset[Mend]) -> None:
        """Act on *reactor*."""
        super().__init__(reactor)
        self.builder = RouteBuilder(without)
        self._without = without
        self._closing: list[tuple[Close, float, tuple[Any, ...]]] = []
        self._arrivals = Arrivals()

    def process(self, reactor: Any, service: str, line: bytes) -> bool:
        """Carry out *line*; the reactor calls this."""
        del reactor, service
        began = monotonic()
        try:
            self._obey(commands.decode(line), began)
        except BgpdError as error:
            self._answer(Failed(id=wire.request_id(line), error=str(error)))
            return False
        except Exception as error:  # noqa: BLE001  the one place where all is caught: see above
            say(f"a command failed: {error!r}")
            self._answer(Failed(id=wire.request_id(line), error=f"internal error: {error!r}"))
            return False
        return True

    def tick(self) -> None:
        """Answer `Close` commands whose sessions are gone, and tell what has reached routers."""
        for arrived in self._arrivals.look():
            self._answer(arrived)
        for entry in list(self._closing):
            close, began, sessions = entry
            if not any(session is self._session(session.address) for session in sessions):
                self._closing.remove(entry)
                self._answer(
                    Done(
                        id=close.id,
                        flushed=tuple(session.address for session in sessions),
                        unknown=tuple(self._unknown(close.peers, sessions)),
                        elapsed_milliseconds=_milliseconds(began),
                    )
                )

    @property
    def closing(self) -> bool:
        """Whether a `Close` waits for its answer."""
        return bool(self._closing)

    @property
    def patience(self) -> int:
        """In how many milliseconds `tick` has something to look at."""
        return self._arrivals.patience

    def _obey(self, found: Command | None, began: float) -> None:  # noqa: C901 - one for each kind
        match found:
            case None:
                raise ProtocolError("not a command of ours")
            case Ping(id=number):
                self.reactor.processes.pinged()
                self._answer(Pong(id=number))
            case Update():
                self._update(found, began)
            case Show(id=number):
                self._show(number)
            case Reload(id=number):
                self._reload(number, began)
            case EndOfRib():
                self._end_of_rib(found, began)
            case Close():
                sessions = tuple(self._named(found.peers))
                for session in sessions:
                    session.finish(found.subcode, final=found.final)
                self._closing.append((found, began, sessions))
            case Hold():
                self._hold(found, began)
            case Exit(id=number):
                self._answer(Done(id=number))
                self.reactor.leave()
            case _:
                assert_never(found)

    def _update(self, update: Update, began: float) -> None:
        # Everything is built before anything is changed, so that a bad route changes nothing.
        plan = []
        for wanted in update.peers:
            session = self._session(wanted.peer)
            if session is not None:
                plan.append((session, *self._changes(session, wanted)))
        for session, withdrawals, announcements in plan:
            for change in withdrawals:
                session.rib.change(change)
            for change in announcements:
                session.rib.change(change)
        sessions = [session for session, _, _ in plan]
        self._flushed(update.id, sessions, [wanted.peer for wanted in update.peers], began)
        if update.watched:
            self._arrivals.watch(update.id, sessions)

    def _changes(self, session: Any, wanted: PeerUpdate) -> tuple[list[Any], list[Any]]:
        return (
            [self.builder.withdrawal(prefix) for prefix in wanted.withdraw],
            [
                change
                for group in wanted.advertise
                for change in self.builder.announcements(session.neighbor, group)
            ],
        )

    def _end_of_rib(self, end: EndOfRib, began: float) -> None:
        sessions = list(self._named(end.peers)) if end.peers else []
        for session in sessions:
            if session.established():
                for family in end.families:
                    pair = _FAMILIES[family]
                    if pair in session.proto.negotiated.families:
                        session.neighbor.eor.append(ExabgpFamily(*pair))
        self._flushed(end.id, sessions, end.peers, began)

    def _hold(self, hold: Hold, began: float) -> None:
        sessions = list(self._named(hold.peers)) if hold.peers else []
        for session in self.reactor.sessions():
            if session.address in hold.peers:
                session.hold(hold.subcode)
            else:
                session.release()
        self._answer(
            Done(
                id=hold.id,
                flushed=tuple(session.address for session in sessions),
                unknown=tuple(self._unknown(hold.peers, sessions)),
                elapsed_milliseconds=_milliseconds(began),
            )
        )

    def _flushed(
        self, number: int, sessions: list[Any], asked: Iterable[Address], began: float
    ) -> None:
        established = [session for session in sessions if session.established()]
        written = {id(session): monotonic() for session in established if session.flush()}
        self._answer(
            Done(
                id=number,
                flushed=tuple(s.address for s in established if id(s) in written),
                flushed_at=tuple(written.values()),
                pending=tuple(s.address for s in established if id(s) not in written),
                waiting=tuple(s.address for s in sessions if s not in established),
                unknown=tuple(self._unknown(asked, sessions)),
                elapsed_milliseconds=_milliseconds(began),
            )
        )

    def _show(self, number: int) -> None:
        peers = tuple(
            ShownPeer(session=session.shown(), routes=groups(session.rib.offered()))
            for session in self.reactor.sessions()
        )
        held = tuple(session.address for session in self.reactor.sessions() if session.held)
        self._answer(Shown(id=number, peers=peers, terminating=self.reactor.terminating, held=held))

    def _reload(self, number: int, began: float) -> None:
        outcome = self.reactor.reload_configuration()
        self._answer(
            Reloaded(
                id=number,
                added=outcome.added,
                changed=outcome.changed,
                removed=outcome.removed,
                elapsed_milliseconds=_milliseconds(began),
            )
        )

    def _named(self, peers: tuple[Address, ...]) -> Iterable[Any]:
        if not peers:
            return list(self.reactor.sessions())
        return [session for session in map(self._session, peers) if session is not None]

    def _session(self, address: Address) -> Any:
        return next((s for s in self.reactor.sessions() if s.address == address), None)

    def _unknown(self, asked: Iterable[Address], known: Iterable[Any]) -> list[Address]:
        addresses = {session.address for session in known}
        return [address for address in asked if address not in addresses]

    def _answer(self, message: Any) -> None:
        self.reactor.processes.send(message)


def _milliseconds(began: float) -> float:
    return round((monotonic() - began) * 1000, 3)
