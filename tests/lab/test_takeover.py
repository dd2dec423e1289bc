"""What real nodes remember of what befell them, held against what client and router saw."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.timeline import StepName
from tests.lab.plan import Plan
from tests.lab.test_faults import Served, served
from tests.lab.timelines import AGREES_MS, LEAST, MOST, OURS, REST

__all__ = ["served"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]
ORDER = ["cause", "decision", "command", "flushed", "sent"]


def records(served: Served, node: str) -> list[Any]:
    """Return what the speaker of *node* remembers."""
    socket = Path(served.directory) / node / "run" / "speaker.sock"
    content = ask(socket, Ask(question="timeline"), timeout=5.0).content
    assert isinstance(content, list)
    return content


def kinds(served: Served, node: str) -> list[str]:
    """Return the kinds of all that the speaker of *node* remembers, the oldest first."""
    return [one["kind"] for one in records(served, node)]


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
        noise = run["machine_late_ms"] + run["client_late_ms"]
        assert abs(run[REST]) <= AGREES_MS + noise
        assert run[LEAST] - noise - AGREES_MS <= run[OURS] <= run[MOST] + noise + AGREES_MS

    def test_an_endpoint_leaves_a_record_when_it_goes_and_when_it_returns(
        self, served: Served
    ) -> None:
        """From the agent's inotify event to BIRD's acknowledgement."""
        run = served.strike("endpoint-lost")
        (node,) = run["affected"]
        found = {one["kind"]: one for one in records(served, node)}
        assert {"withdraw", "return"} <= set(found)
        lost = found["withdraw"]
        assert lost["cause"].startswith("default/service-1: NoLocalEndpoints")
        assert [step["name"] for step in lost["steps"]] == ORDER
        times = [step["milliseconds"] for step in lost["steps"]]
        assert all(one <= other for one, other in pairwise(times))

    def test_a_drain_leaves_a_record_of_each_of_its_moves(self, served: Served) -> None:
        """Demoted, withdrawn, taken back; and nothing was raised."""
        before = {name: len(records(served, name)) for name in ("n1", "n2", "n3")}
        run = served.strike("drain")
        assert run["problems"] == []
        (node,) = run["affected"]
        moves = kinds(served, node)[before[node] :]
        assert moves == ["drain", "withdraw", "return"]
        last = records(served, node)[-1]
        assert last["steps"][-1]["name"] == StepName.SENT

    def test_what_is_remembered_outlives_the_speaker(self, served: Served) -> None:
        """ExaBGP and reflex are killed and started again: the ring goes on, in the same boot."""
        victim = served.strike("exabgp-kill")
        (node,) = victim["affected"]
        found = records(served, node)
        assert len({one["boot"] for one in found}) == 1
        starts = [one for one in found if one["cause"] == "the speaker started"]
        assert len(starts) >= 2, "the one of before, and the one after the kill"
        clocks = [one["clock"] for one in starts]
        assert clocks == sorted(clocks)
