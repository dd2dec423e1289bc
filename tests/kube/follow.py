"""A running Kubernetes source for tests, and the fake server behind it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bgpd.kube.documents import Key
from bgpd.kube.resource import resources
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes, union
from bgpd.kube.transport import Endpoint
from tests.fakes.apiserver import FakeApiServer, served

PATIENCE = 40.0
"""Seconds until a change that must come is given up."""
NAMESPACE = "bgpd"
PATHS = {one.kind: one.path for one in resources(NAMESPACE)}
SERVICES = PATHS["Service"]


class Plain:
    """Access to the fake: no TLS, and a token that a test may replace."""

    namespace = NAMESPACE

    def __init__(self, port: int, *, person: str = "") -> None:
        self.port = port
        self.person = person
        self.token = ""
        self.renewed = 0

    @property
    def where(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        """Return the endpoint."""
        return Endpoint(host="127.0.0.1", port=self.port, tls=None)

    def authorization(self) -> str:
        """Return the token."""
        return f"Bearer {self.token}" if self.token else ""

    async def renew(self) -> None:
        """Count."""
        self.renewed += 1


class Following:
    """A source that runs, and what it told."""

    def __init__(self, source: KubernetesSource) -> None:
        self.source = source
        self.told: list[Changes] = []

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.005)

    async def synced(self) -> None:
        """Wait until everything is known; forget what was told until then."""
        await self.until(lambda: self.source.synced)
        self.told.clear()

    async def keys(self, *keys: Key) -> None:
        """Wait until exactly these are in force."""
        await self.until(lambda: set(self.source.objects) == set(keys))

    @property
    def changes(self) -> Changes:
        """Everything that was told, as one."""
        return union(self.told)

    @property
    def reasons(self) -> list[str]:
        """The reasons of the conditions."""
        return [one.reason for one in self.source.conditions]

    def resyncs(self, kind: str = "Service") -> int:
        """Return how often the state of *kind* was complete."""
        watched = self.source.watched(0.0)
        word = next(one.word for one in resources(NAMESPACE) if one.kind == kind)
        return next(one.resyncs for one in watched if one.resource == word)


Story = Callable[[Following, FakeApiServer], Coroutine[Any, Any, None]]


def follow(
    story: Story,
    *,
    prepare: Callable[[FakeApiServer], None] = lambda _: None,
    **options: Any,
) -> None:
    """Run *story* beside a source of a fake server, which *prepare* has filled."""

    async def main() -> None:
        async with served() as api:
            api.install(*PATHS.values())
            prepare(api)
            source = KubernetesSource(Plain(api.port), **options)
            following = Following(source)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(source.run(following.told.append))
                try:
                    await story(following, api)
                finally:
                    task.cancel()

    asyncio.run(main())
