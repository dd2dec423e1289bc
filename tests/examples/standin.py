"""A provider's metadata or API: `standin.py DIRECTORY ADDRESS [CERTIFICATE TOKEN]`.

It answers as the lab's own metadata server does, each server its document. With a certificate (and
its key, in one file) it speaks TLS, and refuses whoever does not bear the token.
"""

import ssl
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.lab.metadata import PORT, Handler

TLS_PORT = 443


class Guarded(Handler):
    """Asks for the token before it answers."""

    token = ""

    def do_GET(self) -> None:  # noqa: N802 - the base's own name
        """Answer, or refuse."""
        if self.token and self.headers["Authorization"] != f"Bearer {self.token}":
            self._answer(401, "application/json", b'{"code": 401, "message": "Unauthorized"}')
        else:
            super().do_GET()


def main() -> None:
    """Serve until killed."""
    directory, address, *guard = sys.argv[1:]
    Guarded.directory = Path(directory)
    server = ThreadingHTTPServer((address, TLS_PORT if guard else PORT), Guarded)
    if guard:
        certificate, Guarded.token = guard
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
