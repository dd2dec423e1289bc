"""Files beside the API: read together, the API's object holds, and neither takes the other away."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bgpd.kube.directory import DirectorySource
from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes
from bgpd.kube.vocabulary import AGENT, CONTROLLER, configuring
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Prefix
from tests.fakes.apiserver import FakeApiServer, served
from tests.kube.build import Document, peer, pool, service, text
from tests.kube.follow import NAMESPACE, PATHS, PATIENCE, Plain

P, Q = Key("IPAddressPool", "", "p"), Key("IPAddressPool", "", "q")
POOLS = PATHS["IPAddressPool"]


@dataclass(slots=True)
class Both:
    """A running source with files beside it."""

    source: KubernetesSource
    kept: KeptSource
    path: Path
    told: list[Changes]

    def write(self, name: str, *documents: Document) -> None:
        """Put a whole file in place."""
        new = self.path / "new"
        new.write_bytes(text(*documents))
        new.rename(self.path / name)

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.005)

    def blocks(self, key: Key) -> tuple[str, ...]:
        """Return the addresses of a pool in force."""
        found = self.source.objects[key]
        assert isinstance(found, IPAddressPool)
        return found.prefixes


def run(
    path: Path,
    story: Callable[[Both, FakeApiServer], object],
    prepare: Callable[[FakeApiServer], object],
    remembered: dict[Key, IPAddressPool] | None = None,
) -> None:
    """Run *story* beside a source over *path* and a fake server that *prepare* has filled."""

    async def main() -> None:
        async with served() as api:
            prepare(api)
            files = DirectorySource(path, vocabulary=configuring(AGENT), option="--documents")
            source = KubernetesSource(Plain(api.port), documents=files, remembered=remembered)
            kept = KeptSource(source, remembered)
            both = Both(source=source, kept=kept, path=path, told=[])
            async with asyncio.TaskGroup() as group:
                task = group.create_task(kept.run(both.told.append))
                try:
                    await both.until(lambda: kept.synced)
                    found = story(both, api)
                    if asyncio.iscoroutine(found):
                        await found
                finally:
                    task.cancel()

    asyncio.run(main())


def installed(api: FakeApiServer) -> None:
    """Install all kinds."""
    api.install(*PATHS.values())


def test_files_and_the_api_are_read_together(tmp_path: Path) -> None:
    """What an installation says and what people apply later stand beside each other."""
    (tmp_path / "pools.yaml").write_bytes(text(pool("p")))

    def story(both: Both, _: FakeApiServer) -> None:
        assert {P, Q} <= set(both.source.objects)
        assert both.source.sources[P] == "pools.yaml"
        assert both.source.sources[Q] == "kubernetes"
        assert both.kept.files == {P: "pools.yaml"}
        assert both.source.conditions == ()

    def prepare(api: FakeApiServer) -> None:
        installed(api)
        api.apply(POOLS, pool("q", "198.51.100.0/24"))

    run(tmp_path, story, prepare)


def test_the_object_of_the_api_holds_and_the_file_takes_over_when_it_goes(tmp_path: Path) -> None:
    """Whoever edits values that an object of the API hides finds out why nothing happens."""
    (tmp_path / "pools.yaml").write_bytes(text(pool("p", "192.0.2.0/24")))

    async def story(both: Both, api: FakeApiServer) -> None:
        assert both.blocks(P) == ("198.51.100.0/24",)
        assert both.source.sources[P] == "kubernetes"
        (condition,) = both.source.conditions
        assert (condition.type, condition.reason) == ("ObjectShadowed", "IPAddressPool")
        assert condition.message == (
            f"IPAddressPool p of {tmp_path}: objects of bgpd.io with the same names hold in their "
            "place; those of p say something else"
        )
        api.delete(POOLS, f"{NAMESPACE}/p")
        await both.until(lambda: both.blocks(P) == ("192.0.2.0/24",))
        assert both.source.conditions == ()
        assert P not in {key for one in both.told for key in one.removed}

    def prepare(api: FakeApiServer) -> None:
        installed(api)
        document = pool("p", "198.51.100.0/24")
        document["metadata"]["namespace"] = NAMESPACE
        api.apply(POOLS, document)

    run(tmp_path, story, prepare)


def test_a_changed_file_is_a_change_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """A ConfigMap with a mistake leaves the last good version of each document in force."""
    (tmp_path / "pools.yaml").write_bytes(text(pool("p"), pool("q", "198.51.100.0/24")))

    async def story(both: Both, _: FakeApiServer) -> None:
        both.write("pools.yaml", pool("p", "203.0.113.0/24"), pool("q", "198.51.100.0/24"))
        await both.until(lambda: both.blocks(P) == ("203.0.113.0/24",))
        both.write("pools.yaml", pool("p", "rubbish"), pool("q", "198.51.100.0/24"))
        await both.until(lambda: bool(both.source.conditions))
        assert both.blocks(P) == ("203.0.113.0/24",)
        assert P in both.source.outdated
        assert both.blocks(Q) == ("198.51.100.0/24",)

    run(tmp_path, story, installed)


def test_kinds_that_are_not_installed_can_stand_in_files(tmp_path: Path) -> None:
    """Without any CRD the values alone configure a cluster, and what they drop goes."""
    (tmp_path / "all.yaml").write_bytes(text(pool("p"), pool("q", "198.51.100.0/24"), peer("r")))

    async def story(both: Both, _: FakeApiServer) -> None:
        assert {P, Q, Key("BGPPeer", "", "r")} <= set(both.kept.objects)
        both.write("all.yaml", pool("p"), peer("r"))
        await both.until(lambda: Q not in set(both.kept.objects))
        assert P in set(both.kept.objects)

    run(tmp_path, story, lambda api: api.install(*(PATHS[one] for one in _NATIVE)))


def test_the_last_pool_of_the_files_stays_until_somebody_accepts(tmp_path: Path) -> None:
    """An upgrade with forgotten values takes no elastic IP off the network."""
    (tmp_path / "all.yaml").write_bytes(text(pool("p"), peer("r")))

    async def story(both: Both, _: FakeApiServer) -> None:
        (tmp_path / "all.yaml").unlink()
        await both.until(lambda: any(one.type == _VANISHED for one in both.kept.conditions))
        assert P in set(both.kept.objects)

    run(tmp_path, story, installed)


def test_a_service_in_a_file_beside_the_api_does_not_count(tmp_path: Path) -> None:
    """What only the API can know comes from nowhere else."""
    (tmp_path / "all.yaml").write_bytes(text(pool("p"), service("web")))

    def story(both: Both, _: FakeApiServer) -> None:
        assert {key.kind for key in both.source.objects} == {"IPAddressPool"}

    run(tmp_path, story, installed)


def test_what_an_earlier_process_had_from_a_file_that_went_goes(tmp_path: Path) -> None:
    """A file that was removed while nobody looked is as good as one that is removed now."""
    gone = IPAddressPool(name="q", prefixes=(Prefix("198.51.100.0/24"),))
    (tmp_path / "all.yaml").write_bytes(text(pool("p")))

    async def story(both: Both, _: FakeApiServer) -> None:
        await both.until(lambda: set(both.kept.objects) == {P})

    run(tmp_path, story, installed, remembered={Q: gone})


def test_the_controller_takes_pools_from_files(tmp_path: Path) -> None:
    """It gives addresses out of what the values say, and passes over what is for agents."""
    (tmp_path / "all.json").write_text(json.dumps({"items": [pool("p"), peer("r")], **_LIST}))
    files = DirectorySource(tmp_path, vocabulary=configuring(CONTROLLER))
    told: list[Changes] = []

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(files.run(told.append))
            async with asyncio.timeout(PATIENCE):
                while not files.synced:  # noqa: ASYNC110 - a condition is looked at
                    await asyncio.sleep(0.005)
            task.cancel()

    asyncio.run(main())
    assert set(files.objects) == {P}
    assert files.conditions == ()


_NATIVE = ("Service", "EndpointSlice", "Node")
_VANISHED = "ConfigurationVanished"
_LIST = {"apiVersion": "v1", "kind": "List"}
