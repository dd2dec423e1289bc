"""How soon a session is back after its router was silent: two routers, one of which goes away.

`python -m tests.interop.silence --seconds 600 --router BIRD` writes one line of JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bgpd.model.peer import PeerState
from tests.exabgp.space import Space, eventually
from tests.exabgp.standstill import standstill
from tests.interop.bench import cable
from tests.interop.cases import Case, Make
from tests.interop.node import Node, until
from tests.interop.routers import ROUTERS, Router

_DROP: Final = (
    'table inet silence { chain i { type filter hook input priority 0; iifname "uplink" drop; }; '
    'chain o { type filter hook output priority 0; oifname "uplink" drop; }; }'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What became of the two sessions."""

    router: str
    silent_seconds: float
    back_seconds: float
    """From the moment at which the router accepts connections to Established."""
    other_stayed: bool
    """Whether the other router's session, its connection and its routes stayed as they were."""
    routes_back: bool
    machine_stood_still_seconds: float = 0.0
    """How much of it the machine itself stood still, and the router and we with it."""


class Pair:
    """A node and two routers of one make, each on a link of its own."""

    def __init__(self, make: Make, directory: Path, cases: tuple[Case, Case]) -> None:
        """Build the links; start nothing."""
        self.cases = cases
        self.spaces = {"node": Space()}
        self.routers: dict[str, Router] = {}
        for case in cases:
            self.spaces[case.name] = Space()
            cable(self.spaces, ("node", case.name), (case.name, "uplink"))
            for space, device, address in (
                ("node", case.name, case.node),
                (case.name, "uplink", case.router),
            ):
                self.spaces[space].run("ip", "addr", "add", f"{address}/24", "dev", device)
            where = directory / case.name
            self.routers[case.name] = ROUTERS[make](self.spaces[case.name], where, [case])
        self.node = Node(self.spaces["node"], directory / "node")

    def silence(self, case: Case) -> None:
        """Let the router of *case* lose power: no word of it, and it forgets everything."""
        space = self.spaces[case.name]
        space.run("nft", _DROP)
        space.run("sh", "-c", "kill -KILL -1", check=False)
        space.run("ss", "-K", "-t", "sport", "=", ":179", "or", "dport", "=", ":179")
        self.routers[case.name].close()
        self.routers[case.name].processes.clear()

    def restart(self, case: Case) -> None:
        """Start the router of *case* and, once it runs, let its packets through."""
        self.routers[case.name].start()
        self.spaces[case.name].run("nft", "delete", "table", "inet", "silence")

    def connection(self, case: Case) -> str:
        """Return what tells one TCP connection from the next: ports and inode."""
        text = self.spaces["node"].run("ss", "-tnHe", "dst", case.router)
        return " ".join(word for word in text.split() if ":" in word and "timer" not in word)

    def close(self) -> None:
        """End everything."""
        for space in self.spaces.values():
            space.close()
        self.node.close()
        for router in self.routers.values():
            router.close()


@contextmanager
def pair(make: Make, directory: Path, cases: tuple[Case, Case]) -> Iterator[Pair]:
    """Yield two routers and a node; end them whatever happens."""
    found = Pair(make, directory, cases)
    try:
        yield found
    finally:
        found.close()


def run(make: Make, directory: Path, *, seconds: float, hold_time: int) -> Return:
    """Let one of two routers be silent for *seconds*, and see when its session is back."""
    first, second = (
        Case(number=number, title=title, ours={"hold_time": hold_time})
        for number, title in ((1, "the one that goes"), (2, "the one that stays"))
    )
    with pair(make, directory, (first, second)) as world:
        for router in world.routers.values():
            router.start()
        world.node.start()
        wishes = [case.advertisement(prefix) for case in world.cases for prefix in case.wanted]
        world.node.want([case.peer for case in world.cases], wishes)
        for case in world.cases:
            until(world.node, case.name, "Established")
        before = facts(world, second)
        world.silence(first)
        time.sleep(seconds)
        world.restart(first)
        with standstill() as lost:
            began = time.monotonic()
            eventually(lambda: _is_back(world, first), "the session is back", 60.0)
            took, stood_still = time.monotonic() - began, lost()
        wanted = set(first.wanted)
        eventually(lambda: wanted <= world.routers[first.name].routes().keys(), "its routes")
        return Return(
            router=make.value,
            silent_seconds=seconds,
            back_seconds=round(took, 2),
            other_stayed=facts(world, second) == before,
            routes_back=True,
            machine_stood_still_seconds=round(stood_still, 2),
        )


def _is_back(world: Pair, case: Case) -> bool:
    """Return whether there is another session than the one of before."""
    session = world.node.sessions().get(case.name)
    return (
        session is not None and session.state is PeerState.ESTABLISHED and session.transitions > 2
    )


def facts(world: Pair, case: Case) -> tuple[object, ...]:
    """Return what stays the same where nothing happens: session, connection and routes."""
    session = world.node.sessions()[case.name]
    routes = eventually(
        lambda: set(case.wanted) & world.routers[case.name].routes().keys(), "routes"
    )
    return session.state, session.since, session.transitions, world.connection(case), routes


def soon(found: Return) -> bool:
    """Return whether the session was back within five seconds, as far as the machine ran."""
    return found.back_seconds - found.machine_stood_still_seconds <= 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once and print the outcome."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.silence", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--hold-time", type=int, default=90)
    parser.add_argument("--router", type=Make, choices=list(Make), default=Make.BIRD)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        found = run(
            options.router, Path(directory), seconds=options.seconds, hold_time=options.hold_time
        )
    print(json.dumps(asdict(found)))
    return 0 if found.other_stayed and soon(found) else 1


if __name__ == "__main__":
    sys.exit(main())
