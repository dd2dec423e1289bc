"""Certificates that a test needs: good ones, strangers' and old ones."""

import ssl
import subprocess
from pathlib import Path

_CA = """\
[ca]
default_ca = here
[here]
database = {directory}/index.txt
serial = {directory}/serial
new_certs_dir = {directory}
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[req]
distinguished_name = any
[server]
basicConstraints = critical, CA:TRUE
subjectAltName = IP:127.0.0.1
"""
GOOD = ("20200101000000Z", "20990101000000Z")
OLD = ("20200101000000Z", "20200102000000Z")


class Identity:
    """A server's key and certificate, which vouches for itself."""

    def __init__(self, directory: Path, validity: tuple[str, str] = GOOD) -> None:
        directory.mkdir()
        self.key, self.certificate = directory / "key.pem", directory / "crt.pem"
        configuration = directory / "openssl.cnf"
        configuration.write_text(_CA.format(directory=directory))
        (directory / "index.txt").touch()
        (directory / "serial").write_text("01\n")
        request = directory / "request.pem"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        common = ("-config", str(configuration))
        _openssl(
            *("req", "-new", *curve, *common, "-subj", "/CN=fake"),
            *("-keyout", str(self.key), "-out", str(request)),
        )
        _openssl(
            *("ca", "-batch", "-selfsign", "-notext", *common, "-keyfile", str(self.key)),
            *("-in", str(request), "-out", str(self.certificate)),
            *("-startdate", validity[0], "-enddate", validity[1]),
        )

    @property
    def server(self) -> ssl.SSLContext:
        """What a server that is this one presents."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def _openssl(*words: str) -> None:
    subprocess.run(("openssl", *words), check=True, capture_output=True)
