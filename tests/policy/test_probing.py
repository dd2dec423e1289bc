"""What is asked about a Service on this node, and where."""

import pytest

from bgpd.model.cluster import EndpointSlice, LocalEndpoint, NamedPort, Service
from bgpd.model.health import (
    DNS,
    GRPC,
    NTP,
    TLS,
    Exec,
    HealthCheck,
    HTTPGet,
    Probe,
    ProbeTarget,
    TCPSocket,
)
from bgpd.model.prefix import Address
from bgpd.policy.probing import (
    NODE_PORT,
    NODE_PORTS_A_SECOND,
    Checks,
    inquiries,
    node_port_rhythm,
    part_question,
)
from tests.policy.build import label, service

WEB = NamedPort(name="web", port=8080)
NAMES = NamedPort(name="dns", port=5353, protocol="UDP")
HERE = Address("10.0.0.1")


def check(name: str = "c", probe: Probe | None = None, **changes: object) -> HealthCheck:
    """Return a HealthCheck beside the Services of these tests."""
    fields: dict[str, object] = {"namespace": "default", "name": name, **changes}
    return HealthCheck(probe=probe or HTTPGet(), **fields)  # type: ignore[arg-type]


def endpoints(*addresses: str, ports: tuple[NamedPort, ...] = (WEB,)) -> tuple[EndpointSlice, ...]:
    """Return a slice with ready endpoints on our node."""
    here = tuple(LocalEndpoint(address=Address(one), ports=ports) for one in addresses)
    return (
        EndpointSlice(
            namespace="default", name="web-1", service="default/web", serving=("n1",), here=here
        ),
    )


def places(
    asked: Service, slices: tuple[EndpointSlice, ...], one: HealthCheck
) -> list[tuple[str, int]]:
    """Return which addresses and ports *one* asks."""
    found = inquiries(asked, slices, [one], node="n1", node_port_at=None)
    return [(q.key.address, q.key.port) for inquiry in found for q in inquiry.questions]


def sliced(*here: tuple[str, bool], elsewhere: bool | None = None) -> tuple[EndpointSlice, ...]:
    """Return slices with endpoints here, each terminating or not, and maybe one elsewhere."""
    found = tuple(
        EndpointSlice(
            namespace="default",
            name=f"web-{address}",
            service="default/web",
            serving=("n1",),
            here=(LocalEndpoint(address=Address(address), ports=(WEB,), terminating=terminating),),
            terminating=terminating,
        )
        for address, terminating in here
    )
    if elsewhere is None:
        return found
    other = EndpointSlice(
        namespace="default",
        name="web-0",
        service="default/web",
        serving=("n2",),
        terminating=elsewhere,
    )
    return (*found, other)


@pytest.mark.parametrize(
    ("slices", "local", "cluster"),
    [
        pytest.param(sliced(("10.1.0.1", False), ("10.1.0.2", True)), ["10.1.0.1"], ["10.1.0.1"],
                     id="one that is ready takes over from one that terminates"),
        pytest.param(sliced(("10.1.0.2", True), elsewhere=False), ["10.1.0.2"], [],
                     id="one is ready elsewhere: with Cluster traffic goes there"),
        pytest.param(sliced(("10.1.0.2", True), elsewhere=True), ["10.1.0.2"], ["10.1.0.2"],
                     id="all of them terminate"),
    ],
)  # fmt: skip
def test_an_endpoint_that_terminates_is_asked_where_it_gets_traffic(
    slices: tuple[EndpointSlice, ...], local: list[str], cluster: list[str]
) -> None:
    """It may close long before it is gone, and then says nothing of the Service."""
    for policy, expected in ((True, local), (False, cluster)):
        asked = places(service(local=policy), slices, check())
        assert asked == [(one, 8080) for one in expected]


@pytest.mark.parametrize(
    ("probe", "target", "expected"),
    [
        pytest.param(HTTPGet(), ProbeTarget.ENDPOINT, [("10.1.0.1", 8080), ("10.1.0.2", 8080)],
                     id="each local endpoint at its own port"),
        pytest.param(HTTPGet(port=9), ProbeTarget.ENDPOINT, [("10.1.0.1", 9), ("10.1.0.2", 9)],
                     id="each local endpoint at the probe's port"),
        pytest.param(DNS(name="a."), ProbeTarget.ENDPOINT, [("10.1.0.1", 5353), ("10.1.0.2", 5353)],
                     id="a DNS query goes to the first UDP port"),
        pytest.param(DNS(name="a.", tcp=True), ProbeTarget.ENDPOINT,
                     [("10.1.0.1", 8080), ("10.1.0.2", 8080)],
                     id="a DNS query over TCP goes to the first TCP port"),
        pytest.param(TCPSocket(), ProbeTarget.ELASTIC_IP, [("198.51.100.1", 80)],
                     id="the elastic IP at the Service's port"),
        pytest.param(GRPC(), ProbeTarget.HOST, [("127.0.0.1", 80)],
                     id="the host at the Service's port"),
        pytest.param(NTP(), ProbeTarget.ELASTIC_IP, [("198.51.100.1", 123)],
                     id="no UDP port: the protocol's own"),
        pytest.param(Exec(command=("/bin/true",)), ProbeTarget.HOST, [("127.0.0.1", 80)],
                     id="a program hears of the Service's port"),
    ],
)  # fmt: skip
def test_where_a_probe_goes(
    probe: Probe, target: ProbeTarget, expected: list[tuple[str, int]]
) -> None:
    """By target and by the ports that are known."""
    asked = service(ports=(NamedPort(port=80),))
    slices = endpoints("10.1.0.1", "10.1.0.2", ports=(NAMES, WEB))
    assert places(asked, slices, check(probe=probe, target=target)) == expected


