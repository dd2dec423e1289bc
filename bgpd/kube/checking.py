"""From the wire form of a HealthCheck to what is asked of a Service, and how often.

A check that cannot be read keeps nothing from being advertised: its last good version holds, or
there is none.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from bgpd.kube import healthform
from bgpd.kube.convert import selectors
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import parse_path, parse_plain_address
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

_URL_PATH: Final = re.compile(r"/[!-~]{0,1023}")
_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}")
_STATUS: Final = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?")
_DOMAIN: Final = re.compile(r"\.|(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]{1,128}")
_VALUE: Final = re.compile(r"[ -~\t]{0,1024}")
_LONGEST_DOMAIN: Final = 253
_LONGEST_ARGUMENT: Final = 4096
_USUAL: Final = Rhythm()
_T = TypeVar("_T")


def health_check(wire: healthform.HealthCheck, faults: Faults) -> HealthCheck:
    """Return what a HealthCheck asks."""
    spec = wire.spec
    period = spec.period_milliseconds or _USUAL.period_milliseconds
    return HealthCheck(
        namespace=wire.metadata.namespace or "default",
        name=wire.metadata.name,
        service_selectors=selectors("spec.serviceSelectors", spec.service_selectors, faults),
        # What is refused needs some probe; nobody asks it.
        probe=_probe(spec, faults) or TCPSocket(),
        target=spec.target or ProbeTarget.ENDPOINT,
        source_address=faults.parsed(
            "spec.sourceAddress", spec.source_address, parse_plain_address
        ),
        rhythm=Rhythm(
            period_milliseconds=period,
            # Who asks often wants to know soon: a hang is found after the last timeout.
            timeout_milliseconds=spec.timeout_milliseconds
            or min(_USUAL.timeout_milliseconds, period),
            failure_threshold=spec.failure_threshold or _USUAL.failure_threshold,
            success_threshold=spec.success_threshold or _USUAL.success_threshold,
        ),
    )


def _probe(spec: healthform.HealthCheckSpec, faults: Faults) -> Probe | None:
    """Return the one probe; None where there is none or another too, which is refused."""
    found: list[Probe] = []
    if spec.http_get is not None:
        found.append(_http_get(spec.http_get, faults))
    if spec.tcp_socket is not None:
        found.append(_tcp_socket(spec.tcp_socket, faults))
    if spec.dns is not None:
        found.append(_dns(spec.dns, faults))
    if spec.ntp is not None:
        found.append(_ntp(spec.ntp))
    if spec.grpc is not None:
        found.append(_grpc(spec.grpc, faults))
    if spec.exec is not None:
        found.append(_exec(spec.exec, faults))
    if len(found) != 1:
        faults.rule("spec", healthform.ONE_PROBE)
        return None
    return found[0]


def _http_get(wire: healthform.HTTPGetSpec, faults: Faults) -> HTTPGet:
    path = "spec.httpGet"
    usual = HTTPGet()
    statuses = [
        _written(f"{path}.statuses[{index}]", one, faults, parse_statuses) or (0, 0)
        for index, one in enumerate(wire.statuses or ())
    ]
    for name, value in (wire.headers or {}).items():
        # Never the value itself: it may be a token.
        legal = f"must be {healthform.HEADERS_LEGAL}"
        if not _HEADER.fullmatch(name):
            faults.rule(f"{path}.headers", f"{name[:80]!r} is no name of a header; {legal}")
        elif not _VALUE.fullmatch(value):
            what = f"the value of {name} cannot be sent in a header; {legal}"
            faults.rule(f"{path}.headers", what)
    return HTTPGet(
        port=wire.port,
        path=faults.parsed(f"{path}.path", wire.path, _matches(_URL_PATH)) or usual.path,
        host=faults.parsed(f"{path}.host", wire.host, _matches(_HOST)) or "",
        headers=dict(wire.headers or {}),
        statuses=tuple(statuses) or usual.statuses,
        body=wire.body or "",
        tls=_tls(f"{path}.tls", wire.tls, faults),
    )


def _tcp_socket(wire: healthform.TCPSocketSpec, faults: Faults) -> TCPSocket:
    return TCPSocket(
        port=wire.port,
        send=wire.send or "",
        expect=wire.expect or "",
        tls=_tls("spec.tcpSocket.tls", wire.tls, faults),
    )


def _dns(wire: healthform.DNSSpec, faults: Faults) -> DNS:
    return DNS(
        name=_written("spec.dns.name", wire.name, faults, _parse_domain) or ".",
        type=wire.type or "A",
        port=wire.port,
        tcp=bool(wire.tcp),
        rcode=wire.rcode or "NOERROR",
        answers=tuple(wire.answers or ()),
    )


def _ntp(wire: healthform.NTPSpec) -> NTP:
    return NTP(
        port=wire.port,
        max_stratum=wire.max_stratum or NTP().max_stratum,
        max_offset_milliseconds=wire.max_offset_milliseconds,
    )


def _grpc(wire: healthform.GRPCSpec, faults: Faults) -> GRPC:
    tls = _tls("spec.grpc.tls", wire.tls, faults)
    return GRPC(port=wire.port, service=wire.service or "", tls=tls)


def _exec(wire: healthform.ExecSpec, faults: Faults) -> Exec:
    path = "spec.exec.command"
    for index, one in enumerate(wire.command):
        if len(one) > _LONGEST_ARGUMENT or "\0" in one:
            faults.value(f"{path}[{index}]", one)
    if not wire.command[0].startswith("/"):
        faults.rule(path, healthform.NOT_ABSOLUTE, wire.command[0])
    return Exec(command=tuple(wire.command))


def _tls(path: str, wire: healthform.TLSSpec | None, faults: Faults) -> TLS | None:
    if wire is None:
        return None
    return TLS(
        verify=bool(wire.verify),
        server_name=wire.server_name or "",
        ca_file=faults.parsed(f"{path}.caFile", wire.ca_file, parse_path) or "",
    )


def _written(path: str, text: str, faults: Faults, parse: Callable[[str], _T]) -> _T | None:
    """Return *text* parsed; where it is refused, also where it is empty, None."""
    if not text:
        faults.value(path, text)
    return faults.parsed(path, text, parse)


def parse_statuses(text: str) -> tuple[int, int]:
    """Return the range of a status, or of `first-last`, both ends included."""
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ValueError("is not allowed")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise ValueError("runs backwards")
    return first, last


def _parse_domain(text: str) -> str:
    if len(text) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(text):
        raise ValueError("is no domain name")
    return text


def _matches(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError("is not allowed")
        return text

    return parse
