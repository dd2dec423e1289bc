"""A HealthCheck on disk: its probe under the name of its kind, by which it is known again."""

from dataclasses import fields
from typing import Any, Final

import msgspec

from bgpd.model.health import (
    DNS,
    GRPC,
    NTP,
    Exec,
    HealthCheck,
    HTTPGet,
    Probe,
    ProbeTarget,
    Rhythm,
    TCPSocket,
)
from bgpd.model.prefix import Address
from bgpd.model.selector import Selectors


class KeptCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A HealthCheck, with one field for each kind of probe."""

    namespace: str
    name: str
    service_selectors: Selectors = ()
    target: ProbeTarget = ProbeTarget.ENDPOINT
    source_address: Address | None = None
    rhythm: Rhythm = Rhythm()
    http_get: HTTPGet | None = None
    tcp_socket: TCPSocket | None = None
    dns: DNS | None = None
    ntp: NTP | None = None
    grpc: GRPC | None = None
    exec: Exec | None = None

    def check(self) -> HealthCheck:
        """Return the HealthCheck; raise `ValueError` where its probe is of no known kind."""
        probe = next((one for name in _FIELDS if (one := self._probe(name)) is not None), None)
        if probe is None:
            raise ValueError("a probe of another version")
        common = {name: getattr(self, name) for name in _COMMON}
        return HealthCheck(probe=probe, **common)

    def _probe(self, name: str) -> Probe | None:
        found: Probe | None = getattr(self, name)
        return found


_COMMON: Final = tuple(one.name for one in fields(HealthCheck) if one.name != "probe")
_NAMES: Final = {
    HTTPGet: "http_get",
    TCPSocket: "tcp_socket",
    DNS: "dns",
    NTP: "ntp",
    GRPC: "grpc",
    Exec: "exec",
}
_FIELDS: Final = tuple(_NAMES.values())


def kept_check(check: HealthCheck) -> KeptCheck:
    """Return *check* as it is written."""
    found: dict[str, Any] = {name: getattr(check, name) for name in _COMMON}
    found[_NAMES[type(check.probe)]] = check.probe
    return KeptCheck(**found)
