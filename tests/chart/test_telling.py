"""What an agent tells a real API server about its node, with the rights that the chart ships."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.kube.documents import Key
from bgpd.kube.nodestatus import MESH_ANNOTATION
from bgpd.kube.problem import Problem
from bgpd.kube.resource import resources
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes
from bgpd.kube.telling import Look, Telling
from bgpd.model.cluster import NodeReport
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import NodeStatus, RouteStatus, SessionStatus
from tests.chart.installed import ACCOUNT, EVENTS, NAMESPACE, STATUSES, node
from tests.chart.mounted import mounted
from tests.cluster.cluster import Cluster
from tests.ctl.samples import MESH, NODE, SPEAKER

PATIENCE = 40.0


class Agent:
    """Everything of an agent that tells, and a node that a test changes under it."""

    def __init__(self, cluster: Cluster, directory: Path, name: str, **of: str) -> None:
        self.cluster = cluster
        self.name = name
        self.status: NodeStatus = replace(NODE, node=name, speaker=replace(SPEAKER, node=name))
        self.problems: tuple[Problem, ...] = ()
        token = of.get("token", name)
        access = mounted(cluster, directory, token, of.get("account", ACCOUNT))
        self.telling = Telling(access, node=name, agent="bgpd-agent/test", look=self.look)

    def look(self) -> Look:
        """Return the node as it is."""
        member = Member(name=NodeName(self.name), address=Address("10.0.0.1"))
        return Look(status=self.status, member=member, problems=self.problems)

    def now(self, **changes: Any) -> None:
        """Change what the speaker says, and say that something changed."""
        speaker = self.status.speaker
        assert speaker is not None
        self.status = replace(self.status, speaker=replace(speaker, **changes))
        self.telling.changed()

    async def kept(self) -> dict[str, Any]:
        """Return the object as the server has it; empty where there is none."""
        return await asyncio.to_thread(self._kept)

    def _kept(self) -> dict[str, Any]:
        listed = self.cluster.api.request("GET", STATUSES)["items"]
        return next((one for one in listed if one["metadata"]["name"] == self.name), {})

    async def events(self, reason: str) -> list[dict[str, Any]]:
        """Return the Events of one reason that this node told."""
        listed = await asyncio.to_thread(self.cluster.api.request, "GET", EVENTS)
        found = [one for one in listed["items"] if one["reason"] == reason]
        return [one for one in found if one["reportingInstance"] == self.name]

    async def written(self, count: int = 1) -> dict[str, Any]:
        """Return the object once so many statuses were written."""
        await until(lambda: self.telling.counters["status_writes"] >= count)
        return await self.kept()


async def until(fact: Callable[[], bool]) -> None:
    """Return when *fact* holds."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
            await asyncio.sleep(0.01)


