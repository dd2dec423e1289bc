"""What the cluster is told of failovers, and that it comes back as it was."""

import json
from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube import failoverform as form
from bgpd.kube.crd import files
from bgpd.kube.nodeform import StatusForm
from bgpd.kube.nodestatus import document
from bgpd.kube.nodetimeline import failovers_of, timeline_form
from bgpd.model.status import NodeStatus
from bgpd.model.timeline import KINDS, Failover, PairClock, Step, StepName

names = st.text("abc-01", min_size=1, max_size=20)
milliseconds = st.integers(0, 10**8).map(lambda number: number / 1000)
failovers = st.builds(
    Failover,
    kind=st.sampled_from(KINDS),
    at=st.integers(1, 4 * 10**15).map(lambda number: number / 1e6),
    cause=st.text(st.characters(categories=["L", "N"]), max_size=300),
    generation=st.integers(0, 2**23),
    routes=st.integers(0, 10_000),
    steps=st.lists(
        st.builds(
            Step,
            name=st.sampled_from([step.value for step in StepName if step != StepName.CAUSE]),
            milliseconds=milliseconds,
            detail=names,
        ),
        max_size=form.MOST_STEPS,
    ).map(tuple),
    node=st.just("n1"),
    boot=names,
    clock=st.none() | st.integers(0, 10**12).map(lambda number: number / 1e6),
    members=st.lists(names, max_size=3).map(tuple),
    due_milliseconds=st.none() | milliseconds,
    changes=st.integers(1, 10_000),
    slowest_milliseconds=st.none() | milliseconds,
    clocks=st.lists(
        st.builds(
            PairClock,
            member=names,
            milliseconds=st.integers(-(10**14), 10**14).map(lambda number: number / 1000),
            uncertainty_milliseconds=milliseconds,
        ),
        max_size=4,
    ).map(tuple),
)


def status_of(*told: Failover) -> NodeStatus:
    """Return the status of a node that tells of *told*."""
    return NodeStatus(
        node="n1", version="1", source="kubernetes", synced=True, speaker=None, failovers=told
    )


def written(*told: Failover) -> StatusForm:
    """Return what the server has of a node that tells of *told*."""
    wire = json.loads(json.dumps(document(status_of(*told), now=5.0)))
    return msgspec.convert(wire["status"], StatusForm)


@given(st.lists(failovers, max_size=form.MOST_FAILOVERS))
def test_what_is_written_comes_back(told: list[Failover]) -> None:
    """To the microsecond, whichever node reads it."""
    found = failovers_of("n1", written(*told))
    assert [replace(one, at=0.0) for one in found] == [replace(one, at=0.0) for one in told]
    for one, other in zip(found, told, strict=True):
        assert abs(one.at - other.at) < 1e-5


def test_the_newest_are_told() -> None:
    """An object has an end; the rest is on the node's disk."""
    told = [
        Failover(kind="raise", at=float(n), cause=str(n), generation=n, routes=1)
        for n in range(1, 20)
    ]
    found = [one.cause for one in timeline_form(told)]
    assert found == [str(n) for n in range(20 - form.MOST_FAILOVERS, 20)]


def test_a_node_without_failovers_writes_nothing_of_them() -> None:
    """And one of an older version, which writes none, tells of none."""
    assert "timeline" not in document(status_of(), now=5.0)["status"]
    assert failovers_of("n1", written()) == []


def test_the_largest_timeline_has_its_place() -> None:
    """Six records of sixteen routers and thirty members: a small part of what a store takes."""
    steps = tuple(
        Step(name="flushed", milliseconds=12345.678, detail="p" * 253)
        for _ in range(form.MOST_STEPS)
    )
    clocks = tuple(
        PairClock(member="m" * 253, milliseconds=-1e9, uncertainty_milliseconds=1e3)
        for _ in range(form.MOST_CLOCKS)
    )
    most = Failover(
        kind="raise", at=1.8e9, cause="c" * 999, generation=1, routes=1, steps=steps, clocks=clocks
    )
    wire = json.dumps(document(status_of(*[most] * form.MOST_FAILOVERS), now=5.0)["status"])
    assert len(wire) < 150_000
    assert failovers_of("n1", written(most))[0].cause.startswith("c" * 400)


def test_the_definition_knows_it() -> None:
    """The server drops what the definition of a kind does not name."""
    (text,) = (text for name, text in files().items() if "bgpnodestatuses" in name)
    assert "timeline:" in text
