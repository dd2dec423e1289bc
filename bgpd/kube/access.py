"""Where the API server is and who we are, inside a cluster: two files and two variables.

The `kubernetes` package knows the same and costs 45 MB; it is loaded only for a kubeconfig
(`bgpd.kube.kubeconfig`).
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from bgpd.kube.transport import Endpoint
from bgpd.model.errors import ConfigError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Access(Protocol):
    """Who can tell where the API server is and who we are."""

    @property
    def where(self) -> str:
        """The server's URL, for people."""

    @property
    def namespace(self) -> str:
        """The namespace that we live in, which holds our configuration."""

    @property
    def person(self) -> str:
        """What a person gave us to get in (a file's name), or the empty text inside a cluster.

        What a person got wrong ends the start; what a cluster gets wrong is waited out.
        """

    def endpoint(self) -> Endpoint:
        """Return the endpoint, with what there is to trust now, or raise `OSError`."""

    def authorization(self) -> str:
        """Return the Authorization field as of now, or the empty text."""

    async def renew(self) -> None:
        """Read the credentials anew."""


class InCluster:
    """The service account of the pod. Its token is replaced on disk, so it is read each time."""

    person = ""

    def __init__(self, environment: Mapping[str, str], root: Path = SERVICE_ACCOUNT) -> None:
        host = environment.get("KUBERNETES_SERVICE_HOST", "")
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not port.isdecimal():
            raise ConfigError(
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod; "
                "use --source kubernetes:KUBECONFIG"
            )
        self._host, self._port, self._root = host, int(port), root
        self._trusted: tuple[tuple[int, int], ssl.SSLContext] | None = None
        try:
            self.namespace = (root / "namespace").read_text().strip()
            self.authorization()
            self.endpoint()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the service account in {root} cannot be used: {error}; set "
                "automountServiceAccountToken: true"
            ) from None

    @property
    def where(self) -> str:
        """The server's URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"https://{host}:{self._port}"

    def endpoint(self) -> Endpoint:
        """Return the endpoint; the authority is read again when its file changed."""
        path = self._root / "ca.crt"
        found = path.stat()
        stamp = (found.st_mtime_ns, found.st_ino)
        if self._trusted is None or self._trusted[0] != stamp:
            self._trusted = (stamp, context(path.read_text(errors="replace")))
        return Endpoint(host=self._host, port=self._port, tls=self._trusted[1])

    def authorization(self) -> str:
        """Return the token as the field has it, or raise `OSError`."""
        path = self._root / "token"
        return field(f"Bearer {path.read_text(errors='replace').strip()}", path)

    async def renew(self) -> None:
        """Nothing to do: everything is read each time."""


def field(text: str, path: Path) -> str:
    """Return *text* of the file *path* if a header may have it, or raise `OSError`."""
    if not (text.isascii() and text.isprintable()):
        # Never the text itself: most of it may be a good token.
        raise OSError(f"{path} has characters that no token has")
    return text


def mounted(root: Path = SERVICE_ACCOUNT) -> bool:
    """Return whether a service account is mounted: then the API is where documents come from."""
    return (root / "token").is_file()


def context(authority: str | None) -> ssl.SSLContext:
    """Return what trusts the certificates of *authority* alone (PEM), or the system's if None.

    Raises `OSError` where it is none.
    """
    if authority is not None:
        # Comments beside the certificates may be in any language.
        authority = authority.encode("ascii", "ignore").decode()
        if not authority.strip():
            # Python takes that for None: whoever has any public certificate would be believed.
            raise OSError("the certificate of the authority is empty")
    found = ssl.create_default_context(cadata=authority)
    # Python 3.13 demands of an authority what many a cluster's does not have; Go does not.
    found.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    found.set_alpn_protocols(["http/1.1"])
    return found


def reach(kubeconfig: str, environment: Mapping[str, str]) -> Access:
    """Return how to get in by *kubeconfig*; where that is empty, as a pod or by KUBECONFIG."""
    path = kubeconfig or ("" if mounted() else environment.get("KUBECONFIG", ""))
    if not path:
        return InCluster(environment)
    from bgpd.kube.kubeconfig import Kubeconfig  # noqa: PLC0415 - 45 MB that a pod does not need

    return Kubeconfig(Path(path), namespace=environment.get("BGPD_NAMESPACE", ""))
