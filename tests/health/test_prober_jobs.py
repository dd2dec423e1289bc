"""A prober whose jobs come, go and change while others are asked."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.health.job import JobState
from bgpd.health.phase import next_due
from bgpd.health.prober import Prober
from bgpd.model.health import NTP, Health, HTTPGet, TCPSocket
from tests.health.asking import (
    PATIENT,
    QUICK,
    asking,
    closing,
    healthy,
    job,
    serving,
    silent,
    until,
)
from tests.health.test_prober import story


def test_set_keeps_what_is_unchanged() -> None:
    """The same job keeps its counters; a job that goes is hung up on and forgotten."""

    async def body() -> None:
        hung_up = asyncio.Event()

        async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await silent(reader, writer)
            hung_up.set()

        async with serving(healthy) as port, serving(listening) as hanging:
            stays = job(HTTPGet(), port, key="stays")
            goes = job(HTTPGet(), hanging, key="goes")
            async with asking(stays, goes) as asked:
                before = await asked.until_asked(3, "stays")
                asked.prober.set([replace(stays, environment=dict(stays.environment))])
                assert set(asked.states) == {"stays"}
                assert asked.states["stays"].probes >= before.probes
                assert asked.states["stays"].health is Health.HEALTHY
                await asyncio.wait_for(hung_up.wait(), 10)

    story(body)


def test_another_rhythm_keeps_the_health_and_another_question_does_not() -> None:
    """A period that is edited makes nothing Unknown, nor asked out of turn; another path does."""

    async def body() -> None:
        async with serving(healthy) as port:
            first = job(HTTPGet(), port)
            async with asking(first) as asked:
                await asked.until_asked(2)
                slower = replace(first, rhythm=replace(PATIENT, period_milliseconds=3_600_000))
                asked.prober.set([slower])
                state = asked.states["job"]
                assert state.health is Health.HEALTHY
                assert state.probes >= 2
                moments = [one.when for one in asked.prober._agenda._heap if one.run.alive]
                place = asked.prober._runs["job"].place
                now = asyncio.get_running_loop().time()
                assert moments == [pytest.approx(next_due(now, 3600.0, place), abs=1e-3)]
                asked.prober.set([replace(first, probe=HTTPGet(path="/other"))])
                assert asked.states["job"] == JobState(key="job", message="not asked yet")
                await asked.until_health(Health.HEALTHY)

    story(body)


def test_changed_may_set_other_jobs() -> None:
    """A caller that reacts to a change by asking for something else is served."""

    async def body() -> None:
        async with serving(healthy) as port:
            seen: list[JobState] = []

            def changed(state: JobState) -> None:
                seen.append(state)
                if state.key == "first":
                    prober.set([job(TCPSocket(), port, key="second")])

            prober = Prober(changed)
            prober.set([job(HTTPGet(), port, key="first")])
            async with asyncio.TaskGroup() as group:
                task = group.create_task(prober.run())
                await until(lambda: len(seen) == 2, lambda: f"changed: {seen}")
                task.cancel()
            assert [state.key for state in seen] == ["first", "second"]

    story(body)


def test_a_prober_may_run_again() -> None:
    """What was under way when it ended is asked anew, in another loop, and so are timeouts."""
    changes: list[JobState] = []
    prober = Prober(changes.append)

    async def body() -> None:
        async with serving(silent) as hanging:
            prober.set([job(HTTPGet(), hanging, rhythm=QUICK)])
            probes = prober.states["job"].probes
            async with asyncio.TaskGroup() as group:
                task = group.create_task(prober.run())
                await until(lambda: prober._talking == 1, lambda: "nothing is asked")
                await until(
                    lambda: prober.states["job"].probes > probes + 2, lambda: "nothing is overdue"
                )
                await until(lambda: prober._talking == 1, lambda: "nothing is asked")
                task.cancel()

    story(body)
    story(body)
    assert [state.health for state in changes] == [Health.UNHEALTHY, Health.UNHEALTHY]


@settings(max_examples=12)
@given(data=st.data())
def test_jobs_that_come_and_go_at_any_moment(data: st.DataObject) -> None:
    """Whatever is set in whatever order, the books agree in the end and nothing is left over."""

    async def body() -> None:
        before = _descriptors()
        async with serving(healthy) as port, serving(silent) as hanging, serving(closing) as ends:
            ports = st.sampled_from([port, hanging, ends, 1])
            probes = st.sampled_from([HTTPGet(), TCPSocket(), TCPSocket(expect="x"), NTP()])
            rhythms = st.sampled_from([QUICK, replace(QUICK, period_milliseconds=50)])
            jobs = st.builds(job, probes, ports, key=st.integers(0, 9), rhythm=rhythms)
            async with asking(concurrency=4) as asked:
                for _ in range(data.draw(st.integers(1, 12))):
                    asked.prober.set(data.draw(st.lists(jobs, max_size=10)))
                    await asyncio.sleep(data.draw(st.sampled_from([0, 0.001, 0.02, 0.12])))
                talking = [run for run in asked.prober._runs.values() if run.conversation]
                assert asked.prober._talking == len(talking) <= 4
                asked.prober.set([])
                assert (asked.prober._talking, asked.prober._doubtful) == (0, 0)
                assert not asked.states
        await until(lambda: _descriptors() <= before, lambda: f"{_descriptors()} are open")

    story(body)


def test_a_prober_leaves_no_socket_behind() -> None:
    """After `run` the descriptors are those of before, with questions under way."""

    async def body() -> None:
        async with serving(silent) as hanging:
            before = _descriptors()
            jobs = [job(HTTPGet(), hanging, key=n) for n in range(20)]
            async with asking(*jobs) as asked:
                await asked.until(lambda: _descriptors() > before + 20)
            await until(lambda: _descriptors() <= before, lambda: f"{_descriptors()} are open")

    story(body)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
