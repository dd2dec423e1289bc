"""The keys and certificates of a cluster that lives for hours: openssl, once, at its start."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.error import EX_CONFIG, ClusterError

_DAYS = 30
_CONFIGURATION = """\
[req]
distinguished_name = nobody
[nobody]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, digitalSignature
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")

CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
}
"""Who may come with a certificate; everybody else comes with a token."""


def issue(directory: Path, addresses: Iterable[str], clients: Mapping[str, str] = CLIENTS) -> None:
    """Write the authority, the API server's, clients' and token keys into *directory*.

    The API server's certificate is good for *addresses*; *clients* are subjects by name.
    """
    if shutil.which("openssl") is None:
        raise ClusterError("openssl is not installed, and a cluster needs certificates", EX_CONFIG)
    directory.mkdir(parents=True, mode=0o700)
    names = [*(f"IP:{a}" for a in addresses), *(f"DNS:{name}" for name in _NAMES)]
    (directory / "openssl.cnf").write_text(_CONFIGURATION.format(names=", ".join(names)))
    _certificate(directory, "ca", "/CN=bgpd-test-authority", "authority")
    _certificate(directory, "apiserver", "/CN=kube-apiserver", "server")
    for name, subject in clients.items():
        _certificate(directory, name, subject, "client")
    # RSA, because its JSON Web Signatures are openssl's own bytes: `sign` needs no ASN.1.
    _openssl(directory, "genpkey", "-algorithm", "RSA", "-out", "tokens.key")
    _openssl(directory, "pkey", "-in", "tokens.key", "-pubout", "-out", "tokens.pub")


def sign(key: Path, message: bytes) -> bytes:
    """Return the RS256 signature of *message* by *key*."""
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key), "-binary"],
        input=message,
        capture_output=True,
        check=True,
    )
    return done.stdout


def _certificate(directory: Path, name: str, subject: str, kind: str) -> None:
    signer = () if kind == "authority" else ("-CA", "ca.crt", "-CAkey", "ca.key")
    _openssl(
        directory,
        *("req", "-x509", "-config", "openssl.cnf", "-extensions", kind, "-days", str(_DAYS)),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", subject),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", *signer),
    )


def _openssl(directory: Path, *words: str) -> None:
    done = subprocess.run(
        ["openssl", *words], cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"openssl {words[0]} failed: {done.stderr.strip()}")
