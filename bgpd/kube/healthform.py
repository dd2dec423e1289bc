"""The wire form of a HealthCheck: what people ask of the Services in its namespace.

One field for each kind of probe, of which exactly one is there, as in the probes of a pod.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from bgpd.kube.objects import (
    AddressText,
    Lenient,
    Metadata,
    PathText,
    Port,
    SelectorList,
    Strict,
    Word,
)
from bgpd.model.health import ProbeTarget

URL_PATH_LEGAL = "up to 1024 printable ASCII characters without blanks, '/' first"
HOST_LEGAL = "up to 253 letters, digits, '.', '-', '_', ':' and brackets"
STATUS_LEGAL = 'a status such as "200", or a range such as "200-399", in quotes, within 100..599'
DOMAIN_LEGAL = "a domain name of up to 253 ASCII characters, up to 63 between the dots"
HEADERS_LEGAL = "up to 16 names (RFC 9110), each with up to 1024 printable ASCII characters"
ARGUMENT_LEGAL = "up to 4096 characters, none of them NUL"

UrlPathText: TypeAlias = Annotated[str, Meta(extra={"legal": URL_PATH_LEGAL})]
HostText: TypeAlias = Annotated[str, Meta(extra={"legal": HOST_LEGAL})]
StatusText: TypeAlias = Annotated[str, Meta(extra={"legal": STATUS_LEGAL})]
DomainText: TypeAlias = Annotated[str, Meta(extra={"legal": DOMAIN_LEGAL})]
ArgumentText: TypeAlias = Annotated[str, Meta(extra={"legal": ARGUMENT_LEGAL})]
HeaderText: TypeAlias = Annotated[str, Meta(max_length=1024)]
Sample: TypeAlias = Annotated[str, Meta(max_length=1024)]
"""Text that is sent, or looked for."""
Headers: TypeAlias = Annotated[
    dict[str, HeaderText],
    Meta(
        max_length=16,
        extra={"legal": HEADERS_LEGAL},
    ),
]
RecordType: TypeAlias = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]
ResponseCode: TypeAlias = Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]


class TLSSpec(Strict):
    """`tls` of a probe: that it is there makes the probe speak TLS."""

    verify: bool | None = None
    server_name: Word | None = None
    ca_file: PathText | None = None


class HTTPGetSpec(Strict):
    """`spec.httpGet` of a HealthCheck."""

    port: Port | None = None
    path: UrlPathText | None = None
    host: HostText | None = None
    headers: Headers | None = None
    statuses: Annotated[list[StatusText], Meta(max_length=16)] | None = None
    body: Sample | None = None
    tls: TLSSpec | None = None


class TCPSocketSpec(Strict):
    """`spec.tcpSocket` of a HealthCheck."""

    port: Port | None = None
    send: Sample | None = None
    expect: Sample | None = None
    tls: TLSSpec | None = None


class DNSSpec(Strict):
    """`spec.dns` of a HealthCheck."""

    name: DomainText
    type: RecordType | None = None
    port: Port | None = None
    tcp: bool | None = None
    rcode: ResponseCode | None = None
    answers: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(max_length=16)]
        | None
    ) = None


class NTPSpec(Strict):
    """`spec.ntp` of a HealthCheck."""

    port: Port | None = None
    max_stratum: Annotated[int, Meta(ge=1, le=15)] | None = None
    max_offset_milliseconds: Annotated[int, Meta(ge=1, le=3_600_000)] | None = None


class GRPCSpec(Strict):
    """`spec.grpc` of a HealthCheck."""

    port: Port | None = None
    service: Word | None = None
    tls: TLSSpec | None = None


class ExecSpec(Strict):
    """`spec.exec` of a HealthCheck."""

    command: Annotated[list[ArgumentText], Meta(min_length=1, max_length=64)]


class HealthCheckSpec(Strict):
    """`spec` of a HealthCheck."""

    service_selectors: SelectorList | None = None
    http_get: HTTPGetSpec | None = None
    tcp_socket: TCPSocketSpec | None = None
    dns: DNSSpec | None = None
    ntp: NTPSpec | None = None
    grpc: GRPCSpec | None = None
    exec: ExecSpec | None = None
    target: ProbeTarget | None = None
    period_milliseconds: Annotated[int, Meta(ge=50, le=3_600_000)] | None = None
    timeout_milliseconds: Annotated[int, Meta(ge=10, le=60_000)] | None = None
    failure_threshold: Annotated[int, Meta(ge=1, le=100)] | None = None
    success_threshold: Annotated[int, Meta(ge=1, le=100)] | None = None
    source_address: AddressText | None = None


PROBES = ("httpGet", "tcpSocket", "dns", "ntp", "grpc", "exec")
"""The fields of which exactly one is there."""
ONE_PROBE = f"exactly one probe is required: {', '.join(PROBES[:-1])} or {PROBES[-1]}"
NOT_ABSOLUTE = "must be the absolute path of a program: there is no shell to look for it"


class HealthCheck(Lenient):
    """A HealthCheck."""

    metadata: Metadata
    spec: HealthCheckSpec
