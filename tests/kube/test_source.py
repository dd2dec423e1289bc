"""Nothing that an API server does or fails to do takes away what is in force."""

import asyncio
import gc
import json
from typing import Any

import pytest

from bgpd.kube.documents import Key
from bgpd.kube.resource import resources
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes
from bgpd.model.errors import ConfigError
from tests.fakes.apiserver import Asked, FakeApiServer, error, refusal, served
from tests.kube import build
from tests.kube.follow import NAMESPACE, PATHS, SERVICES, Following, Plain, follow

A, B, C = (Key("Service", "default", name) for name in "abc")
POOL = Key("IPAddressPool", "", "p")
SLICES = PATHS["EndpointSlice"]
POOLS = PATHS["IPAddressPool"]


def two(api: FakeApiServer) -> None:
    """Fill *api* with two Services, and one that is none of ours."""
    api.apply(SERVICES, build.service("a"))
    api.apply(SERVICES, build.service("b"))
    api.apply(SERVICES, build.service("inside", type="ClusterIP"))


def test_the_first_look_is_one_change_with_everything() -> None:
    """The server leaves out Services of other types, and none of it is told before all is known."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.until(lambda: one.source.synced)
        (first,) = one.told
        assert first.added == {A, B}
        assert one.resyncs() == 1
        assert all(asked.stream for asked in api.asked)

    follow(story, prepare=two)


def test_each_event_is_told_with_the_services_to_decide_again() -> None:
    """A slice changes its Service; a write that changes no fact is told to nobody."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        endpoint = {"addresses": ["10.0.0.1"], "nodeName": "n1"}
        api.apply(SLICES, build.endpoint_slice("a-1", "a", endpoint))
        await one.until(lambda: bool(one.told))
        assert one.told == [
            Changes(
                added=frozenset({Key("EndpointSlice", "default", "a-1")}),
                services=frozenset({"default/a"}),
            )
        ]
        api.apply(SERVICES, {**build.service("a"), "extra": 1})
        api.delete(SERVICES, "default/b")
        await one.keys(A, Key("EndpointSlice", "default", "a-1"))
        assert one.told[1:] == [Changes(removed=frozenset({B}), services=frozenset({"default/b"}))]

    follow(story, prepare=two)


def test_a_service_that_stops_to_be_a_load_balancer_is_gone() -> None:
    """The server's field selector makes a deletion of it."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(SERVICES, build.service("a", type="ClusterIP"))
        await one.keys(B)

    follow(story, prepare=two)


def outage(api: FakeApiServer) -> None:
    """Change two things while nobody can hear it."""
    api.delete(SERVICES, "default/a")
    api.apply(SERVICES, build.service("c"))


@pytest.mark.parametrize("compacted", [False, True])
def test_an_outage_changes_nothing_and_its_end_tells_the_difference(compacted: bool) -> None:
    """Also when the server forgot history in the meantime: then the whole state is compared."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        await api.stop()
        outage(api)
        if compacted:
            api.compact()
        await one.until(lambda: one.reasons == ["ApiUnreachable"])
        assert set(one.source.objects) == {A, B}
        assert not one.changes.keys
        await api.start()
        await one.keys(B, C)
        assert one.changes.added == {C}
        assert one.changes.removed == {A}
        await one.until(lambda: one.reasons == [])
        assert one.resyncs() == 1 + compacted

    follow(story, prepare=two)


def test_every_watch_goes_on_when_the_first_gets_an_answer() -> None:
    """After a long outage nobody waits for a pause of its own."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        await api.stop()
        await one.until(lambda: "ApiUnreachable" in one.reasons)
        await asyncio.sleep(1.0)
        before = len(api.asked)
        await api.start()
        await one.until(lambda: len(api.asked) >= before + len(PATHS))

    follow(story)


def test_an_answer_from_the_past_takes_nothing_away() -> None:
    """Not even an empty one; the next good answer ends the doubt."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.lie = (17, [])
        api.say(SERVICES, error(410, "Expired"))
        await one.until(lambda: one.resyncs() == 2)
        assert set(one.source.objects) == {A, B}
        assert not one.changes.keys
        assert [one.conditions for one in one.told].count(True) == 2, "it came, and it went"

    follow(story, prepare=two)


