"""What real nodes remember of what befell them, held against what client and router saw."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.timeline import StepName
from tests.lab.nodes import until
from tests.lab.plan import LabError, Plan
from tests.lab.test_faults import Served, served
from tests.lab.timelines import AGREES_MS, LEAST, MOST, OURS, REST

__all__ = ["served"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
ORDER = ["cause", "decision", "command", "flushed", "sent"]
MOVES = ["drain", "withdraw", "return"]


def records(served: Served, node: str) -> list[Any]:
    """Return what the speaker of *node* remembers."""
    socket = Path(served.directory) / node / "run" / "speaker.sock"
    content = ask(socket, Ask(question="timeline"), timeout=30.0).content
    assert isinstance(content, list)
    return content


def told(served: Served, node: str, whole: Callable[[list[Any]], bool]) -> list[Any]:
    """Return what the speaker of *node* remembers once that is *whole*, or after a while.

    It hears why a route went or came only after the route has, and of a router's acknowledgement
    only when ExaBGP has looked.
    """
    with suppress(LabError):
        until(lambda: whole(records(served, node)), 30, "not whole")
    return records(served, node)


def sent(record: Any) -> bool:
    """Tell whether a router has acknowledged *record*."""
    return any(step["name"] == StepName.SENT for step in record["steps"])


class TestTimeline:
    """Three nodes and BIRD."""

    plan = Plan(quick=True)

    def test_a_takeover_is_told_as_the_client_saw_it(self, served: Served) -> None:
        """The silence, the way to the router and the router's own work are the client's gap."""
        run = served.strike("power-loss")
        assert run["problems"] == []
        joined = run["joined"]
        survivors = sorted({"n1", "n2", "n3"} - set(run["affected"]))
        assert sorted(joined["nodes"]) == survivors
        assert joined["members"] == run["affected"]
        for node in survivors:
            steps = [row["step"] for row in joined["rows"] if row["node"] == node]
            assert steps == ORDER
        (pair,) = joined["pairs"]
        assert pair["how"] == "heartbeats"
        assert abs(pair["milliseconds"]) <= pair["uncertainty"], "they share a kernel, and a clock"
        # What flows of other nodes waited, at the same nodes and routers, is nobody's share either.
        others = run["other_flows_gap_ms"] or 0.0
        noise = run["machine_late_ms"] + run["client_late_ms"] + others
        assert abs(run[REST]) <= AGREES_MS + noise
        assert run[LEAST] - noise - AGREES_MS <= run[OURS] <= run[MOST] + noise + AGREES_MS

    def test_an_endpoint_leaves_a_record_when_it_goes_and_when_it_returns(
        self, served: Served
    ) -> None:
        """From the agent's inotify event to BIRD's acknowledgement."""
        run = served.strike("endpoint-lost")
        (node,) = run["affected"]

        def whole(seen: list[Any]) -> bool:
            last = {one["kind"]: one for one in seen}
            return {"withdraw", "return"} <= set(last) and sent(last["withdraw"])

        found = {one["kind"]: one for one in told(served, node, whole)}
        assert {"withdraw", "return"} <= set(found)
        lost = found["withdraw"]
        assert lost["cause"].startswith("default/service-1: NoLocalEndpoints")
        # A strike that the machine spoilt is repeated, and then joins the record that is there.
        assert [s["name"] for s in lost["steps"] if s["name"] != StepName.LAST] == ORDER
        times = [step["milliseconds"] for step in lost["steps"]]
        assert all(one <= other for one, other in pairwise(times))

    def test_a_drain_leaves_a_record_of_each_of_its_moves(self, served: Served) -> None:
        """Demoted, withdrawn, taken back; and nothing was raised."""
        run = served.strike("drain")
        assert run["problems"] == [], "a raise is one"
        (node,) = run["affected"]

        def of_the_last(seen: list[Any]) -> list[Any]:
            moves = [one for one in seen if one["kind"] in MOVES]
            first = max((n for n, one in enumerate(moves) if one["kind"] == "drain"), default=0)
            return moves[first:]

        def kinds(seen: list[Any]) -> list[str]:
            return [one["kind"] for one in of_the_last(seen)]

        seen = told(served, node, lambda seen: kinds(seen) == MOVES and sent(of_the_last(seen)[-1]))
        assert kinds(seen) == MOVES
        assert sent(of_the_last(seen)[-1])

    def test_what_is_remembered_outlives_the_speaker(self, served: Served) -> None:
        """ExaBGP and reflex are killed and started again: the ring goes on, in the same boot."""
        victim = served.strike("exabgp-kill")
        (node,) = victim["affected"]

        def starts_of(seen: list[Any]) -> list[Any]:
            return [one for one in seen if one["cause"] == "the speaker started"]

        found = told(served, node, lambda seen: len(starts_of(seen)) >= 2)
        assert len({one["boot"] for one in found}) == 1
        starts = starts_of(found)
        assert len(starts) >= 2, "the one of before, and the one after the kill"
        clocks = [one["clock"] for one in starts]
        assert clocks == sorted(clocks)
