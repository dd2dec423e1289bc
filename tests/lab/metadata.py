"""A provider's metadata server for the lab: each node that asks hears of itself alone.

`metadata.py DIRECTORY ADDRESS` serves what `documents.json` in DIRECTORY says: source address ->
path -> document. The file is read again for each question, so a provider may change its mind. Who
asked what is a line in `asked.jsonl`.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

PORT: Final = 80
DOCUMENTS: Final = "documents.json"
ASKED: Final = "asked.jsonl"
_IDLE: Final = 10.0
"""Seconds after which a connection on which nothing is asked is given up."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET with the asking node's own document."""

    directory = Path()
    protocol_version = "HTTP/1.1"
    timeout = _IDLE

    def do_GET(self) -> None:
        """Answer with the document, or with what a web server says where there is none."""
        known = json.loads((self.directory / DOCUMENTS).read_text())
        source = self.client_address[0]
        document = known.get(source, {}).get(self.path)
        asked = {"at": time.monotonic(), "source": source, "path": self.path}
        with (self.directory / ASKED).open("a") as log:
            log.write(json.dumps(asked) + "\n")
        if document is None:
            self._answer(404, "text/html", b"<html><body>Not Found</body></html>")
        else:
            self._answer(200, "application/json", json.dumps(document).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Say nothing: `asked.jsonl` tells who asked."""


def main() -> None:
    """Serve until killed."""
    directory, address = Path(sys.argv[1]), sys.argv[2]
    Handler.directory = directory
    server = ThreadingHTTPServer((address, PORT), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
