"""The prober on real sockets: what is asked when, what is said at once, what is kept."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from bgpd.health.job import JobState
from bgpd.health.outcome import Fault
from bgpd.health.prober import Prober
from bgpd.model.health import DNS, NTP, Health, HTTPGet, Rhythm, TCPSocket
from tests.health.asking import (
    ANSWER,
    LOCALHOST,
    QUICK,
    asking,
    closing,
    free_port,
    healthy,
    job,
    serving,
    silent,
    until,
)


def story(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *body* in a loop of its own."""
    asyncio.run(body())


def test_answers_stay_counted_when_nobody_asks_any_more() -> None:
    """Those that were right, and the others by what was wrong."""

    async def body() -> None:
        async with (
            serving(healthy) as port,
            serving(closing) as shut,
            asking(job(HTTPGet(), port), job(HTTPGet(), shut, key="shut")) as asked,
        ):
            await asked.until_asked(2)
            await asked.until_asked(2, "shut")
            passed, failed = asked.prober.passed, asked.prober.faults.total()
            assert passed >= 2
            assert failed >= 2
            asked.prober.set([])
            assert (asked.prober.passed, asked.prober.faults.total()) == (passed, failed)

    story(body)


def test_what_works_is_healthy_with_a_sentence() -> None:
    """HTTP and TCP, on one server, are told once, at the first answer."""

    async def body() -> None:
        async with (
            serving(healthy) as port,
            asking(job(HTTPGet(), port), job(TCPSocket(), port, key="tcp")) as asked,
        ):
            http = await asked.until_health(Health.HEALTHY)
            tcp = await asked.until_health(Health.HEALTHY, "tcp")
            await asked.until_asked(4)
            assert http.message == f"127.0.0.1:{port} answered 200"
            assert tcp.message == f"127.0.0.1:{port} accepted the connection"
            assert [state.key for state in asked.changes if state.key == "job"] == ["job"]
            assert abs(http.since - time.time()) < 60

    story(body)


def test_what_fails_is_unhealthy_after_its_threshold_and_comes_back() -> None:
    """A server that stops answering, and answers again: Healthy, Unhealthy, Healthy."""

    async def body() -> None:
        status = b"200"

        async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER.replace(b"200", status))

        async with serving(moody) as port, asking(job(HTTPGet(), port)) as asked:
            await asked.until_health(Health.HEALTHY)
            status = b"503"
            state = await asked.until_health(Health.UNHEALTHY)
            assert state.failures == 2
            assert state.fault is Fault.UNEXPECTED
            assert state.message == f"127.0.0.1:{port} answered 503, expected 200-399"
            status = b"200"
            await asked.until_health(Health.HEALTHY)
        healths = [state.health for state in asked.changes]
        assert healths == [Health.HEALTHY, Health.UNHEALTHY, Health.HEALTHY]
        assert asked.prober.faults[Fault.UNEXPECTED] >= 2

    story(body)


def test_nothing_listens() -> None:
    """A refusal is a failure at once, for TCP and for both kinds of datagrams."""

    async def body() -> None:
        udp = free_port(socket.SOCK_DGRAM)
        async with asking(
            job(HTTPGet(), free_port()),
            job(DNS(name="example"), udp, key="dns"),
            job(NTP(), udp, key="ntp"),
        ) as asked:
            for key in ("job", "dns", "ntp"):
                state = await asked.until_health(Health.UNHEALTHY, key)
                assert state.fault is Fault.REFUSED

    story(body)


def test_a_thing_that_is_still_being_asked_is_not_asked_again() -> None:
    """Due every 50 ms and silent for 400: one connection at a time."""

    async def body() -> None:
        together: list[int] = []
        now = 0

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal now
            now += 1
            together.append(now)
            await silent(reader, writer)
            now -= 1

        rhythm = Rhythm(period_milliseconds=50, timeout_milliseconds=400)
        async with serving(counting) as port, asking(job(HTTPGet(), port, rhythm=rhythm)) as asked:
            await asked.until_asked(3)
        # The next one begins as soon as the last one is given up: its end is read a little later.
        assert max(together) <= 2
        assert len(together) <= 5

    story(body)


