"""Where the API server is and who we are, outside a cluster: a kubeconfig.

The `kubernetes` package reads it, exec plugins and all. It costs 45 MB, so it is loaded here, when
a kubeconfig is used, and never inside a cluster.
"""

import asyncio
import logging
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bgpd.kube.access import context, field
from bgpd.kube.transport import Endpoint
from bgpd.model.errors import ConfigError

AGAIN: Final = 5.0
"""Seconds after a renewal in which there is no other."""
PATIENCE: Final = 10.0
"""Seconds for which a watch waits for a renewal before it goes on with what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    where: str
    endpoint: Endpoint
    authorization: str


class Kubeconfig:
    """A context of a kubeconfig, the current one by default; to make it may raise `ConfigError`."""

    def __init__(self, path: Path, namespace: str = "", *, context: str = "") -> None:
        self._path = path
        self._context = context
        self._look: asyncio.Future[tuple[_Loaded, str]] | None = None
        self._looked = float("-inf")
        """When the last renewal ended."""
        self._loaded, found = _load(path, context)
        self.namespace = namespace or found

    @property
    def person(self) -> str:
        """The file."""
        return f"kubeconfig {self._path}"

    @property
    def where(self) -> str:
        """The server's URL."""
        return self._loaded.where

    def endpoint(self) -> Endpoint:
        """Return the endpoint."""
        return self._loaded.endpoint

    def authorization(self) -> str:
        """Return the token as the field has it, or the empty text with a client certificate."""
        return self._loaded.authorization

    async def renew(self) -> None:
        """Read the file again, in a thread: a plugin may take seconds. Failure changes nothing.

        Twenty watches lose a server at one instant, and ask for this after each attempt to find it
        again. So all of them share one look, and the next one is some seconds later. A plugin may
        hang in the same outage; what we have is good enough to go on with meanwhile.
        """
        loop = asyncio.get_running_loop()
        if self._look is None and loop.time() >= self._looked + AGAIN:
            self._look = loop.run_in_executor(None, _load, self._path, self._context)
            self._look.add_done_callback(self._take)
        if self._look is not None:
            await asyncio.wait({self._look}, timeout=PATIENCE)

    def _take(self, look: asyncio.Future[tuple[_Loaded, str]]) -> None:
        self._look, self._looked = None, look.get_loop().time()
        if not look.cancelled() and look.exception() is None:
            self._loaded, _ = look.result()


def _load(path: Path, wanted: str = "") -> tuple[_Loaded, str]:
    from kubernetes.client import Configuration  # noqa: PLC0415 - see the module's docstring
    from kubernetes.config import kube_config  # noqa: PLC0415

    _must_be_file(path)
    configuration = Configuration()
    with _complaints() as complaints:
        try:
            package: Any = kube_config  # its functions are untyped
            loader = package._get_kube_config_loader(  # noqa: SLF001
                filename=str(path), persist_config=False, active_context=wanted or None
            )
            loader.load_and_set(configuration)
        except Exception as error:  # noqa: BLE001 - it raises whatever its parsers raise
            raise ConfigError(f"kubeconfig {path}: {_why(error)}") from None
        current = loader.current_context
    if complaints:
        # The package logs a plugin that fails, and goes on without credentials.
        raise ConfigError(f"kubeconfig {path}: {complaints[0]}")
    namespace = current.get("context", {}).get("namespace") or "default"
    return _understood(path, configuration), str(namespace)


def _must_be_file(path: Path) -> None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"kubeconfig {path}: is not a regular file")
        path.open("rb").close()
    except FileNotFoundError:
        raise ConfigError(f"kubeconfig {path}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"kubeconfig {path}: cannot be read: {error.strerror}") from None


def _understood(path: Path, configuration: Any) -> _Loaded:
    url = urlsplit(configuration.host)
    if url.scheme not in {"https", "http"} or not url.hostname or url.path.strip("/"):
        raise ConfigError(f"kubeconfig {path}: server {configuration.host!r} is not https://HOST")
    tls = _tls(path, configuration) if url.scheme == "https" else None
    try:
        port = url.port or (443 if tls else 80)
    except ValueError as error:
        raise ConfigError(f"kubeconfig {path}: server {configuration.host!r}: {error}") from None
    keys = configuration.api_key  # its name for a token changed with version 37
    token = keys.get("BearerToken") or keys.get("authorization") or ""
    try:
        token = field(token, path)
    except OSError as error:
        raise ConfigError(f"kubeconfig: {error}") from None
    name = getattr(configuration, "tls_server_name", None) or ""
    return _Loaded(
        where=configuration.host,
        endpoint=Endpoint(host=url.hostname, port=port, tls=tls, name=name),
        authorization=token,
    )


def _tls(path: Path, configuration: Any) -> ssl.SSLContext:
    try:
        authority = configuration.ssl_ca_cert
        found = context(Path(authority).read_text() if authority else None)
        if not configuration.verify_ssl:
            found.check_hostname = False
            found.verify_mode = ssl.CERT_NONE
        if configuration.cert_file:
            found.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"kubeconfig {path}: certificates: {_short(error)}") from None
    return found


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what the package logs instead of raising it."""
    found: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(" ".join(record.getMessage().split()))

    ear = Ear(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(ear)
    try:
        yield found
    finally:
        root.removeHandler(ear)


def _why(error: Exception) -> str:
    """Return what is wrong; what Python says of its own types helps nobody."""
    if isinstance(error, AttributeError | TypeError | UnicodeDecodeError):
        return "is not a kubeconfig; name the file that kubectl uses"
    return _short(error)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
