"""Talk to an API server: plain requests, watches and server-side apply, one at a time.

This is the tests' way in, so it is nothing that bgpd ships: whoever proves bgpd's own client must
not use it to say what the server holds.
"""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlencode

Document = dict[str, Any]
"""A Kubernetes object as JSON has it."""
FIELD_MANAGER: Final = "tests"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
_TIMEOUT = 30.0
_DISCOVERY_PATIENCE = 60.0
"""Seconds until a new CustomResourceDefinition must be served."""


class ApiError(Exception):
    """The API server refused: *status* is HTTP's, *reason* and the text are the server's own."""

    def __init__(self, status: int, answer: Document) -> None:
        """Keep what the server said."""
        super().__init__(answer.get("message") or f"HTTP status {status}")
        self.status = status
        self.reason: str = answer.get("reason", "")
        self.answer = answer


class Connection(http.client.HTTPSConnection):
    """HTTPS over a socket that somebody else opens, for example in another network namespace."""

    def __init__(self, open_: Callable[[], socket.socket], tls: ssl.SSLContext, host: str) -> None:
        """Remember; `connect` opens."""
        super().__init__(host, timeout=_TIMEOUT)
        self._open = open_
        self._tls = tls

    def connect(self) -> None:
        """Open the socket and shake hands."""
        plain = self._open()
        plain.settimeout(_TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


class Api:
    """One client of an API server: with the administrator's certificate, or with a token."""

    def __init__(self, connect: Callable[[], Connection], token: str | None = None) -> None:
        """Speak over what *connect* makes, with *token* where there is one."""
        self._connect = connect
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, Document]] = {}

    def request(
        self,
        method: str,
        path: str,
        body: Document | None = None,
        *,
        content_type: str = "application/json",
        **parameters: str,
    ) -> Any:
        """Return the server's JSON (or text) to one request, or raise `ApiError`.

        *parameters* become the query, for example `resourceVersion="5"`.
        """
        headers = {**self._headers, "Content-Type": content_type}
        with self._lock:
            response = self._exchange(method, _target(path, parameters), body, headers)
            answered = response.read()
        parsed = _parsed(answered, response)
        if response.status >= 400:
            raise ApiError(response.status, parsed if isinstance(parsed, dict) else {})
        return parsed

    def watch(self, path: str, *, timeout: float = _TIMEOUT, **parameters: str) -> Iterator[Any]:
        """Yield the events of a watch on a connection of its own, until the server ends it."""
        with closing(self._connect()) as connection:
            connection.request(
                "GET", _target(path, {"watch": "true", **parameters}), headers=self._headers
            )
            connection.sock.settimeout(timeout)
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(response.status, _parsed(response.read(), response))
            for line in response:
                yield json.loads(line)

    def apply(self, document: Mapping[str, Any], namespace: str = "default") -> Document:
        """Write *document* by server-side apply, its status too; return what the server made of it.

        A document without a namespace goes into *namespace*, if its kind has namespaces.
        """
        path = self.path(document, namespace)
        asked = {"fieldManager": FIELD_MANAGER, "force": "true"}
        named = {k: document[k] for k in ("apiVersion", "kind")}
        wanted = {k: v for k, v in document.items() if k != "status"}
        made: Document = self.request("PATCH", path, wanted, content_type=APPLY, **asked)
        if "status" in document and self._resource(document).get("hasStatus"):
            name = {"name": document["metadata"]["name"]}
            status = {**named, "metadata": name, "status": document["status"]}
            made = self.request("PATCH", f"{path}/status", status, content_type=APPLY, **asked)
        return made

    def delete(self, document: Mapping[str, Any], namespace: str = "default") -> None:
        """Delete the object that *document* names."""
        self.request("DELETE", self.path(document, namespace))

    def path(self, document: Mapping[str, Any], namespace: str = "default") -> str:
        """Return the path of the object that *document* names, from what the server serves."""
        resource = self._resource(document)
        metadata = document["metadata"]
        inside = (
            f"/namespaces/{metadata.get('namespace', namespace)}" if resource["namespaced"] else ""
        )
        return f"{_group(document['apiVersion'])}{inside}/{resource['name']}/{metadata['name']}"

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, target: str, body: Document | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        reused = self._connection is not None
        while True:
            connection = self._connection = self._connection or self._connect()
            try:
                connection.request(method, target, content, headers)
                return connection.getresponse()
            except (OSError, http.client.HTTPException):
                self.close()
                if not reused:
                    raise
                reused = False  # the server was restarted since: once more, on a new connection

    def _resource(self, document: Mapping[str, Any]) -> Document:
        version, kind = document["apiVersion"], document["kind"]
        end = time.monotonic() + _DISCOVERY_PATIENCE
        while kind not in self._kinds.get(version, {}):
            self._kinds[version] = self._discover(version)
            if kind in self._kinds[version]:
                break
            if time.monotonic() > end:
                raise ApiError(404, {"message": f"{version} {kind} is not served"})
            time.sleep(0.05)
        return self._kinds[version][kind]

    def _discover(self, version: str) -> dict[str, Document]:
        try:
            served: list[Document] = self.request("GET", _group(version))["resources"]
        except ApiError as error:
            if error.status != 404:
                raise
            return {}
        names = {each["name"] for each in served}
        return {
            each["kind"]: {**each, "hasStatus": f"{each['name']}/status" in names}
            for each in served
            if "/" not in each["name"]
        }


def _group(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _target(path: str, parameters: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


def _parsed(answered: bytes, response: http.client.HTTPResponse) -> Any:
    if response.headers.get_content_type() == "application/json":
        return json.loads(answered)
    return {"message": answered.decode()} if response.status >= 400 else answered.decode()
