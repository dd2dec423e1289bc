"""Beside MetalLB, as far as a real API server knows it: its kinds, a copy of them, their end."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource
from bgpd.kube.kubeconfig import Kubeconfig
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes, union
from tests.cluster.cluster import Cluster
from tests.kube import build

PATIENCE = 40.0
OURS, THEIRS = "bgpd", "metallb-system"
CRDS = Path(__file__).parents[2] / "charts" / "bgpd" / "files" / "crds"
Document = dict[str, Any]
_KINDS = {
    "IPAddressPool": "ipaddresspools",
    "BGPAdvertisement": "bgpadvertisements",
    "BGPPeer": "bgppeers",
    "Community": "communities",
    "BFDProfile": "bfdprofiles",
}
POOL, SPARE = Key("IPAddressPool", "", "p"), Key("IPAddressPool", "", "spare")
PEER, SECRET = Key("BGPPeer", "", "tor"), Key("Secret", "", "tor")


def definition(kind: str, plural: str) -> Document:
    """Return a CRD with the names and versions of MetalLB's, and any fields."""
    any_fields = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"served": True, "schema": {"openAPIV3Schema": any_fields}}
    names = ["v1beta1", "v1beta2"] if kind == "BGPPeer" else ["v1beta1"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.metallb.io"},
        "spec": {
            "group": "metallb.io",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural},
            "scope": "Namespaced",
            "versions": [{**version, "name": one, "storage": one == names[-1]} for one in names],
        },
    }


def theirs(document: Document) -> Document:
    """Return *document* as an object of MetalLB's."""
    version = "v1beta2" if document["kind"] == "BGPPeer" else "v1beta1"
    metadata = {**document["metadata"], "namespace": THEIRS}
    return {**document, "apiVersion": f"metallb.io/{version}", "metadata": metadata}


def ours(document: Document) -> Document:
    """Return *document* in the namespace of our installation."""
    return {**document, "metadata": {**document["metadata"], "namespace": OURS}}


def key(password: str) -> Document:
    """Return the Secret that the peer refers to."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tor", "namespace": OURS},
        "type": "kubernetes.io/basic-auth",
        "data": {"password": base64.b64encode(password.encode()).decode()},
    }


TOR = build.peer("tor", passwordSecret={"name": "tor"})


class Beside:
    """A running source, and what a person does at the server."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        access = Kubeconfig(cluster.kubeconfig, namespace=OURS)
        self.source = KeptSource(KubernetesSource(access))
        self.told: list[Changes] = []

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.01)

    async def apply(self, *documents: Document) -> None:
        """Create or replace objects."""
        await asyncio.to_thread(self.cluster.apply, list(documents))

    async def remove_metallb(self) -> None:
        """Delete MetalLB's CRDs, and with them all of its objects."""
        for kind, plural in _KINDS.items():
            await asyncio.to_thread(self.cluster.api.delete, definition(kind, plural))

    @property
    def conditions(self) -> set[str]:
        """The types of the conditions."""
        return {one.type for one in self.source.conditions}

    @property
    def passwords(self) -> dict[str, str | None]:
        """The password of each peer that there can be a session with."""
        return {one.name: one.password for one in self.source.objects.peers}


@pytest.fixture
def beside(own_cluster: Cluster) -> Beside:
    """Return a source on a server that knows both groups."""
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (OURS, THEIRS)
    ]
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    definitions += [definition(kind, plural) for kind, plural in _KINDS.items()]
    own_cluster.apply([*spaces, *definitions])
    own_cluster.apply([theirs(build.pool("p")), theirs(TOR), key("hunter2")])
    return Beside(own_cluster)


def run(one: Beside, story: Callable[[], Any]) -> None:
    """Run *story* beside the source."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.source.run(one.told.append))
            try:
                await one.until(lambda: one.source.synced)
                await story()
            finally:
                task.cancel()

    asyncio.run(main())


def test_metallb_may_go_once_its_objects_were_copied(beside: Beside) -> None:
    """Pools, peers and a password are the same before, during and after."""

    async def story() -> None:
        assert set(beside.source.objects) == {POOL, PEER, SECRET}
        assert beside.passwords == {"tor": "hunter2"}
        await beside.apply(key("hunter3"))
        await beside.until(lambda: beside.passwords == {"tor": "hunter3"})
        beside.told.clear()
        await beside.apply(ours(build.pool("p")), ours(TOR))
        await beside.until(lambda: beside.conditions == {"ObjectShadowed"})
        await beside.remove_metallb()
        await beside.until(lambda: not beside.conditions)
        await asyncio.sleep(3)
        assert union(beside.told).keys == frozenset()
        assert set(beside.source.objects) == {POOL, PEER, SECRET}
        assert beside.passwords == {"tor": "hunter3"}
        assert not beside.conditions

    run(beside, story)


def test_metallb_that_goes_too_early_leaves_what_it_had(beside: Beside) -> None:
    """One pool was copied, the rest forgotten: it holds until a person says that it may go."""

    async def story() -> None:
        await beside.apply(ours(build.pool("spare", "198.51.100.0/24")))
        await beside.until(lambda: SPARE in set(beside.source.objects))
        await beside.remove_metallb()
        await beside.until(lambda: "ConfigurationVanished" in beside.conditions)
        # One CRD goes after the other, and each takes as long as the server needs.
        await beside.until(lambda: len(beside.source.held) == 3)
        await asyncio.sleep(3)
        assert {POOL, SPARE, PEER, SECRET} == set(beside.source.objects)
        assert beside.passwords == {"tor": "hunter2"}
        assert beside.source.accept() == 3
        assert set(beside.source.objects) == {SPARE}

    run(beside, story)


@pytest.mark.parametrize("kind", ["BGPAdvertisement", "HealthCheck"])
def test_a_kind_that_is_uninstalled_stays_and_its_last_object_may_go(
    beside: Beside, kind: str
) -> None:
    """One that comes in parts, and one that does not; only the end of the CRD is nobody's wish."""
    spec: Document = {"tcpSocket": {}} if kind == "HealthCheck" else {}
    one = ours(build.ours(kind, "one", spec))
    name = Key(kind, OURS if kind == "HealthCheck" else "", "one")
    api = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    async def story() -> None:
        await beside.apply(one)
        await beside.until(lambda: name in set(beside.source.objects))
        await asyncio.to_thread(beside.cluster.api.delete, one)
        await beside.until(lambda: name not in set(beside.source.objects))
        assert not beside.conditions
        await beside.apply(one)
        await beside.until(lambda: name in set(beside.source.objects))
        path = f"{api}/{kind.lower()}s.bgpd.io"
        await asyncio.to_thread(beside.cluster.api.request, "DELETE", path)
        await beside.until(lambda: "ConfigurationVanished" in beside.conditions)
        await asyncio.sleep(3)
        assert name in set(beside.source.objects)
        assert beside.source.accept() == 1

    run(beside, story)
