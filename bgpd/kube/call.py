"""One request, one answer: how an agent writes to the API server.

It has a connection of its own, so that nothing that it waits for holds up a watch.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from bgpd.kube.access import Access
from bgpd.kube.backoff import retry_after
from bgpd.kube.http1 import Head, Request
from bgpd.kube.reply import Reply, Unanswered, written
from bgpd.kube.transport import Connection, UnreachableError, UntrustedError
from bgpd.model.errors import ProtocolError

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json"
WITHIN: Final = 30.0
"""Seconds for an answer, and for each pause within one."""
_MOST: Final = 8 * 1024 * 1024
"""Bytes of an answer: more than any object has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to ask: path with query, and a document where there is one."""

    method: str
    target: str
    document: dict[str, Any] | None = None
    content_type: str = JSON


class Caller:
    """Asks the API server, one request at a time."""

    def __init__(self, access: Access, *, agent: str, writes: Counter[str] | None = None) -> None:
        """Ask as *agent*, the User-Agent that a server's log shows; count *writes* by their end."""
        self._access = access
        self._agent = agent
        self._writes = Counter() if writes is None else writes
        self._connection: Connection | None = None

    async def ask(self, call: Call) -> Reply | Unanswered:
        """Return what becomes of *call*; after a failure the credentials are read anew."""
        outcome: Reply | Unanswered = Unanswered("nobody waits for the answer any more")
        try:
            outcome = await self._ask(call)
        finally:
            if call.method != "GET":
                self._writes[written(outcome)] += 1
        return outcome

    async def _ask(self, call: Call) -> Reply | Unanswered:
        try:
            found = await self._again(call)
        except UnreachableError as error:
            outcome: Reply | Unanswered = Unanswered(str(error))
        except UntrustedError as error:
            outcome = Unanswered(str(error), untrusted=True)
        except OSError as error:
            outcome = Unanswered(f"the credentials cannot be read: {error}", untrusted=True)
        else:
            if found.code != 401:
                return found
            outcome = found
        self.close()
        await self._access.renew()
        return outcome

    async def _again(self, call: Call) -> Reply:
        """Ask; a second time where a connection that was quiet for long has just been closed."""
        used = self._connection is not None and self._connection.usable
        try:
            return await self._once(call)
        except UnreachableError:
            if not used:
                raise
        return await self._once(call)

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _once(self, call: Call) -> Reply:
        if self._connection is None or not self._connection.usable:
            self.close()
            self._connection = await Connection.open(self._access.endpoint())
        reader = _Reader()
        request = self._request(call)
        try:
            await self._connection.exchange(request, reader, head_within=WITHIN, idle=WITHIN)
        except ProtocolError as error:
            raise UnreachableError(str(error)) from None
        return reader.reply()

    def _request(self, call: Call) -> Request:
        fields = {"Accept": JSON, "User-Agent": self._agent}
        authorization = self._access.authorization()
        if authorization:
            fields["Authorization"] = authorization
        body = b""
        if call.document is not None:
            body = msgspec.json.encode(call.document)
            fields["Content-Type"] = call.content_type
        return Request(method=call.method, target=call.target, fields=fields, body=body)


class _Reader:
    """Collects an answer (bgpd.kube.transport.Reader)."""

    def __init__(self) -> None:
        self._head = Head(status=0)
        self._pieces: list[bytes] = []
        self._length = 0

    def head(self, head: Head) -> None:
        """Take the status."""
        self._head = head

    def body(self, data: bytes) -> None:
        """Take a piece."""
        self._length += len(data)
        if self._length > _MOST:
            raise ProtocolError(f"an answer is longer than {_MOST} bytes")
        self._pieces.append(data)

    def reply(self) -> Reply:
        """Return the whole."""
        return Reply(
            code=self._head.status,
            body=b"".join(self._pieces),
            told=retry_after(self._head.fields.get("retry-after", "")),
        )
