"""Take from this host all that bgpd has added, and give back the default routes that it changed.

It goes by the marks alone, so it works without an agent, without documents and after any crash.
Both kinds of routes are `proto 179`: host routes, with metric 179 and to a single address, are
removed; a default route was there before us, and what it was is in `egress.json`. One of which
nobody knows what it was is left, and said.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from bgpd.host import apply as hands
from bgpd.host.defaultroute import PROTOCOL, DefaultRoute
from bgpd.host.egressroutes import FILE_NAME, Replace, Routes
from bgpd.host.hostplan import (
    NOTHING,
    AddAddress,
    AddInterface,
    AddRoute,
    Change,
    RaiseInterface,
    RemoveAddress,
    RemoveInterface,
    RemoveRoute,
    changes,
)
from bgpd.host.inventory import Inventory
from bgpd.host.look import Looking
from bgpd.host.outcome import hops

_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What was removed or put back, and what could not be, in sentences."""

    done: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def clean(directory: Path, *, write: Replace, dry_run: bool = False) -> Cleanup:
    """Remove all that is ours; *directory* is the agent's state directory. This blocks.

    Raise `OSError` or `BgpdError` where the kernel cannot be asked.
    """
    with Looking() as looking:
        present = looking.look()
        routes = Routes(directory, write)
        changed = [one for one in present.defaults if one.protocol == PROTOCOL]
        if dry_run:
            todo = [_sentence(one, present) for one in changes(NOTHING, present)]
            back = [f"put back {one}" for one in routes.originals if one not in present.defaults]
            lost = [one for one in changed if one.key not in {old.key for old in routes.originals}]
            return Cleanup(done=(*todo, *back), problems=_unknown(lost))
        done, failures = _remove(looking, present)
        problems = [f"could not {one}" for one in failures]
        before = looking.look().defaults
        outcome = routes.settle(frozenset())
        _unwritten(directory / FILE_NAME)
        problems += [*outcome.problems, *outcome.reports]
        after = looking.look().defaults
        done += [f"put back {one}" for one in after if one not in before]
        lost = [one for one in after if one.protocol == PROTOCOL]
        return Cleanup(done=tuple(done), problems=(*problems, *_unknown(lost)))


def _remove(looking: Looking, present: Inventory) -> tuple[list[str], list[str]]:
    """Remove what is ours until nothing is left; return what was, and what was refused."""
    done: list[str] = []
    refused: list[str] = []
    for _ in range(_ROUNDS):
        todo = changes(NOTHING, present)
        if not todo:
            break
        failures = hands.apply(todo).failures
        failed = {one.change for one in failures}
        done += [_sentence(one, present) for one in todo if one not in failed]
        refused = [f"{_sentence(one.change, present)}: {one.sentence}" for one in failures]
        present = looking.look()
    return done, refused


def _unwritten(path: Path) -> None:
    """Remove what is left of a file whose writer was killed."""
    with suppress(OSError):
        path.with_name(f"{path.name}.new").unlink(missing_ok=True)


def _unknown(lost: list[DefaultRoute]) -> tuple[str, ...]:
    return tuple(
        f"{one} was changed by bgpd (proto {PROTOCOL}), and nobody knows any more what it was: put"
        " it right with `ip route replace default`"
        for one in lost
    )


def _sentence(change: Change, present: Inventory) -> str:
    """Return what a removal does, in the imperative."""
    match change:
        case RemoveRoute(route):
            return f"remove route {route.destination} via {' and '.join(hops(route.hops, present))}"
        case RemoveAddress(address, index, length):
            return f"remove address {address}/{length} from {present.name(index)}"
        case RemoveInterface(index):
            held = sorted(one.address for one in present.bound if one.interface == index)
            name = present.name(index)
            return f"remove interface {name}" + (f" with {', '.join(held)}" if held else "")
        case AddRoute() | AddAddress() | AddInterface() | RaiseInterface():
            raise AssertionError(f"{change} removes nothing")
        case _:
            assert_never(change)
