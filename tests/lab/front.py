"""What stands between the nodes and the API server during a fault: a process of its own.

`front.py SPEC`, a JSON file. *slow* delays whatever a client sends, TLS and all. *empty* ends TLS
with the server's own certificate and lies once to each node about each resource: a watch that
would go on has expired, and the state that is asked for then is complete, old and empty.
Everything else passes. How often it lied is in the file `counts` at any time.
"""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_CHUNK = 65536
_MOST_HEAD = 65536
_OLD = "1"
_HOLD = 30.0
"""Seconds that a stream which lied stays open, unless its reader has had enough."""


class Slow:
    """Delay every request."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Remember where the server is."""
        self._spec = spec

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        there, back = await asyncio.open_connection(self._spec["address"], self._spec["port"])
        await _until_one_ends(self._delay(reader, back), _pump(there, writer))
        writer.close()
        back.close()

    async def _delay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def late() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(late())
            data = b"-"
            while data:
                data = await reader.read(_CHUNK)
                queue.put_nowait((loop.time() + self._spec["delay"], data))


class Empty:
    """Tell each node once that there is nothing."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Remember where the server is and whom it trusts."""
        self._spec = spec
        self._trust = ssl.create_default_context(cafile=spec["authority"])
        self._lied: set[tuple[str, str]] = set()
        self._expired: set[tuple[str, str]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: lies, and at last one true answer."""
        who = writer.get_extra_info("peername")[0]
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
            key = (who, path)
            if method != "GET" or key in self._lied:
                return await self._pass(head, reader, writer)
            follows = "watch" in query and "sendInitialEvents" not in query
            if follows and key not in self._expired:
                self._expired.add(key)
                await _refuse(writer)
                continue
            self._lied.add(key)
            self._count()
            if "watch" in query:
                return await _lie_in_a_stream(reader, writer)
            await _send(writer, 200, {"metadata": {"resourceVersion": _OLD}, "items": []})

    def _count(self) -> None:
        Path(self._spec["counts"]).write_text(str(len(self._lied)))

    async def _pass(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hand the request on, and everything that is answered; one request a connection."""
        there, back = await asyncio.open_connection(
            self._spec["address"], self._spec["port"], ssl=self._trust
        )
        head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
        back.write(head[:-4] + b"\r\nConnection: close\r\n\r\n")
        await _until_one_ends(_pump(reader, back), _pump(there, writer))
        writer.close()
        back.close()


async def _lie_in_a_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that the state is complete, before anything of it was said."""
    marks = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": _OLD, "annotations": marks}
    event = {"type": "BOOKMARK", "object": {"metadata": metadata}}
    line = json.dumps(event).encode() + b"\n"
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head + f"{len(line):x}\r\n".encode() + line + b"\r\n")
    await writer.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), _HOLD)
    writer.close()


async def _refuse(writer: asyncio.StreamWriter) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410}
    status |= {"reason": "Expired", "message": "too old resource version"}
    await _send(writer, 410, status)


async def _send(writer: asyncio.StreamWriter, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


class _EndedError(Exception):
    """One direction has ended, and so has the other."""


async def _until_one_ends(*both: Coroutine[Any, Any, None]) -> None:
    async def to_its_end(one: Coroutine[Any, Any, None]) -> None:
        with suppress(OSError):
            await one
        raise _EndedError

    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            for one in both:
                group.create_task(to_its_end(one))


async def main(spec: dict[str, Any]) -> None:
    """Serve until killed; say so when ready."""
    front = Slow(spec) if spec["mode"] == "slow" else Empty(spec)
    tls = None
    if spec["mode"] == "empty":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(spec["certificate"], spec["key"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await front.answer(reader, writer)

    server = await asyncio.start_server(
        answer, spec["address"], spec["listen"], ssl=tls, limit=_MOST_HEAD
    )
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
