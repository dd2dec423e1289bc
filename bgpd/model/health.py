"""What is known of a thing's health, and the probes that people configure to find out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bgpd.model.errors import in_range
from bgpd.model.prefix import Address
from bgpd.model.selector import Selectors


class Health(StrEnum):
    """What is believed of one thing; Unknown changes nothing."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class ProbeTarget(StrEnum):
    """Where a probe goes."""

    ENDPOINT = "Endpoint"
    """Each ready endpoint of the Service on this node; healthy while one of them answers."""
    ELASTIC_IP = "ElasticIP"
    """Each elastic IP of the Service, from this node; healthy while all of them answer."""
    HOST = "Host"
    """An address of the node itself: 127.0.0.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a probe asks, and how many answers it takes to change a mind."""

    period_milliseconds: int = 1000
    """50..3600000."""
    timeout_milliseconds: int = 1000
    """10..60000; an answer that comes later is none."""
    failure_threshold: int = 3
    """Failures in a row until Unhealthy, 1..100."""
    success_threshold: int = 1
    """Successes in a row until Healthy, 1..100."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        in_range("period_milliseconds", self.period_milliseconds, 50, 3_600_000)
        in_range("timeout_milliseconds", self.timeout_milliseconds, 10, 60_000)
        in_range("failure_threshold", self.failure_threshold, 1, 100)
        in_range("success_threshold", self.success_threshold, 1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """How a probe speaks TLS."""

    verify: bool = False
    """Whether the certificate must be trusted; kubelet's own probes do not look."""
    server_name: str = ""
    ca_file: str = ""
    """The authorities that are trusted; empty: the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPGet:
    """Healthy: a GET is answered with one of the expected statuses."""

    port: int | None = None
    """None: the port of the endpoint, or of the Service at its elastic IP."""
    path: str = "/"
    host: str = ""
    """The Host header; empty: the address and port that are asked."""
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    """Ranges, both ends included."""
    body: str = ""
    """Text that the first 64 KiB of the answer must hold; empty: anything."""
    tls: TLS | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPSocket:
    """Healthy: a connection is accepted, and what is expected is said on it."""

    port: int | None = None
    send: str = ""
    expect: str = ""
    """Text that the first 64 KiB received must hold; empty: that the connection is made."""
    tls: TLS | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DNS:
    """Healthy: a query is answered as expected (RFC 1035)."""

    name: str
    type: str = "A"
    """A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT."""
    port: int | None = None
    tcp: bool = False
    rcode: str = "NOERROR"
    answers: tuple[str, ...] = ()
    """Each must be among the answers; empty: at least one answer where the rcode is NOERROR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NTP:
    """Healthy: a client query (RFC 5905) is answered by a synchronized server."""

    port: int | None = None
    max_stratum: int = 15
    max_offset_milliseconds: int | None = None
    """How far its clock may be from ours; None: not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPC:
    """Healthy: `grpc.health.v1.Health/Check` answers SERVING."""

    port: int | None = None
    service: str = ""
    tls: TLS | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Healthy: a program exits with 0. It is run without a shell, beside the agent."""

    command: tuple[str, ...]
    """The program's absolute path, then its arguments; the environment tells it SERVICE,
    ADDRESS, PORT and NODE."""


Probe: TypeAlias = HTTPGet | TCPSocket | DNS | NTP | GRPC | Exec


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A HealthCheck document: what is asked of the Services of its namespace."""

    namespace: str
    name: str
    service_selectors: Selectors = ()
    """Empty: every Service of the namespace."""
    probe: Probe
    target: ProbeTarget = ProbeTarget.ENDPOINT
    source_address: Address | None = None
    rhythm: Rhythm = Rhythm()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHealthPolicy:
    """Which evidence about the node itself counts: `spec.health` of a SpeakerPolicy."""

    carrier: bool = True
    """The uplinks: the interfaces by which this node reaches its peers."""
    gateway: bool = True
    """The next hops towards the peers, in the neighbor table."""
    health_check_node_port: bool = True
    """Ask `healthCheckNodePort` of Services with externalTrafficPolicy Local."""
    kubelet: str = "http://127.0.0.1:10248/healthz"
    """URL; empty: not asked."""
    kube_proxy: str = "http://127.0.0.1:10256/healthz"
    """URL; empty: not asked."""
    doubt_seconds: int = 10
    """How long kubelet or kube-proxy must be unhealthy until the node ranks 250, 1..3600."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        in_range("doubt_seconds", self.doubt_seconds, 1, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupPolicy:
    """What a node that has just booted waits for: `spec.startup` of a SpeakerPolicy."""

    delay_seconds: int = 0
    """After all else holds, before the first route, 0..3600."""
    patience_seconds: int = 60
    """How long what was there before the boot (kube-proxy) may stay unheard, 0..3600; after that
    the node advertises, in doubt."""
    slow_start_seconds: int = 0
    """How long the first routes keep rank 240, 0..3600."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        for name in ("delay_seconds", "patience_seconds", "slow_start_seconds"):
            in_range(name, getattr(self, name), 0, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a HealthCheck, or a port that the node answers itself, says of one Service here."""

    check: str
    """`namespace/name` of the HealthCheck; empty: the Service's healthCheckNodePort."""
    service: str
    """`namespace/name`."""
    health: Health
    message: str = ""
    """The last answer in a sentence: `10.0.0.7:80 answered 503`."""
    since: float = 0.0
    """Wall clock of the last change of *health*, for people."""
    failures: int = 0
    """Probes that failed, in all."""
    probes: int = 0