def test_a_watch_that_goes_back_in_time_is_compared_as_a_whole() -> None:
    """The server was restored from a backup, and would say nothing until its versions are ours."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        old = {"kind": "Service", "metadata": {"resourceVersion": "3"}}
        api.say(SERVICES, {"type": "BOOKMARK", "object": old})
        await one.until(lambda: one.resyncs() == 2)
        assert not one.changes.keys

    follow(story, prepare=two)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"<html>502</html>", id="a proxy's page"),
        pytest.param(b'{"type":"ADDED"}', id="no object"),
        pytest.param(b'{"type":"ADDED","object":[]}', id="a list"),
        pytest.param(b'{"type":"BOOKMARK","object":{}}', id="a bookmark without a version"),
        pytest.param(json.dumps(error(500, "InternalError")).encode(), id="an error"),
        pytest.param(json.dumps(error(410, "Gone")).encode(), id="history is gone"),
    ],
)
def test_a_line_that_is_no_event_ends_the_watch_and_loses_nothing(line: bytes) -> None:
    """It is read again from the last good version, or compared as a whole."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        before = api.watches(SERVICES)
        api.say(SERVICES, line)
        await one.until(lambda: api.watches(SERVICES) > before)
        api.apply(SERVICES, build.service("c"))
        await one.keys(A, B, C)
        assert one.changes.keys == {C}

    follow(story, prepare=two)


def test_bookmarks_move_the_version_from_which_a_watch_goes_on() -> None:
    """Else a quiet resource would always have to be read anew."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(SLICES, build.endpoint_slice("x", None))
        api.bookmark(SERVICES)
        await one.until(lambda: one.source.newest["Service"] == api.version)
        api.cut()
        again = str(api.version)
        await one.until(
            lambda: any(
                asked.path == SERVICES and asked.query.get("resourceVersion") == again
                for asked in api.asked
            )
        )
        assert one.resyncs() == 1

    follow(story, prepare=two)


@pytest.mark.parametrize("selects", [True, False])
def test_an_older_server_is_read_in_pages(selects: bool) -> None:
    """One without WatchList; one that does not know the selector gives Services of all types."""

    def prepare(api: FakeApiServer) -> None:
        api.streams, api.selects = False, selects
        for number in range(1200):
            api.apply(SERVICES, build.service(f"s{number}"))
        two(api)

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert len(one.source.objects) == 1202 + (not selects)
        pages = [a for a in api.asked if a.path == SERVICES and a.query.get("limit") == "500"]
        assert len([one for one in pages if "continue" in one.query]) == 2
        api.delete(SERVICES, "default/s7")
        await one.until(lambda: bool(one.told))
        assert one.changes.removed == {Key("Service", "default", "s7")}

    follow(story, prepare=prepare)


def test_a_page_that_expires_begins_the_list_anew() -> None:
    """Half of two states is no state."""
    refused = 0

    def second_page(asked: Asked) -> Any:
        nonlocal refused
        if "continue" in asked.query and refused < 2:
            refused += 1
            return refusal(410, "Expired")
        return None

    def prepare(api: FakeApiServer) -> None:
        api.streams, api.refuse = False, second_page
        for number in range(700):
            api.apply(SERVICES, build.service(f"s{number}"))

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert len(one.source.objects) == 700
        assert refused == 2
        assert api.watches(SERVICES)

    follow(story, prepare=prepare)


def test_a_kind_that_is_not_installed_is_a_condition_and_the_rest_works() -> None:
    """It is looked for again, and found when somebody installs it."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert one.reasons == ["KindNotInstalled"]
        assert "ipaddresspools.bgpd.io" in one.source.conditions[0].message
        assert one.source.missing == {"IPAddressPool"}
        assert set(one.source.objects) == {A, B}
        api.install(POOLS)
        api.apply(POOLS, build.pool("p"))
        await one.keys(A, B, POOL)
        assert one.reasons == []

    def prepare(api: FakeApiServer) -> None:
        two(api)
        api.uninstall(POOLS)

    follow(story, prepare=prepare)


def test_what_may_not_be_watched_is_unknown_and_not_empty() -> None:
    """Without the right to read the pools nothing is decided at all."""

    async def story(one: Following, _: FakeApiServer) -> None:
        await one.until(lambda: one.reasons == ["ApiForbidden"])
        assert not one.source.synced
        assert "pools is forbidden" in one.source.conditions[0].message

    def prepare(api: FakeApiServer) -> None:
        two(api)
        forbidden = refusal(403, "Forbidden", "ipaddresspools is forbidden")
        api.refuse = lambda asked: forbidden if asked.path == POOLS else None

    follow(story, prepare=prepare)


def test_a_token_that_ended_is_read_anew_at_once() -> None:
    """The kubelet put a new one in its place long before."""

    async def main() -> None:
        async with served() as api:
            api.install(*PATHS.values())
            first, second = "one", "two"
            api.token = first
            access = Plain(api.port)
            access.token = first
            one = Following(KubernetesSource(access))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one.source.run(one.told.append))
                await one.synced()
                api.token = access.token = second
                api.cut()
                api.apply(SERVICES, build.service("a"))
                await one.keys(A)
                task.cancel()

    asyncio.run(main())


def test_credentials_that_a_person_gave_and_that_do_not_work_end_the_start() -> None:
    """Waiting does not make a kubeconfig right."""

    async def main() -> None:
        async with served() as api:
            api.install(*PATHS.values())
            api.token = "right"  # noqa: S105
            source = KubernetesSource(Plain(api.port, person="kubeconfig /x"))
            with pytest.raises(ConfigError, match=r"kubeconfig /x: .* does not accept who we are"):
                await source.run(lambda _: None)

    asyncio.run(main())


