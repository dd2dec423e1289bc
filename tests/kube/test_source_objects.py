"""What a source makes of objects that are broken, odd or large."""

from typing import Any

import pytest

from tests.fakes.apiserver import FakeApiServer, error
from tests.kube import build
from tests.kube.follow import SERVICES, Following, follow
from tests.kube.test_source import SLICES, A, B, C, two

BROKEN = (
    pytest.param({"status": {"loadBalancer": {"ingress": 5}}}, id="a number for a list"),
    pytest.param({"spec": {"type": "LoadBalancer", "externalTrafficPolicy": "No"}}, id="a word"),
    pytest.param({"spec": {"type": "LoadBalancer", "loadBalancerClass": {}}}, id="a map"),
)


@pytest.mark.parametrize("spoiled", BROKEN)
def test_an_object_that_is_refused_keeps_its_last_good_version(spoiled: dict[str, Any]) -> None:
    """It has a condition, the others go on, and a resynchronization does not change that."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        good = one.source.objects.service("default/a")
        api.apply(SERVICES, {**build.service("a"), **spoiled})
        api.apply(SERVICES, build.service("c"))
        await one.keys(A, B, C)
        assert one.source.objects.service("default/a") == good
        (condition,) = one.source.conditions
        assert condition.message.startswith("API (Service default/a): ")
        assert one.source.outdated == (A,)
        api.say(SERVICES, error(410, "Expired"))
        await one.until(lambda: one.resyncs() == 2)
        assert one.source.conditions == (condition,)
        assert one.changes.keys == {C}
        api.delete(SERVICES, "default/a")
        await one.keys(B, C)
        assert not one.source.conditions

    follow(story, prepare=two)


ODD = (
    pytest.param({"status": None}, id="null for a status"),
    pytest.param({"status": {"loadBalancer": {"ingress": None}}}, id="null for a list"),
    pytest.param({"surprise": {"deep": [1, {"a": None}]}}, id="fields that nobody knows"),
    pytest.param(
        {"metadata": {"name": "c", "namespace": "default", "annotations": {"a": "x" * 2**20}}},
        id="an annotation of one MiB",
    ),
    pytest.param(
        {"metadata": {"name": "c", "namespace": "default", "labels": None, "managedFields": None}},
        id="null for labels",
    ),
)


@pytest.mark.parametrize("odd", ODD)
def test_odd_objects_are_read(odd: dict[str, Any]) -> None:
    """Servers send null for empty lists, and more than anybody asked for."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(SERVICES, {**build.service("c"), **odd})
        await one.keys(A, B, C)
        assert one.source.conditions == ()

    follow(story, prepare=two)


def test_five_thousand_endpoints_are_read() -> None:
    """More than a controller puts into one slice."""
    endpoints = [{"addresses": ["10.0.0.1"], "nodeName": f"n{n % 7}"} for n in range(5000)]

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(SLICES, build.endpoint_slice("big", "a", *endpoints))
        await one.until(lambda: bool(one.told))
        (found,) = one.source.objects.slices("default/a")
        assert len(found.serving) == 5000

    follow(story, prepare=two)
