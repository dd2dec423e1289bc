"""Be the partner in a probe: advertise, count and answer as the node that leads it says.

The leading node (`proberun`) may vanish at any moment: then, too, the spare route is withdrawn.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bgpd.ctl.probelink import Link, Words
from bgpd.ctl.probeplan import ProbeError
from bgpd.ctl.proberoom import Room
from bgpd.ctl.probewire import Counter
from bgpd.model.prefix import Address

_LOOK_EVERY: Final = 0.05


class Partner:
    """The other node of a probe: does what the leading one says while it says something."""

    def __init__(self, room: Room, link: Link, say: Callable[[str], None]) -> None:
        """Use *room* here, and obey the node behind *link*."""
        self._room = room
        self._link = link
        self._say = say
        self._owner = secrets.token_hex(8)
        self._address = Address("")
        self._counter: Counter | None = None
        self._ended = False

    def run(self, wait: Callable[[Iterable[object], float], None], silence: float) -> None:
        """Obey until the end; raise `ProbeError` where the other node is gone before it.

        *wait* returns when one of some sockets has something, or after a while.
        """
        heard = time.monotonic()
        try:
            while not self._ended:
                if not self._link.has_line:
                    wait([self._link, *([self._counter] if self._counter else [])], _LOOK_EVERY)
                if self._counter is not None:
                    self._counter.drain()
                if self._link.has_word():
                    self._obey(self._link.hear(silence))
                    heard = time.monotonic()
                    self._room.keep()
                elif time.monotonic() - heard > silence:
                    raise ProbeError("the other node says nothing any more")
        finally:
            self._room.withdraw()
            if self._counter is not None:
                self._counter.__exit__(None, None, None)

    def _obey(self, words: Words) -> None:
        try:
            answer = self._answer(words)
        except ProbeError as error:
            answer = {"error": str(error)}
        if not self._ended:
            self._link.say(answer)

    def _answer(self, words: Words) -> Words:
        match words:
            case {"hello": str(other), "address": str(address), "mark": str(mark)}:
                return self._hello(other, Address(address), bytes.fromhex(mark))
            case {"advertise": dict(arguments)}:
                self._room.advertise(self._owner, {str(k): str(v) for k, v in arguments.items()})
                return {}
            case {"withdraw": True}:
                self._room.withdraw()
                return {}
            case {"seen": True}:
                return {"seen": self._seen()}
            case {"result": {"routers": dict(routers), "every": dict(every)}}:
                return self._result(routers, every)
            case {"end": True}:
                self._ended = True
                return {}
            case _:
                raise ProbeError(f"{self._room.node} is of another version")

    def _hello(self, other: str, address: Address, mark: bytes) -> Words:
        self._room.refuse_used(address)
        self._address = address
        self._counter = Counter(address, mark)
        self._say(f"{other} probes with {address}")
        sessions = self._room.sessions(address)
        routers = [one.peer_router_id for one in sessions if one.peer_router_id]
        return {"node": self._room.node, "routers": routers}

    def _seen(self) -> dict[str, tuple[int, float]]:
        now = time.monotonic()
        tallies = {} if self._counter is None else self._counter.tallies
        return {
            str(way): (tally.count, round(now - (tally.last or now), 4))
            for way, tally in tallies.items()
        }

    def _result(
        self, routers: Mapping[str, Mapping[str, bool]], every: Mapping[str, bool]
    ) -> Words:
        found = {
            one.peer: dict(routers.get(one.peer_router_id or "", every))
            for one in self._room.sessions(self._address)
        }
        self._room.note({peer: moves for peer, moves in found.items() if moves})
        return {}
