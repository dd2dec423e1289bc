"""Run a probe: this node leads, its partner (`probepartner`) advertises, counts and answers.

Whatever ends it, both speakers are told to take the spare route back; a speaker that cannot be told
does so when the lease is over (`bgpd.speaker.trial`).
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bgpd.ctl import probepacket
from bgpd.ctl.probelink import Link, Words
from bgpd.ctl.probeplan import (
    PLAIN,
    Finding,
    Follow,
    Outcome,
    ProbeError,
    Question,
    RouterFinding,
    Tally,
    questions,
    shown,
)
from bgpd.ctl.proberoom import Room
from bgpd.ctl.probewire import Counter, Sender, Way, way_to
from bgpd.model.prefix import Address
from bgpd.model.status import SessionStatus

_TICK: Final = 0.004
_ASK_EVERY: Final = 0.05
_REST: Final = 0.4
"""What both nodes at the worse value are given before one gets better."""
_FARTHER_SECONDS: Final = 1.5
_MOST_TTL: Final = 8
"""Where routers are farther away than this, a person says it."""
_PATIENCE: Final = 10.0
"""Seconds that a partner's word may take."""
_CLIENT_SECONDS: Final = 180.0
"""Time for a person to start the command on a third machine."""

Say = Callable[[str], None]
Ways = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants of a probe."""

    address: Address
    peers: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    patience: float = 5.0
    """Seconds after which traffic that has not followed does not."""
    ttl: int = 2
    from_client: bool = False


class Probe:
    """One probe, from the node that leads it."""

    def __init__(self, wish: Wish, room: Room, link: Link, say: Say) -> None:
        """Use *room* here and the partner behind *link*; tell progress by *say*."""
        self._wish = wish
        self._room = room
        self._link = link
        self._say = say
        self._owner = secrets.token_hex(8)
        self._mark = secrets.token_bytes(probepacket.MARK_BYTES)
        self._theirs: dict[int, Tally] = {}
        self._asked = 0.0
        self._peers: dict[int, tuple[SessionStatus, ...]] = {}
        self._partner = ""
        self._sender: Sender | None = None
        self._counter: Counter | None = None

    def run(self) -> Outcome:
        """Try everything and return what was found; raise `ProbeError` where it cannot be done."""
        try:
            return self._run()
        finally:
            self._room.withdraw()
            with suppress(ProbeError):
                self._link.say({"end": True})

    def _run(self) -> Outcome:
        wish, room = self._wish, self._room
        room.refuse_used(wish.address)
        hello = self._link.ask(
            {"hello": room.node, "address": wish.address, "mark": self._mark.hex()}, _PATIENCE
        )
        self._partner = str(hello["node"])
        if self._partner == room.node:
            raise ProbeError(f"the partner is {room.node} itself; name another node")
        ways = self._find_ways(frozenset(map(str, hello["routers"])))
        try:
            with Counter(wish.address, self._mark) as self._counter:
                if ways:
                    ttls = dict.fromkeys(ways, wish.ttl)
                    self._sender = Sender(wish.address, self._mark, ways, ttls)
                return self._all(self._everything(hello))
        finally:
            if self._sender is not None:
                self._sender.close()

    # Before

    def _find_ways(self, theirs: frozenset[str]) -> dict[int, Way]:
        """Decide which routers are asked, and how datagrams get to each."""
        wish, room = self._wish, self._room
        sessions = room.sessions(wish.address, wish.peers)
        if not sessions:
            raise ProbeError(f"{room.node} has no session up that {wish.address} would go over")
        if wish.from_client:
            self._peers = {probepacket.CLIENT_WAY: sessions}
            return {}
        shared = [one for one in sessions if one.peer_router_id in theirs]
        if not shared:
            raise ProbeError(
                f"{room.node} and {self._partner} have no router in common, so what each would"
                " see is its own path: send from beyond both (--from-client)"
            )
        ways: dict[int, Way] = {}
        for session in shared:
            way = way_to(session.address)
            known = next((number for number, one in ways.items() if one == way), len(ways))
            ways[known] = way
            self._peers[known] = (*self._peers.get(known, ()), session)
        return ways

    def _everything(self, hello: Words) -> Sequence[Question]:
        ours = [one for sessions in self._peers.values() for one in sessions]
        internal = any(one.peer_asn == one.local_asn for one in ours)
        self._say(
            f"{self._room.node} and {hello['node']} try {self._wish.address} on"
            f" {', '.join(one.peer for one in ours)}"
        )
        if self._wish.from_client:
            command = probepacket.client_command(self._wish.address, self._mark, ttl=16)
            self._say(f"run this on a machine beyond the routers:\n{command}")
        return questions(internal=internal, communities=self._wish.communities)

    # The steps

    def _all(self, asked: Sequence[Question]) -> Outcome:
        self._alone()
        found: dict[int, list[Finding]] = {number: [] for number in self._peers}
        for question in asked:
            for number, finding in self._question(question).items():
                found[number].append(finding)
        outcome = Outcome(
            address=self._wish.address,
            nodes=(self._room.node, self._partner),
            routers=tuple(
                RouterFinding(
                    peers=tuple(one.peer for one in sessions),
                    router_ids=tuple(one.peer_router_id for one in sessions if one.peer_router_id),
                    configured=tuple(dict.fromkeys(one.lever.value for one in sessions)),
                    findings=tuple(found[number]),
                )
                for number, sessions in self._peers.items()
            ),
        )
        self._remember(outcome)
        return outcome

    def _alone(self) -> None:
        """See that either node gets the traffic while it alone advertises."""
        wish = self._wish
        patience = _CLIENT_SECONDS if wish.from_client else max(wish.patience, 2.0)
        for ours in (True, False):
            name = self._room.node if ours else self._partner
            self._set(ours=ours, question=PLAIN, better=False)
            began = time.monotonic()
            self._take_back(ours=not ours)
            followed = self._follow(ours=ours, began=began, patience=patience)
            while self._reach_farther(self._peers.keys() - followed.keys()):
                missing = frozenset(self._peers.keys() - followed.keys())
                later = time.monotonic()
                followed |= dict.fromkeys(
                    self._follow(ours=ours, began=later, patience=_FARTHER_SECONDS, ways=missing)
                )
            lost = sorted(self._peers.keys() - followed.keys())
            if lost:
                peers = ", ".join(one.peer for number in lost for one in self._peers[number])
                raise ProbeError(
                    f"{name} alone advertised {wish.address}, and no test datagram came there by"
                    f" {peers}: the router takes no such route, or does not send back what comes"
                    " from a node (--from-client, --ttl)"
                )
            patience = max(wish.patience, 2.0)
            self._say(f"{name} alone: the datagrams come there{_took(followed)}")

    def _reach_farther(self, numbers: Iterable[int]) -> bool:
        """Let datagrams by these ways pass one router more; return whether that may help."""
        lost = frozenset(numbers)
        if self._sender is None or not lost:
            return False
        for number in lost:
            self._sender.ttls[number] += 1
        return max(self._sender.ttls[number] for number in lost) <= _MOST_TTL

    def _question(self, question: Question) -> dict[int, Finding]:
        """Return for each way whether *question* moves its traffic."""
        self._set(ours=True, question=question, better=False)
        self._set(ours=False, question=question, better=False)
        ours_share, arrived = self._baseline()
        hopeful: Ways = frozenset(arrived)
        moved: dict[int, tuple[float, ...]] = {}
        # Where all goes to one node, the other one's turn says at once whether anything moves.
        for ours in (False, True) if ours_share else (True, False):
            began = time.monotonic()
            self._set(ours=ours, question=question, better=True)
            followed = self._follow(
                ours=ours, began=began, patience=self._wish.patience, ways=hopeful
            )
            hopeful = frozenset(followed)
            for number, took in followed.items():
                moved[number] = (*moved.get(number, ()), *(() if took is None else (took,)))
            self._set(ours=ours, question=question, better=False)
            if not hopeful:
                break
            self._pass(_REST)
        found = {
            number: Finding(
                question=question.name,
                moves=number in hopeful,
                community=question.community,
                milliseconds=moved.get(number, ()) if number in hopeful else (),
                refused=number not in arrived,
            )
            for number in self._peers
        }
        self._tell(question, found)
        return found

    def _baseline(self) -> tuple[bool, Ways]:
        """Return whether most comes here while both are alike, and by which ways anything comes."""
        self._pass(_REST)
        before = self._counts()
        end = time.monotonic() + self._wish.patience
        while True:
            self._pass(_REST)
            after = self._counts()
            news = {
                number: tuple(b - a for a, b in zip(before[number], after[number], strict=True))
                for number in self._peers
            }
            arrived = frozenset(number for number, both in news.items() if sum(both))
            if len(arrived) == len(self._peers) or time.monotonic() > end:
                ours, theirs = (sum(both[i] for both in news.values()) for i in (0, 1))
                return ours > theirs, arrived

    def _follow(
        self, *, ours: bool, began: float, patience: float, ways: Ways | None = None
    ) -> dict[int, float | None]:
        """Wait until the traffic comes to one node; return the ways by which it does, and when."""
        wanted = frozenset(self._peers) if ways is None else ways
        follows = {number: Follow(began, *self._sides(number, ours=ours)) for number in wanted}
        end = began + patience
        while any(not one.settled for one in follows.values()) and time.monotonic() < end:
            self._pass(_ASK_EVERY)
            for number, follow in follows.items():
                follow.look(time.monotonic(), *self._sides(number, ours=ours))
        return {
            number: follow.moved_milliseconds
            for number, follow in follows.items()
            if follow.settled
        }

    def _sides(self, number: int, *, ours: bool) -> tuple[Tally, Tally]:
        assert self._counter is not None
        here = self._counter.tallies.get(number, Tally())
        there = self._theirs.get(number, Tally())
        return (here, there) if ours else (there, here)

    def _counts(self) -> dict[int, tuple[int, int]]:
        return {
            number: (here.count, there.count)
            for number in self._peers
            for here, there in (self._sides(number, ours=True),)
        }

    # Doing

    def _set(self, *, ours: bool, question: Question, better: bool) -> None:
        arguments = {"address": self._wish.address, **question.arguments(better=better)}
        if ours:
            if self._wish.peers:
                arguments["peers"] = " ".join(self._wish.peers)
            self._meanwhile(lambda: self._room.advertise(self._owner, arguments))
        else:
            self._meanwhile(lambda: self._link.ask({"advertise": arguments}, _PATIENCE))

    def _take_back(self, *, ours: bool) -> None:
        if ours:
            self._meanwhile(self._room.withdraw)
        else:
            self._meanwhile(lambda: self._link.ask({"withdraw": True}, _PATIENCE))

    def _meanwhile(self, act: Callable[[], object]) -> None:
        """Let *act* be done while datagrams leave: what comes of it is seen in where they go."""
        with ThreadPoolExecutor(max_workers=1) as executor:
            done = executor.submit(act)
            while not done.done():
                self._turn()
                time.sleep(_TICK)
        done.result()

    def _turn(self) -> None:
        if self._sender is not None:
            self._sender.send()
        if self._counter is not None:
            self._counter.drain()

    def _pass(self, seconds: float) -> None:
        """Let time pass: datagrams leave and are counted, leases are kept, the partner is asked."""
        end = time.monotonic() + seconds
        while True:
            self._turn()
            self._room.keep()
            now = time.monotonic()
            if now - self._asked >= _ASK_EVERY:
                self._asked = now
                self._hear_counts()
            if now >= end:
                return
            time.sleep(min(_TICK, end - now))

    def _hear_counts(self) -> None:
        seen = self._link.ask({"seen": True}, _PATIENCE)["seen"]
        now = time.monotonic()
        self._theirs = {
            int(number): Tally(count=int(count), last=now - float(age))
            for number, (count, age) in seen.items()
        }

    # Telling

    def _tell(self, question: Question, found: Mapping[int, Finding]) -> None:
        for number, finding in found.items():
            peers = ", ".join(one.peer for one in self._peers[number])
            if finding.moves:
                took = "".join(f", {shown(value)} ms" for value in finding.milliseconds)
                word = f"the traffic follows{took}"
            elif finding.refused:
                word = "nothing arrives: the router takes no such route"
            else:
                word = "the traffic does not follow"
            self._say(f"{question.name} on {peers}: {word}")

    def _remember(self, outcome: Outcome) -> None:
        """Have both speakers keep what was found about their peers."""
        ours = {name: router.moves for router in outcome.routers for name in router.peers}
        by_router = {
            router_id: router.moves for router in outcome.routers for router_id in router.router_ids
        }
        self._room.note(ours)
        every = outcome.routers[0].moves if self._wish.from_client else {}
        self._link.ask({"result": {"routers": by_router, "every": every}}, _PATIENCE)


def _took(followed: Mapping[int, float | None]) -> str:
    known = [value for value in followed.values() if value is not None]
    return f", {shown(max(known))} ms after the other one's withdrawal" if known else ""
