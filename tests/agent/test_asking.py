"""Thousands of questions begin turn by turn, and none is lost."""

import asyncio

from bgpd.agent.asking import AT_ONCE, Asking, Heard
from bgpd.model.health import HTTPGet, Rhythm
from bgpd.model.prefix import Address
from bgpd.policy.hearing import Hearing
from bgpd.policy.probing import NODE_PORT, Question, QuestionKey

QUIET = Rhythm(period_milliseconds=600_000)


def question(number: int) -> Question:
    """Return a question about a Service's port that nobody asks within this test."""
    key = QuestionKey(f"default/s{number}", NODE_PORT, Address("127.0.0.1"), number + 1)
    return Question(key=key, probe=HTTPGet(path="/healthz"), rhythm=QUIET)


def test_many_questions_begin_turn_by_turn() -> None:
    """After each turn some more are known, at the end all; what is taken back never begins."""
    heard: list[Heard] = []
    every = [question(number) for number in range(3 * AT_ONCE)]

    async def story() -> None:
        asking = Asking(heard.append)
        asking.ask(every)
        sizes = [len(asking)]
        while len(asking) < len(every):
            await asyncio.sleep(0)
            sizes.append(len(asking))
        assert sizes == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]
        assert not list(asking.refusals())
        assert asking.results(Hearing("n1")) == []

        asking.ask(())
        asking.ask(every)
        asking.ask(every[:1])
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(asking) == 1

    asyncio.run(story())
    assert heard == []
