"""Speak to the etcd of a cluster where the API server offers no way.

That is compaction, and a change while the API server is away: what another one would write.
"""

import base64
import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

from tests.cluster.commands import ETCD_SOCKET
from tests.cluster.error import ClusterError

_TIMEOUT = 30.0


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket in a directory whose path may be of any length."""

    def __init__(self, directory: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._directory = directory

    def connect(self) -> None:
        """Open the socket by way of the directory's descriptor: 108 bytes are soon full."""
        descriptor = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(_TIMEOUT)
            self.sock.connect(f"/proc/self/fd/{descriptor}/{ETCD_SOCKET}")
        finally:
            os.close(descriptor)


def compact(directory: Path) -> int:
    """Make the newest revision the oldest one that etcd remembers, and return it."""
    found = _call(directory, "/v3/kv/range", {"key": _encoded(b"\0"), "limit": 1})
    revision = int(found["header"]["revision"])
    _call(directory, "/v3/kv/compaction", {"revision": revision, "physical": True})
    return revision


def read(directory: Path, key: str) -> bytes:
    """Return what is stored under *key*, like `/registry/endpointslices/default/x`."""
    found = _call(directory, "/v3/kv/range", {"key": _encoded(key.encode())})
    if not found.get("kvs"):
        raise ClusterError(f"etcd: there is no {key}")
    return base64.b64decode(found["kvs"][0]["value"])


def write(directory: Path, key: str, value: bytes) -> None:
    """Store *value* under *key*: bytes that an API server had stored there before."""
    _call(directory, "/v3/kv/put", {"key": _encoded(key.encode()), "value": _encoded(value)})


def _encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _call(directory: Path, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = _Connection(directory)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise ClusterError(f"etcd: {answer.get('message', response.status)}")
    return answer
