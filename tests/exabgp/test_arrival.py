"""When a router has what was sent: told by a real ExaBGP, of a real connection to a real router."""

import time

import pytest

from bgpd.exabgp.arrival import FIRST_PAUSE, LAST_PAUSE, MOST, NEVER, WATCH_SECONDS, Arrivals
from bgpd.exabgp.command import Ping, Update
from bgpd.exabgp.message import Arrived, Pong
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address
from tests.exabgp.link import EIP, OTHER, ROUTER_V4, offer, peer, to
from tests.exabgp.rig import Rig
from tests.exabgp.space import eventually

_BLACK_HOLE = (
    "table inet t { chain i { type filter hook input priority 0; tcp sport 179 drop; "
    "tcp dport 179 drop; }; }"
)


class Line:
    """A connection by the counts of its kernel."""

    def __init__(self) -> None:
        self.written = 0
        self.heard = 0
        self.ago = 0.0
        self.closed = False

    @property
    def acknowledged(self) -> tuple[int, float]:
        """What the router's kernel has, and since when."""
        if self.closed:
            raise OSError("closed")
        return self.heard, self.ago


class Session:
    """A session that is up, or not, over a line."""

    def __init__(self, line: Line | None) -> None:
        self.line = line
        self.queued = False
        self.address = Address("10.0.0.1")


class Watched:
    """Arrivals, and the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.arrivals = Arrivals(lambda: self.now)

    def look(self, after: float) -> list[tuple[float, float]]:
        """Look *after* some seconds: flushed and acknowledged at which times."""
        self.now += after
        return [(round(one.flushed_at, 4), round(one.at, 4)) for one in self.arrivals.look()]


def test_what_was_written_is_told_of_once_it_is_acknowledged() -> None:
    """All of it: the bytes before it as well, and nothing that follows."""
    world, line = Watched(), Line()
    line.written = 500
    world.arrivals.watch(1, [Session(line)])
    line.heard = 499
    assert world.look(0.001) == []
    line.written, line.heard, line.ago = 900, 500, 0.0005
    assert world.look(0.001) == [(100.0, 100.002)]
    assert world.look(0.001) == []


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        pytest.param(0.0, 100.02, id="just now"),
        pytest.param(0.008, 100.012, id="a while ago"),
        pytest.param(0.012, 100.01, id="a tick of the kernel's clock: not before the last look"),
    ],
)
def test_the_kernels_coarse_clock_is_held_between_two_looks(ago: float, expected: float) -> None:
    """It counts in jiffies, up to 10 ms; what we saw ourselves is sharper."""
    world, line = Watched(), Line()
    line.written = 5
    world.arrivals.watch(1, [Session(line)])
    world.look(0.01)
    line.heard, line.ago = 5, ago
    assert world.look(0.01) == [(100.0, expected)]


def test_a_session_that_is_down_is_told_of_when_it_is_up() -> None:
    """Its routes leave then; a connection that breaks sends them again."""
    world = Watched()
    session = Session(None)
    world.arrivals.watch(1, [session])
    assert world.arrivals.patience == NEVER, "nothing to look at until something wakes us"
    assert world.look(1.0) == []
    session.line = first = Line()
    first.written = 9
    assert world.look(1.0) == []
    first.closed = True
    assert world.look(0.001) == []
    session.line = second = Line()
    second.written = second.heard = 7
    assert world.look(1.0) == []
    assert world.look(0.001) == [(103.001, 103.002)]


def test_what_never_arrives_is_forgotten() -> None:
    """A router that is gone costs a few looks a second, for a minute, and no memory."""
    world, line = Watched(), Line()
    line.written = 9
    for number in range(MOST + 10):
        world.arrivals.watch(number, [Session(line)])
    assert world.arrivals.patience == FIRST_PAUSE * 1000
    world.look(30.0)
    assert world.arrivals.patience == LAST_PAUSE * 1000
    line.heard = 9
    assert len(world.look(0.05)) == MOST
    line.written = 10
    world.arrivals.watch(0, [Session(line)])
    world.look(WATCH_SECONDS)
    assert world.arrivals.patience == NEVER


# With a real ExaBGP and BIRD


def _told(lab: Rig, number: int, seconds: float = 15.0) -> Arrived:
    found = lab.speaker.wait(
        lambda item: isinstance(item, Arrived) and item.id == number, "Arrived", seconds
    )
    assert isinstance(found, Arrived)
    return found


@pytest.mark.integration
def test_a_watched_update_is_told_of_twice(lab: Rig) -> None:
    """Flushed, then acknowledged; others are not told of, and nobody waits for it."""
    lab.establish()
    began = time.monotonic()
    lab.speaker.send(Update(id=900, peers=(to(ROUTER_V4, offer(EIP)),), watched=True))
    done = lab.speaker.done(900)
    assert done.flushed == (ROUTER_V4,)
    found = _told(lab, 900)
    assert began <= done.flushed_at[0] <= found.flushed_at <= found.at <= time.monotonic()
    lab.speaker.update(to(ROUTER_V4, offer(OTHER)))
    lab.speaker.send(Ping(id=901))
    first = lab.speaker.wait(lambda item: isinstance(item, Arrived | Pong), "Pong")
    assert isinstance(first, Pong)


@pytest.mark.integration
def test_a_router_that_hears_nothing_acknowledges_when_it_does_again(lab: Rig) -> None:
    """Flushed is our kernel's word alone: it takes the bytes of a router that is gone."""
    lab.establish()
    lab.router_space.run("nft", _BLACK_HOLE)
    lab.speaker.send(Update(id=900, peers=(to(ROUTER_V4, offer(EIP)),), watched=True))
    assert lab.speaker.done(900).flushed == (ROUTER_V4,)
    lab.speaker.read(2.0)
    healed = time.monotonic()
    lab.router_space.run("nft", "flush", "ruleset")
    found = _told(lab, 900, 30.0)
    assert found.flushed_at < healed <= found.at + 0.01
    eventually(lambda: EIP in lab.router.prefixes(), "the route")


@pytest.mark.integration
def test_a_session_that_comes_up_is_told_of(lab: Rig) -> None:
    """What was queued before it was there leaves with it."""
    lab.speaker.start(peer())
    lab.speaker.send(Update(id=900, peers=(to(ROUTER_V4, offer(EIP)),), watched=True))
    done = lab.speaker.done(900)
    assert (done.waiting, done.flushed_at) == ((ROUTER_V4,), ())
    lab.router.start("")
    lab.speaker.until(ROUTER_V4, PeerState.ESTABLISHED)
    found = _told(lab, 900)
    assert found.flushed_at <= found.at
