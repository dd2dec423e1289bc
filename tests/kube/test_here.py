"""What is kept of endpoints: those of our own node in full, of all others only where they are."""

from typing import Any

import pytest

from bgpd.kube.documents import Key, read
from bgpd.kube.vocabulary import AGENT, agent
from bgpd.model.cluster import EndpointSlice, LocalEndpoint, NamedPort
from bgpd.model.prefix import Address
from tests.fakes.apiserver import FakeApiServer
from tests.kube.build import Document, endpoint_slice, service, text
from tests.kube.follow import PATHS, Following, follow

KEY = Key("EndpointSlice", "default", "web-1")
HTTP = NamedPort(name="http", port=8080)


def endpoint(address: str, node: str | None = "n1", **conditions: bool) -> Document:
    """Return an endpoint."""
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def slice_of(*endpoints: Document, **fields: Any) -> Document:
    """Return a slice of the Service web."""
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {**endpoint_slice("web-1", "web", *endpoints), "ports": ports, **fields}


def found(document: Document, node: str = "n1") -> EndpointSlice:
    """Return what the agent of *node* keeps of *document*."""
    one = read("f.yaml", text(document), agent(node)).objects[KEY]
    assert isinstance(one, EndpointSlice)
    return one


def here(
    *addresses: str, ports: tuple[NamedPort, ...] = (HTTP,), terminating: bool = False
) -> tuple[LocalEndpoint, ...]:
    """Return endpoints of our node."""
    return tuple(
        LocalEndpoint(address=Address(one), ports=ports, terminating=terminating)
        for one in addresses
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(slice_of(endpoint("10.0.0.1"), endpoint("10.0.1.1", "n2")),
                     here("10.0.0.1"), id="those of other nodes are not kept"),
        pytest.param(slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False)),
                     here("10.0.0.1"), id="one that takes no traffic is not asked"),
        pytest.param(slice_of(endpoint("10.0.0.1", ready=False, serving=True)),
                     here("10.0.0.1", terminating=True), id="one that ends but still serves is"),
        pytest.param(slice_of(endpoint("10.0.0.1", ready=True, serving=True, terminating=True)),
                     here("10.0.0.1"), id="one that ends and is published all the same is ready"),
        pytest.param(slice_of(endpoint("10.0.0.1", None)), (), id="one of no node is not ours"),
        pytest.param(slice_of(endpoint("2001:DB8::0:1")), here("2001:db8::1"),
                     id="an address has one spelling"),
        pytest.param(slice_of(endpoint("web.example.com"), addressType="FQDN"), (),
                     id="the name of a host is no address"),
        pytest.param(slice_of(endpoint("10.0.0.1"), ports=None), here("10.0.0.1", ports=()),
                     id="no ports"),
        pytest.param(slice_of(endpoint("10.0.0.1"), ports=[{"name": "all"}]),
                     here("10.0.0.1", ports=()), id="a port that stands for all of them"),
        pytest.param(slice_of(endpoint("10.0.0.1"), ports=[{"port": 53, "protocol": "UDP"}]),
                     here("10.0.0.1", ports=(NamedPort(port=53, protocol="UDP"),)),
                     id="a port without a name"),
    ],
)  # fmt: skip
def test_of_our_node_addresses_and_ports_are_kept(
    document: Document, expected: tuple[LocalEndpoint, ...]
) -> None:
    """A probe needs no more, and memory has room for no more."""
    assert found(document).here == expected


@pytest.mark.parametrize(
    ("endpoints", "terminating"),
    [
        pytest.param([{"ready": False, "serving": True}], True, id="it only still serves"),
        pytest.param([{"ready": False, "serving": True}, {}], False, id="another one is ready"),
        pytest.param([{"ready": False}], False, id="none serves"),
        pytest.param([], False, id="there is none"),
    ],
)
def test_whether_all_that_serve_terminate_is_kept_wherever_they_are(
    endpoints: list[dict[str, bool]], terminating: bool
) -> None:
    """Then those get traffic that would get none beside one that is ready."""
    document = slice_of(*(endpoint("10.0.1.1", "n2", **one) for one in endpoints))
    assert found(document).terminating is terminating


def test_who_is_on_no_node_keeps_none() -> None:
    """What a node of another name, or the checks of a person at a desk, keep costs nothing."""
    document = slice_of(endpoint("10.0.0.1"))
    assert found(document, "n2").here == ()
    (one,) = read("f.yaml", text(document), AGENT).objects.values()
    assert isinstance(one, EndpointSlice)
    assert one.here == ()
    assert one.serving == ("n1",)


def test_equal_ports_are_one_object() -> None:
    """Ten thousand Services with port 80 keep it once."""
    ports = [{"name": "http", "port": 80}]
    both = [service(name, ports=ports) for name in ("a", "b")]
    first, second = read("f.yaml", text(*both), AGENT).objects.values()
    assert first.ports == (NamedPort(name="http", port=80),)  # type: ignore[union-attr]
    assert first.ports is second.ports  # type: ignore[union-attr]


def test_a_watch_keeps_the_same_as_a_file() -> None:
    """A new address of a local endpoint is news, elsewhere it is not."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        kept = one.source.objects.get(KEY)
        assert isinstance(kept, EndpointSlice)
        assert kept.here == here("10.0.0.1")
        api.apply(
            PATHS["EndpointSlice"], slice_of(endpoint("10.0.0.1"), endpoint("10.0.1.9", "n2"))
        )
        api.apply(
            PATHS["EndpointSlice"], slice_of(endpoint("10.0.0.2"), endpoint("10.0.1.9", "n2"))
        )
        await one.until(lambda: one.source.newest["EndpointSlice"] == api.version)
        kept = one.source.objects.get(KEY)
        assert isinstance(kept, EndpointSlice)
        assert kept.here == here("10.0.0.2")
        assert [told.changed for told in one.told] == [{KEY}]

    def prepare(api: FakeApiServer) -> None:
        first = slice_of(endpoint("10.0.0.1"), endpoint("10.0.1.1", "n2"))
        api.apply(PATHS["EndpointSlice"], first)

    follow(story, prepare=prepare, vocabulary=agent("n1"))
