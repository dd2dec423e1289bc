"""Sources of objects: a directory, the fake API server, and the real one behave alike."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from bgpd.kube.directory import DirectorySource
from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource, Source
from bgpd.kube.kubeconfig import Kubeconfig
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes, union
from bgpd.kube.vocabulary import agent
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.fakes.apiserver import FakeApiServer, served
from tests.kube import build
from tests.kube.follow import NAMESPACE, PATHS, Plain

PATIENCE = 40.0
READER = agent("n1")
CRDS = Path(__file__).parents[2] / "charts" / "bgpd" / "files" / "crds"
Document = dict[str, Any]


class World(Protocol):
    """What people do to a source."""

    def source(self) -> Source:
        """Return a source of the world's objects."""

    async def apply(self, document: Document) -> None:
        """Create or replace one object."""

    async def delete(self, document: Document) -> None:
        """Delete one object."""


class DirectoryWorld:
    """One file for each object."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def source(self) -> Source:
        """Return a source of the directory."""
        return DirectorySource(self._path, vocabulary=READER)

    async def apply(self, document: Document) -> None:
        """Write the file whole."""
        new = self._path / "new"
        new.write_text(json.dumps(document))
        new.rename(self._file(document))

    async def delete(self, document: Document) -> None:
        """Remove the file."""
        self._file(document).unlink()

    def _file(self, document: Document) -> Path:
        return self._path / f"{document['kind']}-{document['metadata']['name']}.json"


class FakeWorld:
    """The fake API server."""

    def __init__(self, api: FakeApiServer) -> None:
        self.api = api

    def source(self) -> Source:
        """Return a source of the fake."""
        return KubernetesSource(Plain(self.api.port), vocabulary=READER)

    async def apply(self, document: Document) -> None:
        """Write the object."""
        self.api.apply(PATHS[document["kind"]], document)

    async def delete(self, document: Document) -> None:
        """Delete the object."""
        metadata = document["metadata"]
        name = "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
        self.api.delete(PATHS[document["kind"]], name)


class RealWorld:
    """The real API server, with our CRDs."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def prepare(self) -> None:
        """Install the CRDs, and wait until they are served."""
        files = sorted(CRDS.glob("*.yaml"))
        documents = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one]
        space: Document = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE},
        }
        await asyncio.to_thread(self.cluster.apply, [space, *documents])

    def source(self) -> Source:
        """Return a source of the cluster, with the administrator's kubeconfig."""
        kubeconfig = Kubeconfig(self.cluster.kubeconfig, namespace=NAMESPACE)
        return KubernetesSource(kubeconfig, vocabulary=READER)

    async def apply(self, document: Document) -> None:
        """Write the object; the server wants what the source does not read, too."""
        document = json.loads(json.dumps(document))
        if document["kind"] == "Service":
            document["spec"].setdefault("ports", [{"port": 80}])
        if document["kind"] == "EndpointSlice":
            document.setdefault("addressType", "IPv4")
        await asyncio.to_thread(self._apply, document)

    async def delete(self, document: Document) -> None:
        """Delete the object."""
        await asyncio.to_thread(self.cluster.api.delete, document, _namespace(document))

    def _apply(self, document: Document) -> None:
        try:
            self.cluster.apply([document], _namespace(document))
        except ApiError as error:
            raise AssertionError(f"the server refuses {document}: {error}") from None


def _namespace(document: Document) -> str:
    return NAMESPACE if document["apiVersion"].startswith("bgpd.io") else "default"


class Following:
    """A source that runs, and what it told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.source = KeptSource(world.source())
        self.told: list[Changes] = []

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.005)

    async def keys(self, *keys: Key) -> None:
        """Wait until exactly these are in force."""
        await self.until(lambda: set(self.source.objects) == set(keys))

    @property
    def changes(self) -> Changes:
        """Everything that was told since this was asked last, as one."""
        told = union(self.told)
        self.told.clear()
        return told


Story = Callable[[Following], Coroutine[Any, Any, None]]
Follow = Callable[..., None]


@asynccontextmanager
async def _worlds(kind: str, request: pytest.FixtureRequest, path: Path) -> AsyncIterator[World]:
    match kind:
        case "directory":
            yield DirectoryWorld(path)
        case "fake":
            async with served() as api:
                api.install(*PATHS.values())
                yield FakeWorld(api)
        case _:
            real = RealWorld(request.getfixturevalue("own_cluster"))
            await real.prepare()
            yield real


@pytest.fixture(params=["directory", "fake", "real"])
def follow(request: pytest.FixtureRequest, tmp_path: Path) -> Follow:
    """Return what runs a story beside a source, in a world with these objects."""
    if request.param == "real":
        # Outside of any event loop: it starts processes and waits for them.
        request.getfixturevalue("own_cluster")
    directory = tmp_path / "objects"
    directory.mkdir()

    def run(story: Story, *documents: Document) -> None:
        async def main() -> None:
            async with _worlds(request.param, request, directory) as world:
                for one in documents:
                    await world.apply(one)
                following = Following(world)
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(following.source.run(following.told.append))
                    try:
                        await following.until(lambda: following.source.synced)
                        await story(following)
                    finally:
                        task.cancel()

        asyncio.run(main())

    return run


WEB = Key("Service", "default", "web")
API = Key("Service", "default", "api")
SLICE = Key("EndpointSlice", "default", "web-1")
NODE = Key("Node", "", "n1")
POOL, SPARE = Key("IPAddressPool", "", "p"), Key("IPAddressPool", "", "spare")
PEER = Key("BGPPeer", "", "tor")
OFFER = Key("BGPAdvertisement", "", "all")


def node(**labels: str) -> Document:
    """Return a Node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "labels": labels},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]},
    }


