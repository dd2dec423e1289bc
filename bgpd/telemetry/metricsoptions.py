"""Where a process serves its metrics and its health, and who may read them."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bgpd.model.errors import ConfigError

NOWHERE: Final = "none"
MOST_ELASTIC_IPS: Final = 1000
"""Elastic IPs with series of their own, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address that can be listened on."""

    host: str
    port: int

    @property
    def is_v6(self) -> bool:
        """Whether the address is an IPv6 one."""
        return ":" in self.host

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.is_v6 else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsOptions:
    """The `--metrics-…` options of a process."""

    addresses: tuple[HostPort, ...] = ()
    """Empty: nothing is served."""
    tls_cert: Path | None = None
    """A chain in PEM; None: plain HTTP."""
    tls_key: Path | None = None
    token_file: Path | None = None
    """What a scraper must bear to read /metrics; None: nothing."""


UNSERVED: Final = MetricsOptions()


def parse(*, address: str, tls_cert: str, tls_key: str, token_file: str) -> MetricsOptions:
    """Return the options that a command line gives; raise `ConfigError` for what cannot be meant.

    Whether the files can be read shows later: metrics that are not served end no process.
    """
    if bool(tls_cert) is not bool(tls_key):
        given, missing = "--metrics-tls-cert", "--metrics-tls-key"
        if tls_key:
            given, missing = missing, given
        raise ConfigError(f"{given}: means nothing without {missing}; give both or neither")
    return MetricsOptions(
        addresses=parse_addresses(address),
        tls_cert=Path(tls_cert) if tls_cert else None,
        tls_key=Path(tls_key) if tls_key else None,
        token_file=Path(token_file) if token_file else None,
    )


def parse_addresses(text: str) -> tuple[HostPort, ...]:
    """Return the addresses in *text*, `HOST:PORT,HOST:PORT` or `none`."""
    if text.strip() == NOWHERE:
        return ()
    found = tuple(_address(word.strip()) for word in text.split(","))
    if len(set(found)) != len(found):
        raise ConfigError(f"--metrics-address: {text!r} names one address twice; leave one out")
    return found


def _address(word: str) -> HostPort:
    host, _, port = word.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    address = _ip(host[1:-1] if bracketed else host)
    # As many digits as one likes are no number for `int`, which gives up beyond some thousand.
    number = int(port) if port.isdecimal() and len(port) <= 5 else 0
    # Brackets may stand around either family: a pod's own address comes without a word of which.
    if not address or (":" in address and not bracketed) or not 1 <= number <= 65535:
        raise ConfigError(
            f"--metrics-address: {word!r} is not ADDRESS:PORT, with an IP address of this host and"
            " a port between 1 and 65535; write 127.0.0.1:7180, [::1]:7180, several with commas"
            f" between them, or {NOWHERE}"
        )
    return HostPort(host=address, port=number)


def _ip(text: str) -> str:
    """Return *text* as an address without a zone, else nothing.

    A zone would name an interface by a number that the next boot gives to another.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    zone = isinstance(address, ipaddress.IPv6Address) and address.scope_id
    return "" if zone else str(address)
