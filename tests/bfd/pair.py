"""Two BFD sessions on a link of their own, in virtual time."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from bgpd.bfd.memory import Memory
from bgpd.bfd.packet import ControlPacket, Refusal, decode
from bgpd.bfd.session import Session, Settings, StateChanged


def settings(tx: int = 50, rx: int = 50, mult: int = 3, *, passive: bool = False) -> Settings:
    """Return settings; intervals in milliseconds."""
    return Settings(
        desired_min_tx=tx * 1000, required_min_rx=rx * 1000, detect_mult=mult, passive=passive
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """One packet that one end sent."""

    at: float
    packet: ControlPacket
    lost: bool


class Pair:
    """Ends "a" and "b", and what they sent; *lose* decides about each packet."""

    def __init__(
        self,
        a: Settings,
        b: Settings,
        *,
        seed: int = 1,
        delay: float = 0.001,
        lose: Callable[[str, float], bool] = lambda _end, _now: False,
    ) -> None:
        """Begin at time 0."""
        self.now = 0.0
        self.random = random.Random(seed)
        self.ends = {"a": self.session(a, 11), "b": self.session(b, 22)}
        self.sent: dict[str, list[Sent]] = {"a": [], "b": []}
        self.events: dict[str, list[StateChanged]] = {"a": [], "b": []}
        self.refused: list[Refusal] = []
        self.lose = lose
        self.deaf: set[str] = set()
        """Ends whose machine stands still: it neither reads, nor sends, nor looks at its clock."""
        self._delay = delay
        self._flying: list[tuple[float, str, bytes]] = []

    def session(self, wanted: Settings, discr: int, memory: Memory | None = None) -> Session:
        """Return a session that begins now."""
        return Session(
            wanted,
            my_discr=discr,
            random=self.random.random,
            now=self.now,
            sequence=discr,
            memory=memory,
        )

    def run(self, seconds: float) -> None:
        """Let *seconds* pass."""
        end = self.now + seconds
        while True:
            self._collect()
            dues = [at for at, _, _ in self._flying]
            dues += [
                due
                for name, one in self.ends.items()
                if name not in self.deaf and (due := one.deadline()) is not None
            ]
            due = min(dues, default=end)
            if due > end:
                break
            self.now = max(self.now, due)
            self._step()
        self.now = end

    def _step(self) -> None:
        arrived = [one for one in self._flying if one[0] <= self.now]
        self._flying = [one for one in self._flying if one[0] > self.now]
        for at, name, data in arrived:
            session = self.ends[name]
            if not session.repeats(data, at):
                packet = decode(data)
                assert isinstance(packet, ControlPacket)
                refusal = session.receive(packet, data, at)
                if refusal is not None:
                    self.refused.append(refusal)
        for name, session in self.ends.items():
            due = session.deadline()
            if due is not None and due <= self.now and name not in self.deaf:
                session.handle_timer(self.now)

    def _collect(self) -> None:
        for name, other in (("a", "b"), ("b", "a")):
            self.events[name] += self.ends[name].events()
            for data in self.ends[name].packets():
                packet = decode(data)
                assert isinstance(packet, ControlPacket)
                lost = self.lose(name, self.now)
                self.sent[name].append(Sent(self.now, packet, lost))
                if not lost:
                    self._flying.append((self.now + self._delay, other, data))
