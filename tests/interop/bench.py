"""All cases with one router at once, and what came of them.

Three namespaces: the node with the shipped speaker, the router, and a hop between the two for
whoever is further away. Nothing is left behind: everything inside ends with this process.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bgpd.model.errors import BgpdError
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.status import SessionStatus, SpeakerStatus
from tests.exabgp.space import Space, eventually
from tests.interop.cases import CASES, UNABLE, WORDS, Case, Make
from tests.interop.node import Node
from tests.interop.routers import ROUTERS, Router

Found = TypeVar("Found")

PATIENCE = 20.0
"""How long all sessions together may take; a calm machine needs four seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one case."""

    established: bool
    announced: bool
    """Whether the router had exactly what it should have, with our next hop."""
    withdrawn: bool
    """Whether it then lost exactly what was taken back."""
    error: str
    """What a person is told: the session's last error, or why its routes are withheld."""
    stayed: bool
    """Whether the session never went down once it was up."""
    swapped: bool = True
    """Whether at the limit each replacement arrived."""
    ended: bool = False
    """Whether a session that the router's operator ended went down and, after a reset, returned."""

    def holds(self, case: Case) -> bool:
        """Return whether it is what the row of *case* says."""
        told = bool(case.refused) and re.search(case.refused, self.error) is not None
        if case.told:
            return self.announced and self.ended and told
        if case.refused:
            return told and not self.announced
        if case.unheard:
            told = "did not agree" in self.error
            return self.established and self.announced and told and self.stayed
        gone = self.swapped if case.swap else self.withdrawn
        return self.established and self.announced and gone and self.stayed


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one router did."""

    version: str
    cases: Mapping[int, Seen]


class Bench:
    """A node, a router of some make, and the links between them."""

    def __init__(self, make: Make, directory: Path, cases: Sequence[Case] = CASES) -> None:
        """Build the links; start nothing."""
        self.cases = cases
        self.spaces: dict[str, Space] = {}
        for name in ("node", "router", "hop"):
            self.spaces[name] = Space()
        _wire(self.spaces, cases)
        self.node = Node(self.spaces["node"], directory / "node")
        self.router: Router = ROUTERS[make](self.spaces["router"], directory / "router", cases)

    def close(self) -> None:
        """End everything inside."""
        for space in self.spaces.values():
            space.close()
        self.node.close()
        self.router.close()


@contextmanager
def bench(make: Make, directory: Path, cases: Sequence[Case] = CASES) -> Iterator[Bench]:
    """Yield a bench; end it whatever happens."""
    found = Bench(make, directory, cases)
    try:
        yield found
    finally:
        found.close()


def run(make: Make, directory: Path, cases: Sequence[Case] = CASES) -> Result:
    """Let one router go through all *cases*."""
    with bench(make, directory, cases) as world:
        world.router.start()
        world.node.start()
        wishes = [case.advertisement(prefix) for case in cases for prefix in case.wanted]
        world.node.want([case.peer for case in cases], wishes)
        return Result(version=world.router.version(), cases=_course(world, make))


def _course(world: Bench, make: Make) -> dict[int, Seen]:
    possible = [case for case in world.cases if (make, case.number) not in UNABLE]
    status, first = seen_last(
        lambda: (_status(world), world.router.routes()),
        lambda seen: _all_as_expected(*seen, possible),
    )
    up = {one.peer: one for one in status.sessions}
    unheard = _unheard(status)
    standing = [case for case in world.cases if up[case.name].state is PeerState.ESTABLISHED]
    ending = {case.number: _Ending(world, case) for case in standing if case.told}
    gone = {case.number: case.wanted[-1] for case in standing if not case.swap and not case.told}
    world.node.change(
        withdraw=[(case.name, gone[case.number]) for case in standing if case.number in gone]
    )
    leaving = [case for case in standing if case.number in gone]
    second = seen_last(
        world.router.routes,
        lambda routes: all(_left(case, first, routes, gone[case.number]) for case in leaving),
    )
    swapped = {case.number: _swap(world, case) for case in standing if case.swap}
    ended = {number: one.outcome() for number, one in ending.items()}
    last = world.node.sessions()
    return {
        case.number: Seen(
            established=case in standing,
            announced=_arrived(case, first),
            withdrawn=case.number in gone and _left(case, first, second, gone[case.number]),
            error=last[case.name].last_error or unheard.get(case.name, ""),
            stayed=last[case.name].transitions == 1,
            swapped=swapped.get(case.number, True),
            ended=ended.get(case.number, False),
        )
        for case in world.cases
    }


def settle(fact: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until *fact* holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def seen_last(
    look: Callable[[], Found], fact: Callable[[Found], bool], seconds: float = PATIENCE
) -> Found:
    """Look until *fact* holds of what is seen, or for long enough; return what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if fact(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _status(world: Bench) -> SpeakerStatus:
    def look() -> SpeakerStatus | None:
        with suppress(BgpdError):
            return world.node.status()
        return None

    return eventually(look, "the speaker's status")


def _all_as_expected(
    status: SpeakerStatus, routes: Mapping[str, str], cases: Sequence[Case]
) -> bool:
    sessions = {one.peer: one for one in status.sessions}
    unheard = _unheard(status)
    for case in cases:
        session = sessions.get(case.name)
        if session is None:
            return False
        if case.refused and not case.told:
            if not re.search(case.refused, session.last_error or unheard.get(case.name, "")):
                return False
        elif session.state is not PeerState.ESTABLISHED:
            return False
    return all(_arrived(case, routes) for case in cases if not case.refused or case.told)


def _unheard(status: SpeakerStatus) -> dict[PeerName, str]:
    """Return by peer why routes are withheld whose family the router did not agree to."""
    return {
        one.peer: one.message
        for one in status.withheld
        if one.reason is Reason.FAMILY_NOT_NEGOTIATED and one.peer is not None
    }


def _mine(case: Case, routes: Mapping[str, str]) -> set[Prefix]:
    return set(case.wanted) & routes.keys()


def _arrived(case: Case, routes: Mapping[str, str]) -> bool:
    mine = _mine(case, routes)
    hops = {case.node, case.peer.next_hop_v6}
    return len(mine) == case.expected and all(routes[prefix] in hops for prefix in mine)


def _left(case: Case, before: Mapping[str, str], after: Mapping[str, str], gone: str) -> bool:
    return _mine(case, before) - _mine(case, after) <= {gone} and gone not in after


def _swap(world: Bench, case: Case) -> bool:
    """Exchange routes one by one at the limit; return whether each came and another one went."""
    for number in range(1, 7):
        fresh = case.prefix(100 + number)
        held = sorted(_mine(case, world.router.routes()))
        # By turns the agent says what goes, or the new one's priority decides.
        gone = held[:1] if number % 2 else []
        world.node.change(
            advertise=[case.advertisement(fresh, priority=number)],
            withdraw=[(case.name, prefix) for prefix in gone],
        )
        if not settle(lambda: fresh in world.router.routes()):  # noqa: B023 - used at once
            return False
    return True


class _Ending:
    """A session that the router's operator ends."""

    def __init__(self, world: Bench, case: Case) -> None:
        self._world = world
        self._case = case
        self._before = _session(world, case).transitions
        world.router.end(case, WORDS)

    def outcome(self) -> bool:
        """Return whether it went down and, where it was only reset, came back."""
        if self._case.told == "down":
            return settle(lambda: self._moves == 1)
        # GoBGP waits for half a minute by itself.
        return settle(lambda: self._moves == 2, 4 * PATIENCE)

    @property
    def _moves(self) -> int:
        return _session(self._world, self._case).transitions - self._before


def _session(world: Bench, case: Case) -> SessionStatus:
    return world.node.sessions()[case.name]


def _wire(spaces: Mapping[str, Space], cases: Sequence[Case]) -> None:
    """Connect node and router: directly, and over the hop; give each case its addresses."""
    cable(spaces, ("node", "uplink"), ("router", "downlink"))
    cable(spaces, ("node", "far"), ("hop", "left"))
    cable(spaces, ("hop", "right"), ("router", "far"))
    batches: dict[str, list[str]] = {name: [] for name in spaces}
    batches["node"].append("addr add 10.7.0.1/24 dev far")
    batches["hop"] += ["addr add 10.7.0.2/24 dev left", "addr add 10.7.1.2/24 dev right"]
    batches["router"].append("addr add 10.7.1.1/24 dev far")
    for case in cases:
        for name, own, other, device, hop in (
            ("node", case.node, case.router, "uplink", "10.7.0.2"),
            ("router", case.router, case.node, "downlink", "10.7.1.2"),
        ):
            # Our IPv6 next hop may differ in family from the session.
            both = {own, f"fd09:{case.number:x}::{1 if name == 'node' else 2}"}
            if case.theirs.multihop:
                batches[name].append(f"addr add {own}/32 dev lo")
                batches[name].append(f"route add {other}/32 via {hop}")
                continue
            batches[name] += [f"addr add {a}/24 dev {device}" for a in both if ":" not in a]
            batches[name] += [f"addr add {a}/64 dev {device} nodad" for a in both if ":" in a]
        if case.theirs.multihop:
            batches["hop"] += [
                f"route add {case.node}/32 via 10.7.0.1",
                f"route add {case.router}/32 via 10.7.1.1",
            ]
    for name, lines in batches.items():
        done = subprocess.run(
            spaces[name].wrap("ip", "-batch", "-"),
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    spaces["hop"].run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")


def cable(spaces: Mapping[str, Space], one: tuple[str, str], other: tuple[str, str]) -> None:
    """Connect two namespaces: each end is named by its space and its device."""
    ends = (one[1], "type", "veth", "peer", "name", other[1], "netns", spaces[other[0]].pid)
    subprocess.run(
        ["nsenter", "-t", spaces[one[0]].pid, "-n", "ip", "link", "add", *ends], check=True
    )
    for space, device in (one, other):
        spaces[space].run("ip", "link", "set", device, "up")
