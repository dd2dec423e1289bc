"""Thousands of questions begin turn by turn, and none is lost."""

import asyncio
from collections.abc import Iterable

from bgpd.agent.asking import AT_ONCE, Asking, Heard
from bgpd.health.prober import Prober
from bgpd.model.health import HTTPGet, Rhythm
from bgpd.model.prefix import Address
from bgpd.policy.probing import NODE_PORT, Question, QuestionKey, node_port_rhythm

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