def run(agent: Agent, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *story* beside the agent, which has just started."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(agent.telling.run())
            agent.telling.changed()
            try:
                await story()
            finally:
                task.cancel()

    asyncio.run(main())


def test_an_agent_writes_the_status_of_its_node(prepared: Cluster, tmp_path: Path) -> None:
    """Owned by the Node, found by the others, and with all that bgpctl would show."""
    uid = node(prepared, "told-1")
    agent = Agent(prepared, tmp_path, "told-1")

    async def story() -> None:
        found = await agent.written()
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("Node", "told-1", uid)
        assert found["metadata"]["annotations"] == {MESH_ANNOTATION: "10.0.0.1:7179"}
        assert found["status"]["takeoverGeneration"] == 7
        assert [one["peer"] for one in found["status"]["sessions"]] == ["tor-a", "tor-b"]
        managers = {one["manager"] for one in found["metadata"]["managedFields"]}
        assert managers == {"bgpd-agent"}
        assert not agent.telling.conditions

    run(agent, story)


def test_nothing_is_written_while_nothing_changes(prepared: Cluster, tmp_path: Path) -> None:
    """Neither by looking again, nor by what moves all the time, nor by a new process."""
    node(prepared, "told-2")
    agent = Agent(prepared, tmp_path, "told-2")
    version = ""

    async def story() -> None:
        nonlocal version
        version = (await agent.written())["metadata"]["resourceVersion"]
        calls = agent.telling.counters["calls"]
        for count in range(3):
            members = tuple(
                replace(one, last_heard_milliseconds=float(count)) for one in MESH.members
            )
            agent.now(mesh=replace(MESH, members=members), counters={"x": count})
            await asyncio.sleep(1.1)
        assert agent.telling.counters["calls"] == calls
        assert (await agent.kept())["metadata"]["resourceVersion"] == version

    run(agent, story)
    again = Agent(prepared, tmp_path, "told-2")

    async def later() -> None:
        kept = await again.written()
        assert kept["metadata"]["resourceVersion"] == version

    run(again, later)


def test_thirty_changes_in_a_second_are_at_most_two_writes(
    prepared: Cluster, tmp_path: Path
) -> None:
    """And the last of them is what stands there in the end."""
    node(prepared, "told-3")
    agent = Agent(prepared, tmp_path, "told-3")

    async def story() -> None:
        await agent.written()
        await asyncio.sleep(1.5)
        began = asyncio.get_running_loop().time()
        before = agent.telling.counters["status_writes"]
        for generation in range(100, 130):
            agent.now(mesh=replace(MESH, generation=generation))
            await asyncio.sleep(1 / 30)
        took = asyncio.get_running_loop().time() - began
        most = before + 1 + int(took)  # a second apart; a busy machine takes longer than one
        assert agent.telling.counters["status_writes"] <= most
        async with asyncio.timeout(PATIENCE):
            while (  # noqa: ASYNC110 - the server is asked
                await agent.kept()
            )["status"]["takeoverGeneration"] != 129:
                await asyncio.sleep(0.1)
        assert agent.telling.counters["status_writes"] <= most + 2

    run(agent, story)


@pytest.mark.parametrize("what", ["deleted", "edited"])
def test_what_somebody_takes_away_is_written_again(
    prepared: Cluster, tmp_path: Path, what: str
) -> None:
    """As soon as the source says that it went; and for others it never ceases to be a member."""
    name = f"told-{what}"
    node(prepared, name)
    agent = Agent(prepared, tmp_path, name)
    source = KubernetesSource(
        mounted(prepared, tmp_path / "source", name),
        watched=[one for one in resources(NAMESPACE) if one.kind == "BGPNodeStatus"],
    )
    key = Key("BGPNodeStatus", "", name)

    def disturb() -> None:
        path = f"{STATUSES}/{name}"
        if what == "deleted":
            prepared.api.request("DELETE", path)
        else:
            body = {"metadata": {"annotations": {MESH_ANNOTATION: "10.6.6.6:7179"}}}
            prepared.api.request("PATCH", path, body, content_type="application/merge-patch+json")

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(source.run(agent.telling.heard))
            await agent.written()
            await until(lambda: source.objects.get(key) is not None)
            member = agent.look().member
            assert source.objects.get(key) == NodeReport(name=NodeName(name), member=member)
            await asyncio.to_thread(disturb)
            await agent.written(2)
            await until(
                lambda: source.objects.get(key) == NodeReport(name=NodeName(name), member=member)
            )
            kept = await agent.kept()
            assert kept["status"]["node"] == name
            assert kept["metadata"]["annotations"] == {MESH_ANNOTATION: "10.0.0.1:7179"}
            task.cancel()

    run(agent, story)


def test_a_token_of_another_node_writes_nothing(prepared: Cluster, tmp_path: Path) -> None:
    """The refusal is a condition, and is not asked for again at once."""
    node(prepared, "told-victim")
    node(prepared, "told-thief")
    agent = Agent(prepared, tmp_path, "told-victim", token="told-thief")  # noqa: S106 - a node

    async def story() -> None:
        await until(lambda: bool(agent.telling.conditions))
        (condition,) = agent.telling.conditions
        assert (condition.type, condition.reason) == ("StatusNotWritten", "ApiForbidden")
        assert "the agent of node told-thief may not write" in condition.message
        calls = agent.telling.counters["calls"]
        agent.now(draining=True)
        await asyncio.sleep(2.0)
        assert agent.telling.counters["calls"] == calls
        assert await agent.kept() == {}

    run(agent, story)


def test_an_agent_without_rights_says_so(prepared: Cluster, tmp_path: Path) -> None:
    """Of the status and of Events; nothing else depends on either."""
    node(prepared, "told-poor")
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "poor", "namespace": NAMESPACE},
    }
    prepared.apply([account], NAMESPACE)
    agent = Agent(prepared, tmp_path, "told-poor", account="poor")
    agent.problems = (Problem(source="API", kind="BGPPeer", name="tor", message="tor is wrong"),)

    async def story() -> None:
        await until(lambda: len(agent.telling.conditions) == 2)
        found = {(one.type, one.reason) for one in agent.telling.conditions}
        assert found == {
            ("StatusNotWritten", "ApiForbidden"),
            ("EventsNotWritten", "ApiForbidden"),
        }

    run(agent, story)


def test_a_node_that_is_not_there_has_no_status(prepared: Cluster, tmp_path: Path) -> None:
    """It would belong to nobody, and nobody would ever remove it."""
    node(prepared, "told-gone")
    agent = Agent(prepared, tmp_path, "told-gone")
    prepared.api.request("DELETE", "/api/v1/nodes/told-gone")
    node(prepared, "told-host")
    agent.telling._caller._access = mounted(prepared, tmp_path, "told-host")

    async def story() -> None:
        await until(lambda: bool(agent.telling.conditions))
        assert [one.reason for one in agent.telling.conditions] == ["NoNode"]
        assert await agent.kept() == {}

    run(agent, story)


def flapped(one: SessionStatus, times: int) -> SessionStatus:
    """Return the session after it went down and came back so many times."""
    return replace(one, transitions=one.transitions + 2 * times)


