"""The certificate and the token of the metrics port, as they are on the disk now.

A mounted Secret changes without a word, so the files are looked at now and then. What cannot be
read leaves what was read before in force; before that nothing is served: a port that was to be
encrypted is never served in the clear.
"""

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bgpd.model.errors import ConfigError
from bgpd.telemetry.metricsoptions import MetricsOptions

LOOK_SECONDS: Final = 5.0
"""How often the files are looked at, while somebody asks."""
MAX_TOKEN: Final = 4096


class Secrets:
    """What protects the metrics port."""

    def __init__(self, options: MetricsOptions) -> None:
        self._options = options
        self._seen: object = None
        self._look_at = 0.0
        self.context: ssl.SSLContext | None = None
        """None: plain HTTP, if that is `usable`."""
        self.token = ""
        """Empty: none is asked for."""
        self.problem = ""
        """Why what is on the disk now is not in force, in a sentence."""
        self.usable = False
        """Whether everything that the options ask for was read once."""

    def look(self, now: float) -> None:
        """Read the files again if they have changed and were not looked at just now."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        options = self._options
        seen = _stamps(filter(None, (options.tls_cert, options.tls_key, options.token_file)))
        if seen == self._seen:
            return
        try:
            context, token = self._read()
        except ConfigError as error:
            # Looked at again next time: half of a Secret may have been replaced.
            self.problem = str(error)
            return
        self._seen = seen
        self.context, self.token = context, token
        self.problem, self.usable = "", True

    def _read(self) -> tuple[ssl.SSLContext | None, str]:
        cert, key, token = (
            self._options.tls_cert,
            self._options.tls_key,
            self._options.token_file,
        )
        context = None if cert is None or key is None else _context(cert, key)
        return context, "" if token is None else _token(token)


def _stamps(paths: Iterable[Path]) -> tuple[object, ...]:
    return tuple(_stamp(path.stat) for path in paths)


def _stamp(stat: Callable[[], object]) -> object:
    try:
        found = stat()
    except OSError as error:
        return error.errno
    return tuple(getattr(found, f"st_{name}") for name in ("dev", "ino", "size", "mtime_ns"))


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client that asks for ever new keys, or for memory of ours, gets neither.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    try:
        # Without a password of its own, an encrypted key would ask for one at the terminal.
        context.load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError as error:
        why = error.reason or "not PEM"
        raise ConfigError(
            f"--metrics-tls-cert {cert}, --metrics-tls-key {key}: {why}; give a chain and its"
            " unencrypted key in PEM"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"--metrics-tls-cert {cert}, --metrics-tls-key {key}: {error.strerror};"
            " make both readable for the process"
        ) from None
    return context


def _token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TOKEN + 1)
    except OSError as error:
        raise ConfigError(
            f"--metrics-token-file {path}: {error.strerror}; make it readable for the process"
        ) from None
    text = raw.strip()
    if not text or len(raw) > MAX_TOKEN or not text.isascii() or any(c <= 32 for c in text):
        raise ConfigError(
            f"--metrics-token-file {path}: must hold one word of 1..{MAX_TOKEN} ASCII characters"
        )
    return text.decode("ascii")
