"""Certificates for tests, made by openssl: an authority, and a server that it vouches for."""

import shutil
import subprocess
from pathlib import Path

from tests.lacking import lacking

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = bgpd test
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
subjectAltName = IP:127.0.0.1,DNS:shop.example
authorityKeyIdentifier = keyid
"""


def make_certificates(directory: Path) -> None:
    """Put `ca.pem`, `server.key` and `server.pem` into *directory*."""
    if shutil.which("openssl") is None:
        lacking("openssl is not installed", unproven="probes with TLS")
    (directory / "openssl.cnf").write_text(_CONFIG)
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config openssl.cnf"
    _openssl(directory, f"{new} -extensions authority -keyout ca.key -out ca.pem")
    _openssl(
        directory,
        f"{new} -extensions server -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem",
    )


def _openssl(directory: Path, arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments.split()],
        cwd=directory, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
