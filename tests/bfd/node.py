"""A node that speaks BFD and nothing else: what the reflex composes, without ExaBGP and mesh.

Reads one JSON document a line: `{"peers": [...]}` is who is wanted from now on, `{"sleep": s}`
holds the loop up, `{"goodbye": true}` ends it. Writes one a line: each note of the log, whom
ExaBGP would hold back, and the status of every session when asked by `{"status": true}`.
"""

import asyncio
import json
import logging
import random
import sys
import time
from typing import Any

import msgspec

from bgpd.bfd.memory import Memory
from bgpd.model.peer import BFD, Asn, Peer, PeerName
from bgpd.model.prefix import Address
from bgpd.speaker.bfd import BFDSessions
from bgpd.speaker.bfdwire import BFDWire
from bgpd.speaker.effect import Note, SaveBFD, Send
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.priority import come_first
from bgpd.speaker.timeline import Timeline


def peer(address: str, local_address: str, **bfd: Any) -> Peer:
    """Return a peer whose BFD is as *bfd* says."""
    return Peer(
        name=PeerName(f"peer-{address}"),
        address=Address(address),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=Address(local_address),
        router_id=Address("10.9.0.1"),
        bfd=BFD(**bfd),
    )


class _TimedWire(BFDWire):
    """Also remembers how late its timer came, each time."""

    def __init__(self, **kwargs: Any) -> None:
        """Begin as a wire does."""
        self.lateness: list[float] = []
        super().__init__(**kwargs)

    def _on_timer(self) -> None:
        if self._timer is not None:
            self.lateness.append(self._loop.time() - self._timer.when())
        super()._on_timer()

    def percentiles(self) -> dict[str, float]:
        """Return lateness in milliseconds at some percentiles."""
        late = sorted(self.lateness) or [0.0]
        return {
            f"p{share}": round(1000 * late[min(len(late) - 1, int(len(late) * share / 100))], 3)
            for share in (50, 99, 99.9, 100)
        }


class Node:
    """The composition, and its line to the test."""

    def __init__(self, memories: dict[Address, Memory]) -> None:
        """Begin without peers."""
        self.peers: tuple[Peer, ...] = ()
        self._outbox = Outbox()
        self._memories = memories
        self._loop = asyncio.get_running_loop()
        self._timeline = Timeline()
        self.sessions = BFDSessions(
            outbox=self._outbox, timeline=self._timeline, random=random.random, memories=memories
        )
        self.wire = _TimedWire(
            sessions=self.sessions, log=logging.getLogger("bfd"), stirred=self._stirred
        )

    def obey(self, wish: dict[str, Any]) -> bool:
        """Do what a line says; return whether to go on."""
        now = self._loop.time()
        if "peers" in wish:
            self.peers = tuple(msgspec.convert(one, Peer) for one in wish["peers"])
            self.sessions.want(self.peers, now)
        if "sleep" in wish:
            time.sleep(wish["sleep"])
        if wish.get("status"):
            self._tell(status=self._status(now))
        if wish.get("goodbye"):
            self.sessions.say_goodbye(now)
        self.wire.flush()
        self._stirred()
        return not wish.get("goodbye")

    def _status(self, now: float) -> dict[str, Any]:
        return {
            "sessions": {
                peer.address: msgspec.to_builtins(
                    self.sessions.status(peer, now, wall_offset=time.time() - now)
                )
                for peer in self.peers
            },
            "patience": {peer.address: self.sessions.patience(peer, now) for peer in self.peers},
            "counters": self.wire.counters,
            "conditions": [one.message for one in self.wire.conditions()],
            "late": self.wire.percentiles(),
            "wakeups": len(self.wire.lateness),
            "cpu": time.process_time(),
            "timeline": [msgspec.to_builtins(one) for one in self._timeline.failovers],
        }

    def _stirred(self) -> None:
        now = self._loop.time()
        self._timeline.wall_offset = time.time() - now
        self.sessions.settle(now)
        for item in self._outbox.empty():
            match item:
                case Note(level, event, keys):
                    self._tell(event=event, level=level, at=time.time(), **dict(keys))
                case Send(command):
                    self._tell(hold=msgspec.to_builtins(command)["peers"])
                case SaveBFD():
                    self._tell(memories=msgspec.to_builtins(self.sessions.memories))
                case _:
                    self._tell(effect=repr(item))

    @staticmethod
    def _tell(**what: object) -> None:
        sys.stdout.write(json.dumps(what, default=str) + "\n")
        sys.stdout.flush()


async def main() -> None:
    """Serve the lines of stdin."""
    come_first()
    loop = asyncio.get_running_loop()
    memories = msgspec.json.decode(sys.argv[1] if sys.argv[1:] else "{}", type=dict[str, Memory])
    node = Node({Address(address): memory for address, memory in memories.items()})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := await reader.readline()) and node.obey(json.loads(line)):
        pass
    node.wire.close()


if __name__ == "__main__":
    asyncio.run(main())
