"""Open connections are counted while somebody waits for them; what cannot be counted is said."""

import asyncio

import pytest

from bgpd.agent.counting import Counting, busy_of
from bgpd.host.connections import Census
from bgpd.model.prefix import Prefix
from tests.agent.running import running

EIP = Prefix("203.0.113.1/32")
PATIENCE = 20.0


@pytest.mark.parametrize(
    ("counts", "busy"),
    [
        pytest.param({EIP: 0}, (), id="nothing is open"),
        pytest.param({EIP: 2}, (EIP,), id="something is"),
        pytest.param(None, (EIP,), id="nobody can say"),
    ],
)
def test_what_counts_as_busy(counts: dict[Prefix, int] | None, busy: tuple[Prefix, ...]) -> None:
    """Unknown is not empty: then each prefix keeps its time."""
    assert busy_of([EIP], Census(connections=counts)) == busy


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        pytest.param({EIP: 0}, "what is not counted is not waited for", id="a part is not known"),
        pytest.param(None, "every route keeps the whole time", id="nothing is known"),
    ],
)
def test_what_cannot_be_counted_is_said(counts: dict[Prefix, int] | None, words: str) -> None:
    """With what follows from it."""

    async def count(*_: object, **__: object) -> Census:
        return Census(connections=counts, problems=("the tracker cannot be asked",))

    async def run() -> None:
        counted = asyncio.Event()
        counting = Counting(lambda: (EIP,), counted.set, count)
        counting.want(wanted=True)
        async with running(counting.run()), asyncio.timeout(PATIENCE):
            await counted.wait()
        (condition,) = counting.conditions()
        assert condition.type == "ConnectionsNotCounted"
        assert words in condition.message
        counting.want(wanted=False)
        assert not list(counting.conditions())

    asyncio.run(run())


def test_nothing_is_counted_that_nobody_wants() -> None:
    """And what was counted is forgotten when it is over."""

    async def run() -> None:
        counted = asyncio.Event()
        counting = Counting(lambda: (EIP,), counted.set)
        async with running(counting.run()):
            await asyncio.sleep(0.05)
            assert not counted.is_set()
            counting.want(wanted=True)
            async with asyncio.timeout(PATIENCE):
                await counted.wait()
            assert counting.busy is not None
            counting.want(wanted=False)
            assert counting.busy is None

    asyncio.run(run())
