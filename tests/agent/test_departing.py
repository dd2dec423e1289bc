"""An agent that is asked to leave withdraws everything, takes its own back, and says so."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bgpd.ipc.ask import ask
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Ask, Delta, Desired, Report
from bgpd.ipc.server import Server
from bgpd.kube.documents import read
from bgpd.kube.nodestatus import LEAVE_ANNOTATION
from bgpd.kube.resource import resources
from bgpd.model.status import RouteStatus
from tests.agent.test_kubernetes import Speaker, agent, fill, kubeconfig, until
from tests.agent.test_planner import endpoints, service
from tests.ctl.samples import SPEAKER
from tests.fakes.apiserver import FakeApiServer, served
from tests.kube.build import ours, text
from tests.kube.follow import NAMESPACE, PATHS

STATUSES = next(one.path for one in resources(NAMESPACE) if one.kind == "BGPNodeStatus")


class Reporting(Speaker):
    """A speaker that says which routes it has, whenever it hears of them."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Follow, and report."""
        super().received(connection, message)
        if isinstance(message, Desired | Delta):
            routes = tuple(
                RouteStatus(prefix=prefix, peers=(peer,), rank=0)
                for peer, prefix in sorted(self.routes)
            )
            connection.send(Report(status=replace(SPEAKER, routes=routes)))


def request(seconds: float) -> str:
    """Return a time that far from now, as a request has it."""
    moment = datetime.fromtimestamp(time.time() + seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def asked(until_: str | None) -> dict[str, Any]:
    """Return the agent's own BGPNodeStatus, with a request that holds so long."""
    annotations = {} if until_ is None else {LEAVE_ANNOTATION: until_}
    return ours("BGPNodeStatus", "n1", annotations=annotations)


async def cleaned(directory: Path) -> str:
    """Return what the agent says of how clean its host is; empty: nothing."""
    question = Ask(question="status")
    answer = await asyncio.to_thread(ask, directory / "agent.sock", question, timeout=30)
    assert isinstance(answer.content, dict)
    found = [one for one in answer.content["conditions"] if one["type"] == "Cleaned"]
    return f"{found[0]['status']} {found[0]['reason']}" if found else ""


Story = Callable[[FakeApiServer, Speaker], Coroutine[Any, Any, None]]


def tell(directory: Path, story: Story) -> None:
    """Run *story* beside an agent with one route, a fake API server and a fake speaker."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            path = kubeconfig(directory, api)
            speaker = Reporting()
            async with (
                Server(directory / "speaker.sock", speaker, program="fake"),
                agent(directory, path),
            ):
                await until(lambda: len(speaker.routes) == 1)
                await story(api, speaker)

    asyncio.run(main())


def test_who_is_asked_to_leave_has_no_route_and_nothing_on_its_host(tmp_path: Path) -> None:
    """It stays so, whatever else happens, also when the request is taken back."""

    async def story(api: FakeApiServer, speaker: Speaker) -> None:
        assert not await cleaned(tmp_path)
        api.apply(STATUSES, asked(request(60)))
        await until(lambda: not speaker.routes)
        async with asyncio.timeout(30):
            while await cleaned(tmp_path) != "True Done":  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.1)
        api.apply(STATUSES, asked(None))
        api.apply(PATHS["Service"], service("other", "203.0.113.9"))
        api.apply(PATHS["EndpointSlice"], endpoints("other", "n1"))
        await asyncio.sleep(2.0)
        assert not speaker.routes
        assert await cleaned(tmp_path) == "True Done"

    tell(tmp_path, story)


def test_who_starts_again_while_it_leaves_advertises_nothing(tmp_path: Path) -> None:
    """The request is read with everything else: not one route comes before it is heard."""

    async def main() -> None:
        async with served() as api:
            fill(api)
            api.apply(STATUSES, asked(request(60)))
            path, speaker = kubeconfig(tmp_path, api), Reporting()
            async with (
                Server(tmp_path / "speaker.sock", speaker, program="fake"),
                agent(tmp_path, path),
            ):
                await until(lambda: any(isinstance(one, Desired) for one in speaker.told))
                async with asyncio.timeout(30):
                    while await cleaned(tmp_path) != "True Done":  # noqa: ASYNC110 - it is asked
                        await asyncio.sleep(0.1)
            orders = [one for one in speaker.told if isinstance(one, Desired)]
            assert [one.advertisements for one in orders] == [()] * len(orders)
            assert not any(isinstance(one, Delta) for one in speaker.told)

    asyncio.run(main())


def test_a_request_that_is_over_is_none(tmp_path: Path) -> None:
    """One that nobody took back does not keep the next installation from working."""

    async def story(api: FakeApiServer, speaker: Speaker) -> None:
        api.apply(STATUSES, asked(request(-1)))
        await asyncio.sleep(2.0)
        api.apply(PATHS["Service"], service("other", "203.0.113.9"))
        api.apply(PATHS["EndpointSlice"], endpoints("other", "n1"))
        await until(lambda: len(speaker.routes) == 2)
        assert not await cleaned(tmp_path)

    tell(tmp_path, story)


def test_a_request_that_is_no_time_is_named() -> None:
    """A typo asks nobody to leave, and does not take the node out of the mesh."""
    from bgpd.kube.convert import node_report  # noqa: PLC0415
    from bgpd.kube.faults import Faults  # noqa: PLC0415
    from bgpd.kube.objects import AnnotatedMetadata, BGPNodeStatus  # noqa: PLC0415

    for wrong in ("now", "2026-01-31T12:00:00", ""):
        wire = BGPNodeStatus(
            metadata=AnnotatedMetadata(name="n1", annotations={LEAVE_ANNOTATION: wrong})
        )
        faults = Faults(source="API", kind="BGPNodeStatus", name="n1")
        assert node_report(wire, faults).leave == 0.0
        named = [one.message for one in faults.problems]
        assert len(named) == (1 if wrong else 0)
        assert all("must be a time such as 2026-01-31T12:00:00Z" in one for one in named)
    assert not read("x.yaml", text(asked("now"))).objects
