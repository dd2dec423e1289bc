"""Thousands of questions begin turn by turn, and none is lost."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from bgpd.agent.asking import AT_ONCE, Asking, Heard
from bgpd.health.prober import Prober
from bgpd.model.health import Health, HTTPGet, Rhythm
from bgpd.model.prefix import Address
from bgpd.policy.probing import NODE_PORT, Question, QuestionKey, node_port_rhythm
from tests.health.asking import ANSWER, free_port, serving, until

QUIET = Rhythm(period_milliseconds=600_000)
HERE = Address("127.0.0.1")


def question(number: int, check: str = "default/c") -> Question:
    """Return a question that nobody asks within this test."""
    key = QuestionKey(f"default/s{number}", check, HERE, number + 1)
    return Question(key=key, probe=HTTPGet(path="/healthz"), rhythm=QUIET)


def keyed(questions: Iterable[Question]) -> dict[QuestionKey, Question]:
    """Return *questions* by their keys."""
    return {one.key: one for one in questions}


def test_many_questions_begin_turn_by_turn() -> None:
    """After each turn some more are known, at the end all; what is taken back never begins."""
    heard: list[Heard] = []
    every = keyed(question(number) for number in range(3 * AT_ONCE))

    async def story() -> None:
        asking = Asking(heard.append)
        asking.ask(every)
        sizes = [len(asking.states)]
        while len(asking.states) < len(every):
            await asyncio.sleep(0)
            sizes.append(len(asking.states))
        assert sizes == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]

        first, *others = every
        asking.ask({}, every)
        asking.ask(every)
        asking.ask({}, others)
        for _ in range(5):
            await asyncio.sleep(0)
        assert list(asking.states) == [first]

    asyncio.run(story())
    assert heard == []


def rhythms(prober: Prober) -> dict[str, set[int]]:
    """Return the periods at which things are asked, by check."""
    found: dict[str, set[int]] = {}
    for run in prober._runs.values():
        assert isinstance(run.job.key, QuestionKey)
        period = run.job.rhythm.period_milliseconds
        found.setdefault(run.job.key.check, set()).add(period)
    return found


def test_only_ports_slow_down() -> None:
    """The more ports the slower each, in turns of the loop; a person's own period is kept."""
    few, many = 10, 2 * AT_ONCE

    async def story() -> None:
        asking = Asking(lambda _: None)
        asking.ask(keyed([question(0), *(question(one, NODE_PORT) for one in range(few))]))
        expected = node_port_rhythm(few).period_milliseconds
        assert rhythms(asking._prober) == {"default/c": {600_000}, NODE_PORT: {expected}}

        asking.ask(keyed(question(one, NODE_PORT) for one in range(few, many)))
        for _ in range(5):
            await asyncio.sleep(0)
        slower = node_port_rhythm(many).period_milliseconds
        assert slower > expected
        assert rhythms(asking._prober) == {"default/c": {600_000}, NODE_PORT: {slower}}

        asking.ask({}, [question(one, NODE_PORT).key for one in range(few, many)])
        for _ in range(5):
            await asyncio.sleep(0)
        assert rhythms(asking._prober) == {"default/c": {600_000}, NODE_PORT: {expected}}

    asyncio.run(story())


def test_a_port_that_comes_back_may_say_no_once() -> None:
    """kube-proxy listens again a moment before it knows its endpoints: nobody hears of that."""
    heard: list[Heard] = []
    asked: list[str] = []

    async def returning(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append("200" if asked else "503")
        writer.write(ANSWER.replace(b"200", asked[-1].encode()))

    async def story() -> None:
        asking, port = Asking(heard.append), free_port()
        key = QuestionKey("default/s", NODE_PORT, HERE, port)
        asking.ask({key: Question(key=key, probe=HTTPGet(), rhythm=node_port_rhythm(1))})
        async with asyncio.TaskGroup() as group:
            task = group.create_task(asking.run())
            await until(
                lambda: key in asking.states and asking.states[key].failures > 2,
                lambda: "it was not refused",
            )
            async with serving(returning, HERE, port):
                await until(lambda: bool(heard), lambda: f"it said {asked}, and nobody heard")
            task.cancel()

    asyncio.run(story())
    assert asked[:2] == ["503", "200"]
    assert heard[0].health is Health.HEALTHY


def test_answers_that_go_to_and_fro_are_no_answer_that_anybody_waits_for() -> None:
    """Two good ones in a row it takes, or two bad ones: every other one is bad."""
    heard: list[Heard] = []
    often = Rhythm(period_milliseconds=50, timeout_milliseconds=60_000)
    twice = replace(often, failure_threshold=2, success_threshold=2)
    asked: list[str] = []

    async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append("503" if len(asked) % 2 else "200")
        writer.write(ANSWER.replace(b"200", asked[-1].encode()))

    async def story() -> None:
        asking = Asking(heard.append)
        async with serving(moody, HERE) as port, asyncio.TaskGroup() as group:
            key = QuestionKey("default/s", "default/c", HERE, port)
            asking.ask({key: Question(key=key, probe=HTTPGet(), rhythm=twice)})
            task = group.create_task(asking.run())
            assert not asking.undecided(key)
            await until(lambda: len(asked) > 6, lambda: f"it was asked {asked}")
            assert asking.undecided(key)
            task.cancel()

    asyncio.run(story())
    assert not heard
