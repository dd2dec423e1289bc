"""An API server that answers lists from a table, for commands that ask about every node."""

import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

NODES: Final = "/api/v1/nodes"
STATUSES: Final = "/apis/bgpd.io/v1alpha1/bgpnodestatuses"
KUBECONFIG: Final = """\
apiVersion: v1
kind: Config
current-context: x
contexts:
- {{name: x, context: {{cluster: c, user: u}}}}
- {{name: nowhere, context: {{cluster: missing, user: u}}}}
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""

Lists = Mapping[str, Sequence[Mapping[str, Any]]]


@contextmanager
def api(directory: Path, lists: Lists, forbidden: Collection[str] = ()) -> Iterator[Path]:
    """Serve *lists*, by path, and refuse what is *forbidden*; yield a kubeconfig for them."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Return the list of the path, or 404."""
            path = urlsplit(self.path).path
            found = path in lists
            kind = "NodeList" if path == NODES else "BGPNodeStatusList"
            document = {"apiVersion": "v1", "kind": kind, "items": lists.get(path, ())}
            body = json.dumps(
                document if found and path not in forbidden else {"kind": "Status", "message": "no"}
            ).encode()
            self.send_response(403 if path in forbidden else 200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = directory / "kubeconfig"
    config.write_text(KUBECONFIG.format(port=server.server_address[1]))
    try:
        yield config
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