@pytest.mark.parametrize(
    ("one", "slices"),
    [
        pytest.param(check(), endpoints(), id="no endpoint here"),
        pytest.param(check(), endpoints("10.1.0.1", ports=()), id="no port is known"),
        pytest.param(check(), endpoints("10.1.0.1", ports=(NAMES,)), id="no port of the protocol"),
    ],
)
def test_a_check_with_nothing_to_ask_says_nothing(
    one: HealthCheck, slices: tuple[EndpointSlice, ...]
) -> None:
    """It is left out, so nobody waits for it."""
    assert list(inquiries(service(), slices, [one], node="n1", node_port_at=None)) == []


def test_an_elastic_ip_that_is_none_is_not_asked() -> None:
    """The others are."""
    asked = service("web", "nonsense", "", "198.51.100.2", ports=(WEB,))
    found = places(asked, (), check(target=ProbeTarget.ELASTIC_IP))
    assert found == [("198.51.100.2", 8080)]


def test_checks_are_about_services_beside_them() -> None:
    """Same namespace, and a selector that matches; without selectors all of the namespace."""
    every = check("every")
    some = check("some", service_selectors=(label("app", "x"),))
    other = HealthCheck(namespace="other", name="other", probe=HTTPGet())
    checks = Checks([every, some, other])
    assert checks
    assert not Checks()
    assert checks.of(service()) == (every,)
    assert checks.of(service(labels={"app": "x"})) == (every, some)
    assert list(checks) == [every, some, other]


@pytest.mark.parametrize(
    ("asked", "place", "expected"),
    [
        pytest.param(service(local=True, health_check_node_port=30001), HERE, [("10.0.0.1", 30001)],
                     id="a Service with externalTrafficPolicy Local"),
        pytest.param(service(health_check_node_port=30001), HERE, [], id="one without"),
        pytest.param(service(local=True), HERE, [], id="one without such a port"),
        pytest.param(service(local=True, health_check_node_port=30001), None, [],
                     id="ports are not to be asked"),
    ],
)  # fmt: skip
def test_whose_health_check_node_port_is_asked(
    asked: Service, place: Address | None, expected: list[tuple[str, int]]
) -> None:
    """The node answers it itself, also while it has no endpoint."""
    found = list(inquiries(asked, (), [], node="n1", node_port_at=place))
    assert [(one.key.address, one.key.port) for two in found for one in two.questions] == expected
    assert all(one.check == NODE_PORT for one in found)


def test_a_program_hears_what_it_is_about() -> None:
    """The prober adds where it goes."""
    one = check(probe=Exec(command=("/bin/true",)), target=ProbeTarget.HOST)
    (inquiry,) = inquiries(service(ports=(WEB,)), (), [one], node="n1", node_port_at=None)
    assert inquiry.questions[0].environment == {"SERVICE": "default/web", "NODE": "n1"}


@pytest.mark.parametrize("ports", [0, 1, 25, 26, 50, 51, 999, 2768, 10_000])
def test_ports_are_asked_so_often_as_fits(ports: int) -> None:
    """Few are asked ten times a second, many together never more often than the limit."""
    rhythm = node_port_rhythm(ports)
    assert ports * 1000 / rhythm.period_milliseconds <= NODE_PORTS_A_SECOND
    assert rhythm.timeout_milliseconds <= max(rhythm.period_milliseconds, 100)
    if ports <= 25:
        assert rhythm.period_milliseconds * rhythm.failure_threshold <= 200
    else:
        assert ports * 2000 / rhythm.period_milliseconds > NODE_PORTS_A_SECOND


@pytest.mark.parametrize(
    ("url", "place", "path", "tls"),
    [
        pytest.param("http://127.0.0.1:10256/healthz", ("127.0.0.1", 10256), "/healthz", None,
                     id="the usual one"),
        pytest.param("http://localhost:10248", ("127.0.0.1", 10248), "/", None, id="by name"),
        pytest.param("https://[::1]/a?b", ("::1", 443), "/a?b", TLS(), id="with TLS over IPv6"),
    ],
)  # fmt: skip
def test_a_part_of_the_node_is_asked_by_url(
    url: str, place: tuple[str, int], path: str, tls: TLS | None
) -> None:
    """What answers for the node has no Service."""
    question = part_question("kubelet", url)
    assert question is not None
    assert question.key == ("", "kubelet", *place)
    assert isinstance(question.probe, HTTPGet)
    assert (question.probe.path, question.probe.tls) == (path, tls)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1", "http://a.example", "http://x:y"]
)
def test_what_is_no_url_of_ours_asks_nothing(url: str) -> None:
    """Names are never looked up by a probe."""
    assert part_question("kubelet", url) is None
