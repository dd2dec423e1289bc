"""An API server for tests: real bytes over a real socket, and every way to misbehave.

It keeps objects by path, counts versions as etcd does, and speaks what the real one speaks: lists
in pages, watches, streams of the initial state, bookmarks, and errors as Status objects. The same
tests run against the real one (`tests/contracts/test_source.py`).
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Document = dict[str, Any]
Query = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    path: str
    query: Query
    authorization: str
    accept: str = ""
    method: str = "GET"
    body: Document = field(default_factory=dict)

    @property
    def watch(self) -> bool:
        """Whether it asks for a watch."""
        return self.query.get("watch") == "true"

    @property
    def stream(self) -> bool:
        """Whether it asks for the whole state in a watch."""
        return self.query.get("sendInitialEvents") == "true"


@dataclass(slots=True)
class _Collection:
    objects: dict[str, Document] = field(default_factory=dict)
    log: list[tuple[int, str, Document]] = field(default_factory=list)
    compacted: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)


Answer = tuple[int, Document]
"""A status and its body, in place of what a request would get."""


class FakeApiServer:
    """Collections of objects, served on loopback."""

    def __init__(self) -> None:
        self.version = 1000
        self.asked: list[Asked] = []
        self.streams = True
        """Whether it knows WatchList."""
        self.selects = True
        """Whether it knows `spec.type` as a field selector."""
        self.token = ""
        """The token that it wants; empty for none."""
        self.refuse: Callable[[Asked], Answer | None] = lambda _: None
        """What to answer instead, for each request; None to answer as usual."""
        self.hanging = False
        """Whether it accepts and answers nothing."""
        self.page_expires = False
        """Whether the second page of a list is refused, once."""
        self.lie: tuple[int, list[Document]] | None = None
        """A version and objects that the next complete answer tells instead of the truth."""
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._collections: dict[str, _Collection] = {}
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    # The life of it

    async def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection and listen no more."""
        tasks = [task for task in self._writers.values() if task is not None]
        self.cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        # What was accepted but not yet served closes in its own turns.
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()
        for one in self._collections.values():
            one.bell.set()

    # What a person does with it

    def install(self, *paths: str) -> None:
        """Make collections known."""
        for path in paths:
            self._collections.setdefault(path, _Collection())

    def uninstall(self, path: str) -> None:
        """Forget a collection, as when its CRD goes: every object goes first."""
        self.clear(path)
        self._collections.pop(path).bell.set()

    def apply(self, path: str, document: Document) -> None:
        """Create or replace one object."""
        one = self._collections[path]
        name = _name(document)
        known = name in one.objects
        self.version += 1
        metadata = {**document.get("metadata", {}), "resourceVersion": str(self.version)}
        document = {**document, "metadata": metadata}
        one.objects[name] = document
        self._append(one, "MODIFIED" if known else "ADDED", document)

    def objects(self, path: str) -> list[Document]:
        """Return the objects of one collection as they are."""
        return list(self._collections[path].objects.values())

    def delete(self, path: str, name: str) -> None:
        """Delete the object `namespace/name` or `name`."""
        one = self._collections[path]
        self.version += 1
        document = one.objects.pop(name)
        metadata = {**document["metadata"], "resourceVersion": str(self.version)}
        self._append(one, "DELETED", {**document, "metadata": metadata})

    def clear(self, path: str) -> None:
        """Delete every object of a collection, one by one."""
        for name in tuple(self._collections[path].objects):
            self.delete(path, name)

    def compact(self) -> None:
        """Forget history, as a restarted server has: older versions are gone."""
        for one in self._collections.values():
            one.log.clear()
            one.compacted = self.version

    def say(self, path: str, line: Document | bytes) -> None:
        """Write a line into every watch of *path*."""
        one = self._collections[path]
        text = line if isinstance(line, bytes) else json.dumps(line).encode()
        one.log.append((self.version, "", {"raw": text}))
        one.bell.set()

    def bookmark(self, path: str) -> None:
        """Send a bookmark to every watch of *path*."""
        self.say(path, _bookmark(path, self.version, complete=False))

    def watches(self, path: str) -> int:
        """Return how many watches of *path* were asked for."""
        return sum(one.watch and one.path == path for one in self.asked)

    def _append(self, one: _Collection, verb: str, document: Document) -> None:
        one.log.append((self.version, verb, document))
        one.bell.set()

    # HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if self.hanging:
                    await asyncio.sleep(3600)
                asked = _asked(head)
                body = await reader.readexactly(_length(head))
                await self._answer(replace(asked, body=json.loads(body or b"{}")), writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            del self._writers[writer]
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        instead = self.refuse(asked) or self._refused(asked)
        if instead is not None:
            await _whole(writer, *instead)
        elif asked.method != "GET" or asked.path not in self._collections:
            await _whole(writer, 200, self._one(asked))
        elif asked.watch:
            await self._watch(asked, writer)
        else:
            await _whole(writer, 200, self._page(asked))

    def _refused(self, asked: Asked) -> Answer | None:
        if self.token and asked.authorization != f"Bearer {self.token}":
            return _status(401, "Unauthorized", "Unauthorized")
        if self._found(asked) is None:
            return _status(404, "NotFound", "the server could not find the requested resource")
        if asked.stream and not self.streams:
            return _status(422, "Invalid", "sendInitialEvents is forbidden for watch")
        if "fieldSelector" in asked.query and not self.selects:
            return _status(400, "BadRequest", "field label not supported: spec.type")
        version = asked.query.get("resourceVersion", "")
        if asked.watch and version and int(version) < self._collections[asked.path].compacted:
            return _status(410, "Expired", f"too old resource version: {version}")
        return None

    def _found(self, asked: Asked) -> tuple[str, str] | None:
        """Return the collection and the name that *asked* means; no name for all of it."""
        if asked.path in self._collections:
            return asked.path, ""
        path, _, name = asked.path.removesuffix("/status").rpartition("/")
        made = asked.method != "GET"
        known = path in self._collections and (made or name in self._collections[path].objects)
        return (path, name) if known else None

    def _one(self, asked: Asked) -> Document:
        """Return one object, after what *asked* does to it: a merge, for all kinds of patches."""
        found = self._found(asked)
        assert found is not None
        path, name = found[0], found[1] or asked.body["metadata"]["name"]
        known = self._collections[path].objects.get(name, {})
        if asked.method == "GET":
            return known
        metadata = {**known.get("metadata", {}), **asked.body.get("metadata", {})}
        self.apply(path, {**known, **asked.body, "metadata": {**metadata, "name": name}})
        return self._collections[path].objects[name]

    def _state(self, asked: Asked) -> tuple[int, list[Document]]:
        if self.lie is not None:
            lie, self.lie = self.lie, None
            return lie
        one = self._collections[asked.path]
        return self.version, [found for found in one.objects.values() if _selected(asked, found)]

    def _page(self, asked: Asked) -> Document:
        limit = int(asked.query.get("limit", "0"))
        start = int(asked.query.get("continue", "0"))
        version, found = self._state(asked)
        metadata = {"resourceVersion": str(version)}
        if limit and start + limit < len(found):
            metadata["continue"] = str(start + limit)
            found = found[start : start + limit]
        else:
            found = found[start:]
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": found}

    async def _watch(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        one = self._collections[asked.path]
        at = len(one.log)
        if asked.stream:
            version, found = self._state(asked)
            for document in found:
                await _chunk(writer, _line("ADDED", document))
            await _chunk(writer, _lined(_bookmark(asked.path, version, complete=True)))
        else:
            since = int(asked.query["resourceVersion"])
            at = next((n for n, (version, *_) in enumerate(one.log) if version > since), at)
        while self._collections.get(asked.path) is one and not writer.is_closing():
            one.bell.clear()
            for _, verb, document in one.log[at:]:
                raw = document["raw"] + b"\n" if not verb else _line(verb, document)
                if not verb or _selected(asked, document):
                    await _chunk(writer, raw)
                elif verb == "MODIFIED":
                    await _chunk(writer, _line("DELETED", document))
            at = len(one.log)
            await one.bell.wait()
        await _chunk(writer, b"")


def _name(document: Document) -> str:
    metadata = document["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def _asked(head: str) -> Asked:
    lines = head.split("\r\n")
    url = urlsplit(lines[0].split(" ")[1])
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    return Asked(
        path=unquote(url.path),
        query=query,
        authorization=fields.get("Authorization", ""),
        accept=fields.get("Accept", ""),
        method=lines[0].split(" ")[0],
    )


def _length(head: str) -> int:
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    return int(fields.get("Content-Length", "0"))


def _selected(asked: Asked, document: Document) -> bool:
    field, _, value = asked.query.get("fieldSelector", "").partition("=")
    if field == "metadata.name":
        return bool(document["metadata"]["name"] == value)
    if field != "spec.type":
        return True
    return bool((document.get("spec") or {}).get("type") == "LoadBalancer")


def _status(code: int, reason: str, message: str) -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return code, {**body, "message": message, "reason": reason, "code": code}


def error(code: int, reason: str, message: str = "") -> Document:
    """Return the line of an error within a watch."""
    return {"type": "ERROR", "object": _status(code, reason, message)[1]}


def refusal(code: int, reason: str, message: str = "") -> Answer:
    """Return an answer that refuses."""
    return _status(code, reason, message)


def _bookmark(path: str, version: int, *, complete: bool) -> Document:
    metadata: Document = {"resourceVersion": str(version), "creationTimestamp": None}
    if complete:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"type": "BOOKMARK", "object": {"kind": path.rpartition("/")[2], "metadata": metadata}}


def _line(verb: str, document: Document) -> bytes:
    return _lined({"type": verb, "object": document})


def _lined(document: Document) -> bytes:
    return json.dumps(document).encode() + b"\n"


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


async def _whole(writer: asyncio.StreamWriter, code: int, document: Document) -> None:
    body = json.dumps(document).encode()
    retry = document.get("details", {}).get("retryAfterSeconds")
    extra = f"Retry-After: {retry}\r\n" if retry else ""
    head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


@asynccontextmanager
async def served(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeApiServer]:
    """Return a server that runs until the end of the block."""
    server = FakeApiServer()
    server.tls = tls
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
