"""What is asked on this node about one Service: by its HealthChecks, and of its own port.

With externalTrafficPolicy Local, kube-proxy (or what stands in for it) says on the Service's
healthCheckNodePort whether this node delivers. It is asked as soon as the Service is wanted here,
endpoint or not: when an endpoint comes, the routes then follow kube-proxy and not run ahead of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple, assert_never
from urllib.parse import urlsplit

from bgpd.model.cluster import EndpointSlice, LocalEndpoint, NamedPort, Service
from bgpd.model.errors import ConfigError
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
    Rhythm,
    TCPSocket,
)
from bgpd.model.prefix import Address, parse_address
from bgpd.policy.selector import matches_any

NODE_PORT: Final = ""
"""The name under which a Service's healthCheckNodePort answers: it has no HealthCheck."""
NODE_PORTS_A_SECOND: Final = 250
"""So many ports of Services are asked in a second at most; with more of them each waits longer."""
_LEAST_PERIOD: Final = 100
_SAYS_WHETHER: Final = HTTPGet(statuses=((200, 200),))
_LOCALHOST: Final = Address("127.0.0.1")
_WELL_KNOWN: Final[Mapping[type[Probe], int]] = {DNS: 53, NTP: 123}


class QuestionKey(NamedTuple):
    """What tells one question from another; it keeps its answer while this stays the same."""

    service: str
    """`namespace/name`; empty: it is about the node."""
    check: str
    """`namespace/name` of the HealthCheck, or `NODE_PORT`, or the part of the node."""
    address: Address
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One address that is asked again and again."""

    key: QuestionKey
    probe: Probe
    rhythm: Rhythm
    source_address: Address | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """All questions of one check about one Service."""

    check: str
    target: ProbeTarget
    successes: int
    """Good answers in a row that make it healthy."""
    questions: tuple[Question, ...]


class Checks:
    """The HealthChecks of the cluster, asked for one Service at a time."""

    def __init__(self, checks: Iterable[HealthCheck] = ()) -> None:
        self._by_namespace: dict[str, tuple[HealthCheck, ...]] = {}
        for one in sorted(checks, key=lambda one: one.key):
            known = self._by_namespace.get(one.namespace, ())
            self._by_namespace[one.namespace] = (*known, one)

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._by_namespace)

    def __iter__(self) -> Iterator[HealthCheck]:
        """Return all of them."""
        for found in self._by_namespace.values():
            yield from found

    def of(self, service: Service) -> tuple[HealthCheck, ...]:
        """Return those that are about *service*: they live beside it."""
        found = self._by_namespace.get(service.namespace)
        if found is None:
            return ()
        return tuple(one for one in found if matches_any(one.service_selectors, service.labels))


def inquiries(
    service: Service,
    slices: Iterable[EndpointSlice],
    checks: Iterable[HealthCheck],
    *,
    node: str,
    node_port_at: Address | None,
) -> Iterator[Inquiry]:
    """Yield what is to be asked about *service* here; a check with nothing to ask is left out.

    *node_port_at* is where this node answers its own ports; None: they are not asked.
    """
    port = service.health_check_node_port
    if service.local and port and node_port_at is not None:
        key = QuestionKey(service.key, NODE_PORT, node_port_at, port)
        question = Question(key=key, probe=_SAYS_WHETHER, rhythm=node_port_rhythm(0))
        yield Inquiry(check=NODE_PORT, target=ProbeTarget.HOST, successes=1, questions=(question,))
    endpoints = tuple(slices)
    for check in checks:
        places = dict.fromkeys(_places(service, endpoints, check))
        questions = tuple(_question(service, check, node, *place) for place in places)
        if questions:
            yield Inquiry(
                check=check.key,
                target=check.target,
                successes=check.rhythm.success_threshold,
                questions=questions,
            )


def portless(service: Service, slices: Iterable[EndpointSlice], check: HealthCheck) -> bool:
    """Return whether *check* has somewhere to ask about *service*, and no port to ask there."""
    found = tuple(_where(service, tuple(slices), check.target))
    return bool(found) and all(_port(check.probe, ports) is None for _, ports in found)


def node_port_rhythm(ports: int) -> Rhythm:
    """Return how often each of *ports* is asked: 2 failures within 300 ms, where they are few.

    The period doubles where they are more than fit, so that it changes seldom.
    """
    period = _LEAST_PERIOD
    while ports * 1000 > NODE_PORTS_A_SECOND * period:
        period *= 2
    return _rhythm_of(period)


@cache
def _rhythm_of(period: int) -> Rhythm:
    """Return the one rhythm that thousands of ports share."""
    return Rhythm(
        period_milliseconds=period,
        timeout_milliseconds=max(_LEAST_PERIOD, min(period, 1000)),
        failure_threshold=2,
    )


def part_question(part: str, url: str) -> Question | None:
    """Return what is asked of *part* of the node at *url*; None where that is no URL of ours.

    One failure counts: the time that a part may be away is given in seconds.
    """
    try:
        found = urlsplit(url)
        port = found.port or {"http": 80, "https": 443}[found.scheme]
        name = found.hostname or ""
        address = _LOCALHOST if name == "localhost" else parse_address(name)
    except (ValueError, KeyError, ConfigError):
        return None
    path = f"{found.path or '/'}{f'?{found.query}' if found.query else ''}"
    probe = HTTPGet(path=path, tls=TLS() if found.scheme == "https" else None)
    rhythm = Rhythm(failure_threshold=1)
    return Question(key=QuestionKey("", part, address, port), probe=probe, rhythm=rhythm)


def _places(
    service: Service, slices: tuple[EndpointSlice, ...], check: HealthCheck
) -> Iterator[tuple[Address, int]]:
    """Yield each address and port that *check* asks; where no port is known, nothing is."""
    for address, ports in _where(service, slices, check.target):
        port = _port(check.probe, ports)
        if port is not None:
            yield address, port


def _where(
    service: Service, slices: tuple[EndpointSlice, ...], target: ProbeTarget
) -> Iterator[tuple[Address, tuple[NamedPort, ...]]]:
    """Yield each address that a check of *target* asks, with the ports that are known there."""
    match target:
        case ProbeTarget.ENDPOINT:
            yield from ((one.address, one.ports) for one in _used(service, slices))
        case ProbeTarget.ELASTIC_IP:
            yield from ((one, service.ports) for one in _addresses(service.ingress))
        case ProbeTarget.HOST:
            yield _LOCALHOST, service.ports
        case other:
            assert_never(other)


def _used(service: Service, slices: tuple[EndpointSlice, ...]) -> list[LocalEndpoint]:
    """Return the endpoints of this node that get traffic.

    One that terminates gets some only while no other is ready: none here with the policy Local,
    none at all with Cluster (KEP-1669). What closes at SIGTERM would else withhold a Service that
    has moved on, and what answers to the end would vouch for its successor.
    """
    here = [one for part in slices for one in part.here]
    ready = [one for one in here if not one.terminating]
    if ready or service.local:
        return ready or here
    return [] if any(one.serving and not one.terminating for one in slices) else here


def _addresses(ingress: Iterable[str]) -> Iterator[Address]:
    for text in ingress:
        try:
            yield parse_address(text)
        except ConfigError:
            continue


def _port(probe: Probe, ports: tuple[NamedPort, ...]) -> int | None:
    """Return the port that *probe* asks: its own, or the first that speaks its protocol."""
    if isinstance(probe, Exec):
        return next((one.port for one in ports), 0)
    if probe.port is not None:
        return probe.port
    match probe:
        case DNS(tcp=False) | NTP():
            protocol = "UDP"
        case DNS() | HTTPGet() | TCPSocket() | GRPC():
            protocol = "TCP"
        case other:
            assert_never(other)
    first = next((one.port for one in ports if one.protocol == protocol), None)
    return _WELL_KNOWN.get(type(probe)) if first is None else first


def _question(
    service: Service, check: HealthCheck, node: str, address: Address, port: int
) -> Question:
    environment: Mapping[str, str] = {}
    if isinstance(check.probe, Exec):
        environment = {"SERVICE": service.key, "NODE": node}
    return Question(
        key=QuestionKey(service.key, check.key, address, port),
        probe=check.probe,
        rhythm=check.rhythm,
        source_address=check.source_address,
        environment=environment,
    )