def test_what_the_listener_raises_ends_the_source() -> None:
    """It is no fault of the server's, so it must not be taken for one."""

    async def main() -> None:
        async with served() as api:
            api.install(*PATHS.values())

            def refuse(changes: Changes) -> None:
                raise ConfigError(f"no: {len(changes.added)}")

            with pytest.raises(ConfigError, match="no: 0"):
                await KubernetesSource(Plain(api.port)).run(refuse)

    asyncio.run(main())


def test_what_is_remembered_is_compared_with_the_first_answers() -> None:
    """What went while nobody looked is told as gone, and an answer from before is not believed.

    The lie is for whoever asks first, so nothing but Services is asked for.
    """
    remembered = {}

    async def before(one: Following, _: FakeApiServer) -> None:
        await one.synced()
        remembered.update({key: one.source.objects[key] for key in (A, B)})

    follow(before, prepare=two)

    async def story(one: Following, _: FakeApiServer) -> None:
        assert set(one.source.objects) == {A, B}
        await one.until(lambda: one.source.synced)
        assert any(told.conditions for told in one.told)
        assert one.resyncs() == 1
        assert one.changes.removed == {A}
        assert one.changes.services >= {"default/a"}
        assert set(one.source.objects) == {B}

    def only_b(api: FakeApiServer) -> None:
        api.apply(SERVICES, build.service("b"))
        api.lie = (17, [])

    watched = [one for one in resources(NAMESPACE) if one.kind == "Service"]
    newest = {"Service": 900}
    follow(story, prepare=only_b, remembered=remembered, newest=newest, watched=watched)


def test_an_answer_from_the_past_puts_nothing_in_force_at_a_start_either() -> None:
    """An agent that goes on with what is remembered must not go on with what once was."""
    remembered = {}

    async def before(one: Following, _: FakeApiServer) -> None:
        await one.synced()
        remembered.update(one.source.objects.copy())

    follow(before, prepare=lambda api: api.apply(SERVICES, build.service("a", "198.51.100.7")))
    old = [build.service("a", "198.51.100.1"), build.service("b")]
    past = {"metadata": {"resourceVersion": "17"}, "items": old}

    def prepare(api: FakeApiServer) -> None:
        api.streams = False
        api.apply(SERVICES, build.service("a", "198.51.100.8"))
        api.refuse = lambda asked: (200, past) if "limit" in asked.query and stale(asked) else None

    def stale(asked: Asked) -> bool:
        return asked.path == SERVICES

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.until(lambda: one.reasons == ["ApiTellsThePast"])
        assert one.source.objects.copy() == remembered
        api.refuse = lambda _: None
        await one.until(lambda: one.source.synced)
        assert one.source.objects.services[0].ingress == ("198.51.100.8",)

    follow(story, prepare=prepare, remembered=remembered, newest={"Service": 900})


def test_a_connection_that_is_not_used_again_is_closed() -> None:
    """Something before the server may say that it closes, and leave that to us."""
    refusal_ = b"HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    opened = closed = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, closed
        opened += 1
        try:
            while await reader.readline() != b"\r\n":
                pass
            writer.write(refusal_)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            closed += 1
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        services = [one for one in resources(NAMESPACE) if one.kind == "Service"]
        access = Plain(server.sockets[0].getsockname()[1])
        source = KubernetesSource(access, watched=services)
        one = Following(source)
        async with server, asyncio.TaskGroup() as group:
            task = group.create_task(source.run(one.told.append))
            await one.until(lambda: opened >= 4 and closed >= opened - 1)
            task.cancel()
        await one.until(lambda: closed == opened)

    asyncio.run(main())


def test_the_collector_works_again_after_a_sync_and_after_one_that_fails() -> None:
    """It is kept away while objects come in, and only then."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert gc.isenabled()
        api.hanging = True
        api.say(SERVICES, error(410, "Expired"))
        await asyncio.sleep(0.2)
        api.hanging = False

    follow(story, prepare=two)
    assert gc.isenabled()
    gc.unfreeze()


def test_every_resource_is_asked_for_as_narrowly_as_the_server_can() -> None:
    """Slices of Services with an address, Services that are load balancers, our own namespace."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        asked = {one.path: one.query for one in api.asked}
        assert asked[SERVICES]["fieldSelector"] == "spec.type=LoadBalancer"
        assert asked[SLICES]["labelSelector"].startswith("kubernetes.io/service-name,!")
        everywhere = {PATHS["BGPNodeStatus"], PATHS["HealthCheck"]}
        ours = {path for path in asked if "bgpd.io" in path} - everywhere
        assert all(f"/namespaces/{NAMESPACE}/" in path for path in ours)

    follow(story)
