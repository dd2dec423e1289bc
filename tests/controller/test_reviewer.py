"""Which objects are told what became of them, over time."""

import asyncio
from collections.abc import Callable

from bgpd.controller.reviewer import Reviewer
from bgpd.kube.kept import KeptSource
from bgpd.kube.source import KubernetesSource
from bgpd.kube.vocabulary import CONTROLLER
from tests.fakes.apiserver import FakeApiServer, served
from tests.kube.build import pool
from tests.kube.follow import NAMESPACE, PATHS, PATIENCE, Plain
from tests.kube.test_layers import OURS, THEIRS, theirs

OFTEN = ((0.2, 0.3), (0.2, 0.3))
"""Seconds between two looks, for a test."""


async def _until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
            await asyncio.sleep(0.01)


def _ready(api: FakeApiServer) -> bool:
    """Return whether the server was told that the pool is ready since that was forgotten."""
    return any(one.method == "PATCH" and one.path == f"{OURS}/p/status" for one in api.asked)


def test_a_pool_that_is_copied_from_metallbs_says_what_became_of_it() -> None:
    """The server had none of that name in our group when it was first asked."""

    async def main() -> None:
        async with served() as api:
            paths = (one.path for one in CONTROLLER.resources(NAMESPACE))
            api.install(*PATHS.values(), *(one for one in paths if "metallb" not in one), THEIRS)
            api.apply(THEIRS, theirs(pool("p")))
            access = Plain(api.port)
            source = KeptSource(KubernetesSource(access, vocabulary=CONTROLLER))
            one = Reviewer(access, source, agent="test", may_begin=lambda: True, again=OFTEN)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(source.run(lambda _: one.wake())),
                    group.create_task(one.run()),
                ]
                await _until(lambda: any(asked.path == f"{OURS}/p" for asked in api.asked))
                assert not _ready(api)
                api.apply(OURS, pool("p"))
                await _until(lambda: _ready(api))
                api.asked.clear()
                api.delete(OURS, "p")
                api.apply(OURS, pool("p"))
                await _until(lambda: _ready(api))
                for task in tasks:
                    task.cancel()

    asyncio.run(main())