def test_events_are_told_once_and_counted(prepared: Cluster, tmp_path: Path) -> None:
    """A session that flaps is two Events that count, and a takeover is one about each dead node."""
    node(prepared, "told-4")
    agent = Agent(prepared, tmp_path, "told-4")

    async def story() -> None:
        await agent.written()
        first, *others = SPEAKER.sessions
        down = replace(
            first, state=PeerState.ACTIVE, transitions=1, last_error="Hold Timer Expired"
        )
        agent.now(sessions=(down, *others), mesh=replace(MESH, generation=8, raises=1))
        await until(lambda: agent.telling.counters["event_writes"] >= 2)
        await asyncio.sleep(1.1)
        agent.now(sessions=(flapped(down, 20), *others))
        await until(lambda: agent.telling.counters["event_writes"] >= 4)
        (told,) = await agent.events("SessionDown")
        assert told["regarding"]["name"] == "told-4"
        assert told["type"] == "Warning"
        assert told["note"].endswith("went down: Hold Timer Expired")
        assert told["series"]["count"] == 21
        (up,) = await agent.events("SessionUp")
        assert (up["type"], up["series"]["count"]) == ("Normal", 20)
        (taken,) = await agent.events("TakenOver")
        assert "raised the generation to 8" in taken["note"]
        assert "series" not in taken

    run(agent, story)


def test_what_every_node_sees_is_told_by_one(prepared: Cluster, tmp_path: Path) -> None:
    """A document that is refused is one Event about it, however many agents refuse it."""
    wrong = Problem(source="API", kind="BGPPeer", name="tor", message="API (BGPPeer tor): no")
    for name in ("told-5", "told-6"):
        node(prepared, name)
        agent = Agent(prepared, tmp_path / name, name)
        agent.problems = (wrong,)

        async def story(agent: Agent = agent) -> None:
            await until(lambda: agent.telling.counters["event_writes"] >= 1)

        run(agent, story)
    path = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
    listed = prepared.api.request("GET", path)["items"]
    (found,) = (one for one in listed if one["reason"] == "ConfigurationRefused")
    assert (found["regarding"]["kind"], found["regarding"]["name"]) == ("BGPPeer", "tor")
    assert found["note"] == wrong.message


def test_a_route_that_ends_is_an_event_with_its_reason(prepared: Cluster, tmp_path: Path) -> None:
    """On the Service, in its namespace: the server takes every word that a Reason is."""
    node(prepared, "told-8")
    agent = Agent(prepared, tmp_path, "told-8")
    reasons = [one for one in Reason if one is not Reason.DRAINED]
    # At most a burst of five, then one a second: a moment for each is not needed here.
    agent.telling._series.burst = agent.telling._series._tokens = float(len(reasons))

    async def story() -> None:
        await agent.written()
        numbers = range(1, len(reasons) + 1)
        agent.now(routes=tuple(_carried(number) for number in numbers))
        await until(lambda: agent.telling.counters["event_writes"] >= 1)
        kept = tuple(_kept(*pair) for pair in zip(numbers, reasons, strict=True))
        agent.status = replace(agent.status, withheld=kept)
        agent.now(routes=())
        await until(lambda: agent.telling.counters["event_writes"] >= 1 + len(reasons))
        for number, reason in zip(numbers, reasons, strict=True):
            (told,) = await agent.events(reason.value)
            assert told["regarding"]["kind"] == "Service"
            assert told["regarding"]["name"] == f"web-{number}"
            assert told["note"].endswith(f"because of {number}")

    run(agent, story)


def _carried(number: int) -> RouteStatus:
    prefix = Prefix(f"203.0.113.{number}/32")
    peers = (PeerName("tor-a"),)
    return RouteStatus(prefix=prefix, peers=peers, rank=0, services=(f"default/web-{number}",))


def _kept(number: int, reason: Reason) -> Withheld:
    prefix, service = Prefix(f"203.0.113.{number}/32"), f"default/web-{number}"
    return Withheld(service=service, prefix=prefix, reason=reason, message=f"because of {number}")


def test_reports_are_read_without_their_status(prepared: Cluster, tmp_path: Path) -> None:
    """The real server gives the metadata alone, in lists as in watches."""
    node(prepared, "told-7")
    agent = Agent(prepared, tmp_path, "told-7")
    key = Key("BGPNodeStatus", "", "told-7")
    told: list[Changes] = []

    async def story() -> None:
        await agent.written()
        source = KubernetesSource(
            mounted(prepared, tmp_path / "source", "told-7"),
            watched=[one for one in resources(NAMESPACE) if one.kind == "BGPNodeStatus"],
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(source.run(told.append))
            await until(lambda: source.synced)
            assert source.objects.get(key) is not None
            assert not source.conditions
            told.clear()
            agent.now(draining=True)
            await agent.written(2)
            await until(lambda: source.watched(0.0)[0].events > len(source.objects))
            assert not [one for one in told if one.keys], "a status is no news for others"
            task.cancel()

    run(agent, story)