def endpoints(*ready: bool) -> Document:
    """Return the slice of the Service `web` with an endpoint for each."""
    found = [
        {"addresses": [f"10.0.0.{n}"], "nodeName": "n1", "conditions": {"ready": one}}
        for n, one in enumerate(ready, 1)
    ]
    return build.endpoint_slice("web-1", "web", *found)


EVERYTHING = (
    build.service("web"),
    endpoints(True, False),
    node(rack="1"),
    build.pool("p", "198.51.100.0/24"),
    build.peer("tor"),
    build.ours("BGPAdvertisement", "all", {}),
)


def ingress(one: Following, service: str) -> tuple[str, ...]:
    """Return the addresses of a Service in force."""
    found = one.source.objects.service(service)
    return () if found is None else found.ingress


def test_what_changes_is_told_and_nothing_else(follow: Follow) -> None:
    """One body of facts for all of them: what is told, and what is in force."""

    async def story(one: Following) -> None:
        # The first look is one change with everything.
        assert len([told for told in one.told if told.keys]) == 1
        assert one.changes.added == {WEB, SLICE, NODE, POOL, PEER, OFFER}
        assert not one.source.conditions
        service = one.source.objects.service("default/web")
        assert service is not None
        assert service.load_balancer
        assert service.ingress == ("198.51.100.1",)
        (found,) = one.source.objects.slices("default/web")
        assert (found.serving, found.not_serving) == (("n1",), 1)
        assert str(one.source.objects.nodes[0].addresses[0]) == "192.0.2.7"

        # A change of endpoints is one change of its Service, and of nothing else.
        await one.world.apply(endpoints(False, False))
        await one.until(lambda: bool(one.told))
        assert one.changes == Changes(
            changed=frozenset({SLICE}), services=frozenset({"default/web"})
        )

        # What says the same is told to nobody; what follows it is.
        await one.world.apply(endpoints(False, False))
        await one.world.apply(build.service("api", "198.51.100.2"))
        # A server writes the status after the object: two events, that a busy machine tells apart.
        await one.until(lambda: ingress(one, "default/api") == ("198.51.100.2",))
        assert one.changes == Changes(added=frozenset({API}), services=frozenset({"default/api"}))

        # A label of a Node is configuration.
        await one.world.apply(node(rack="2"))
        await one.until(lambda: bool(one.told))
        changes = one.changes
        assert changes.changed == {NODE}
        assert changes.configuration

    follow(story, *EVERYTHING)


def test_what_goes_is_gone_and_configuration_may_not_vanish(follow: Follow) -> None:
    """Services and slices go at once, pools after a moment, and the last of them not at all."""

    async def story(one: Following) -> None:
        one.told.clear()
        await one.world.apply(build.service("api", "198.51.100.2"))
        await one.keys(WEB, API, SLICE, NODE, POOL, PEER, OFFER)
        assert one.changes.added == {API}

        # What goes is gone, and its Service is decided again.
        await one.world.delete(build.service("api"))
        await one.world.delete(endpoints())
        await one.keys(WEB, NODE, POOL, PEER, OFFER)
        changes = one.changes
        assert changes.removed == {API, SLICE}
        assert changes.services == {"default/web", "default/api"}

        # Of two pools one may go, after a moment.
        await one.world.apply(build.pool("spare", "203.0.113.0/24"))
        await one.keys(WEB, NODE, POOL, SPARE, PEER, OFFER)
        await one.world.delete(build.pool("spare"))
        await one.keys(WEB, NODE, POOL, PEER, OFFER)
        assert not one.source.conditions

        # The last one stays in force until a person accepts that it is gone.
        await one.world.delete(build.pool("p"))
        await one.until(lambda: bool(one.source.conditions))
        assert [told.type for told in one.source.conditions] == ["ConfigurationVanished"]
        assert [pool.name for pool in one.source.objects.pools] == ["p"]
        assert one.source.accept() == 1
        await one.keys(WEB, NODE, PEER, OFFER)

        # The only advertisement goes: that is how people stop to advertise.
        await one.world.delete(build.ours("BGPAdvertisement", "all"))
        await one.keys(WEB, NODE, PEER)
        assert not one.source.conditions

    follow(story, *EVERYTHING)


def test_what_a_node_acts_on_for_itself_is_the_same_everywhere(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks stand beside their Services; a cordon is a fact; local endpoints have addresses."""
    # What is deleted and written anew may be apart by as long as a busy server takes.
    monkeypatch.setattr("bgpd.kube.vanish.SETTLE", 60.0)
    check = build.ours("HealthCheck", "answers", {"httpGet": {"path": "/z"}}, namespace="default")

    async def story(one: Following) -> None:
        objects = one.source.objects
        (found,) = objects.slices("default/web")
        assert [str(each.address) for each in found.here] == ["10.0.0.1"]
        (asked,) = objects.health_checks
        assert asked.key == "default/answers"
        assert asked.rhythm.period_milliseconds == 1000
        one.told.clear()

        cordoned = {**node(rack="1"), "spec": {"unschedulable": True}}
        await one.world.apply(cordoned)
        await one.until(lambda: bool((found := objects.node("n1")) and found.unschedulable))
        assert one.changes.changed == {NODE}

        spec = {"tcpSocket": {}, "periodMilliseconds": 50}
        faster = build.ours("HealthCheck", "answers", spec, namespace="default")
        await one.world.delete(check)
        await one.world.apply(faster)
        await one.until(lambda: objects.health_checks[0].rhythm.period_milliseconds == 50)
        assert one.changes.changed == {Key("HealthCheck", "default", "answers")}

    follow(story, *EVERYTHING, check)
