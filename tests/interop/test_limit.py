"""Ten prefixes at most, fifteen Services: the router's own limit is never reached."""

from pathlib import Path

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from tests.exabgp.space import eventually, need
from tests.interop.bench import Bench, bench
from tests.interop.cases import CASES, LIMIT, Make
from tests.interop.node import until
from tests.interop.routers import ROUTERS, missing
from tests.lacking import lacking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CASE = next(case for case in CASES if case.swap)


@pytest.mark.parametrize("make", [Make.BIRD, Make.FRR], ids=str)
def test_fifteen_services_at_a_limit_of_ten_go_by_priority_and_never_cost_the_session(
    make: Make, tmp_path: Path
) -> None:
    """Also while they are replaced one by one, and the generation is raised meanwhile."""
    unproven = f"a prefix limit at {make}"
    if missing(make):
        lacking(missing(make), unproven=unproven)
    need("ip", "unshare", "nsenter", *ROUTERS[make].programs, unproven=unproven)
    with bench(make, tmp_path, [CASE]) as world:
        world.router.start()
        world.node.start()
        wishes = {CASE.prefix(n): CASE.advertisement(CASE.prefix(n), n * 7 % 15) for n in _15}
        world.node.want([CASE.peer], wishes.values())
        until(world.node, CASE.name, "Established")
        _arrive(world, wishes)
        _explained(world, wishes)
        for step in range(1, 9):
            _replace_one(world, wishes, step)
            generation = {"to": str(step + 1)}
            answer = ask(
                world.node.run_dir / "speaker.sock",
                Ask(question="generation-reset", arguments=generation),
                timeout=10.0,
            )
            assert answer.ok, answer.error
            _arrive(world, wishes)
        _explained(world, wishes)
        session = world.node.sessions()[CASE.name]
        assert session.transitions == 1, session


_15 = range(1, 16)


def _replace_one(world: Bench, wishes: dict[Prefix, Advertisement], step: int) -> None:
    """Let a better one come, by turns with what goes named and left to the gate."""
    held = _first(wishes)
    gone = [next(iter(sorted(held)))] if step % 2 else []
    for prefix in gone:
        del wishes[prefix]
    fresh = CASE.advertisement(CASE.prefix(100 + step), priority=100 + step)
    wishes[fresh.prefix] = fresh
    world.node.change([fresh], [(CASE.name, prefix) for prefix in gone])


def _first(wishes: dict[Prefix, Advertisement]) -> set[Prefix]:
    ranked = sorted(wishes.values(), key=lambda wish: -wish.priority)
    return {wish.prefix for wish in ranked[:LIMIT]}


def _arrive(world: Bench, wishes: dict[Prefix, Advertisement]) -> None:
    wanted = _first(wishes)
    eventually(lambda: world.router.routes().keys() == wanted, f"exactly {sorted(wanted)}")


def _explained(world: Bench, wishes: dict[Prefix, Advertisement]) -> None:
    status = world.node.status()
    limited = {one.prefix for one in status.withheld if one.reason is Reason.PREFIX_LIMIT}
    assert limited == wishes.keys() - _first(wishes)
    assert "PrefixLimit" in {one.type for one in status.conditions}