def test_who_was_due_meanwhile_is_asked_at_the_end_of_the_answer() -> None:
    """A thing whose turn came while it was asked is asked again at once, an hour early."""

    async def body() -> None:
        answered = asyncio.Event()
        questions = 0

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal questions
            questions += 1
            await answered.wait()
            await healthy(reader, writer)

        rhythm = Rhythm(period_milliseconds=3_600_000, timeout_milliseconds=60_000)
        async with serving(slow) as port, asking(job(HTTPGet(), port, rhythm=rhythm)) as asked:
            await asked.until(lambda: questions == 1)
            asked.prober._due(asked.prober._runs["job"], asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)
            assert questions == 1
            answered.set()
            await asked.until_asked(2)
            await asyncio.sleep(0.1)
            assert questions == 2

    story(body)


def test_a_timeout_is_that_of_the_question_and_not_of_an_earlier_one() -> None:
    """Answers that take a while, but far less than the timeout, are never overdue."""

    async def body() -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.04)
            await healthy(reader, writer)

        # The machine may stand still for some of it, and all in all it is longer than the timeout.
        rhythm = Rhythm(period_milliseconds=50, timeout_milliseconds=4000)
        async with serving(slow) as port:
            jobs = [job(HTTPGet(), port, key=key, rhythm=rhythm) for key in range(5)]
            async with asking(*jobs) as asked:
                for key in range(5):
                    assert (await asked.until_asked(100, key)).failures == 0

    story(body)


def test_thousands_that_hang_delay_none_that_works() -> None:
    """With places for 8, 24 targets that say nothing for long leave the one that works alone."""

    async def body() -> None:
        async with serving(silent) as hanging, serving(healthy) as port:
            rhythm = replace(QUICK, timeout_milliseconds=1000)
            hung = [job(HTTPGet(), hanging, key=n, rhythm=rhythm) for n in range(24)]
            good = job(HTTPGet(), port, key="good")
            async with asking(*hung, good, concurrency=8) as asked:
                await asked.until(lambda: all(asked.states[n].probes for n in range(24)))
                before = asked.states["good"]
                after = await asked.until_asked(before.probes + before.unasked + 10, "good")
                assert after.health is Health.HEALTHY
                assert (after.failures, after.unasked) == (0, before.unasked)

    story(body)


def test_who_finds_no_place_is_not_called_unhealthy() -> None:
    """What we could not ask becomes Unknown, with a sentence, and never Unhealthy."""

    async def body() -> None:
        slow = Rhythm(period_milliseconds=100, timeout_milliseconds=60_000, failure_threshold=2)
        async with serving(silent) as hanging, serving(healthy) as port:
            good = job(HTTPGet(), port, key="good")
            async with asking(good, concurrency=1) as asked:
                await asked.until_health(Health.HEALTHY, "good")
                asked.prober.set([good, job(HTTPGet(), hanging, key="hung", rhythm=slow)])
                state = await asked.until_health(Health.UNKNOWN, "good")
        assert state.message.endswith("was not asked: 1 others are being asked")
        assert state.fault is Fault.NOT_ASKED
        assert state.failures == 0

    story(body)


async def unwell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer that it does not work."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER.replace(b"200 OK", b"503 Service Unavailable"))


def test_only_answers_are_held_against_whom_silence_is_forgiven() -> None:
    """Who refused says no once as it comes back, which is forgiven, too; twice in a row is not."""

    async def body() -> None:
        rhythm = Rhythm(period_milliseconds=50, timeout_milliseconds=60_000, failure_threshold=2)
        port, said = free_port(), ["503", "200", "503"]

        async def returns(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            status = said.pop(0) if len(said) > 1 else said[0]
            writer.write(ANSWER.replace(b"200", status.encode()))

        forgiven = replace(job(HTTPGet(), port, rhythm=rhythm), only_answers=True)
        async with asking(forgiven) as asked:
            await asked.until(lambda: asked.states["job"].failures > 2)
            assert asked.states["job"].fault is Fault.REFUSED
            async with serving(returns, LOCALHOST, port):
                state = await asked.until_health(Health.UNHEALTHY)
                assert state.message.endswith("answered 503, expected 200-399")
            await asked.until_health(Health.UNKNOWN)
        healths = [state.health for state in asked.changes]
        assert healths == [Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN]

    story(body)


def test_who_waits_gets_the_place_of_who_is_asked_no_more() -> None:
    """The one that hangs is taken out of the list: whoever waited for its place is asked."""

    async def body() -> None:
        slow = Rhythm(period_milliseconds=100, timeout_milliseconds=60_000, failure_threshold=2)
        async with serving(silent) as hanging, serving(healthy) as port:
            hung = job(HTTPGet(), hanging, key="hung", rhythm=slow)
            async with asking(hung, concurrency=1) as asked:
                await asked.until(lambda: asked.prober._talking == 1)
                asked.prober.put(job(HTTPGet(), port, key="good"))
                await asked.until(lambda: asked.states["good"].unasked > 0)
                asked.prober.drop("hung")
                await asked.until_health(Health.HEALTHY, "good")

    story(body)


def test_something_new_is_asked_soon_although_its_period_is_long() -> None:
    """An hour's period does not delay the first answer."""

    async def body() -> None:
        rhythm = Rhythm(period_milliseconds=3_600_000, timeout_milliseconds=5000)
        async with serving(healthy) as port, asking(job(HTTPGet(), port, rhythm=rhythm)) as asked:
            await asked.until_health(Health.HEALTHY)

    story(body)


def test_a_loop_that_was_late_reads_answers_before_it_calls_them_overdue() -> None:
    """The loop sleeps past the timeout while 150 answers arrive: that is our fault alone."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        rhythm = Rhythm(period_milliseconds=60_000, timeout_milliseconds=2000)
        with socket.create_server((LOCALHOST, 0), backlog=1024) as listener:

            def answer() -> None:
                with suppress(OSError), ExitStack() as stack:
                    accepted = [stack.enter_context(listener.accept()[0]) for _ in range(150)]
                    loop.call_soon_threadsafe(time.sleep, 3.0)
                    time.sleep(0.3)
                    for one in accepted:
                        one.recv(4096)
                        one.sendall(ANSWER)

            thread = threading.Thread(target=answer)
            thread.start()
            port = listener.getsockname()[1]
            jobs = [job(HTTPGet(), port, key=key, rhythm=rhythm) for key in range(150)]
            try:
                async with asking(*jobs, chance=_AtOnce()) as asked:
                    states = [await asked.until_asked(1, key) for key in range(150)]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
        assert {state.message for state in states} == {f"127.0.0.1:{port} answered 200"}

    story(body)


class _AtOnce(random.Random):
    """A chance by which all first questions are asked at once."""

    def random(self) -> float:
        """Return 0."""
        return 0.0


def test_patience_begins_with_the_question_and_not_when_it_was_due() -> None:
    """Two are due at once, and what the first one leads to takes long: the second has its time."""

    class Rising(random.Random):
        def random(self) -> float:
            return next(moments)

    moments = iter(number / 100 for number in range(100))

    async def body() -> None:
        rhythm = Rhythm(period_milliseconds=1000, timeout_milliseconds=1000, failure_threshold=1)

        async def soon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.1)
            writer.write(ANSWER)

        def changed(state: JobState) -> None:
            healths.append((state.key, state.health))
            if state.key == "first":
                time.sleep(1.5)

        healths: list[tuple[object, Health]] = []
        prober = Prober(changed, chance=Rising())
        async with serving(soon) as port, asyncio.TaskGroup() as group:
            task = group.create_task(prober.run())
            await asyncio.sleep(0)
            prober.put(job(HTTPGet(), free_port(), key="first", rhythm=rhythm))
            prober.put(job(HTTPGet(), port, key="second", rhythm=rhythm))
            asyncio.get_running_loop().call_soon(time.sleep, 0.2)
            await until(lambda: len(healths) >= 2, lambda: f"only {healths}")
            task.cancel()
        assert healths[:2] == [("first", Health.UNHEALTHY), ("second", Health.HEALTHY)]

    story(body)


def test_a_caller_that_fails_is_not_silenced() -> None:
    """An exception of `changed` ends `run` with it: the agent is supervised, a probe is not."""

    async def body() -> None:
        def changed(state: JobState) -> None:
            raise LookupError(f"nobody knows {state.key}")

        prober = Prober(changed)
        async with serving(healthy) as port:
            prober.set([job(HTTPGet(), port)])
            with pytest.raises(LookupError, match="nobody knows job"):
                await asyncio.wait_for(prober.run(), 10)

    story(body)
