"""What a scraper or the kubelet asks for, read out of the bytes, and the answers' bytes.

As little of HTTP/1.1 (RFC 9112) as a scrape needs: GET and HEAD, one request a connection. All
else is refused with a sentence, whatever the bytes are.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_HEAD: Final = 8192
"""Bytes of a request line and its fields."""
MAX_FIELDS: Final = 64
END: Final = b"\r\n\r\n"

TEXT: Final = "text/plain; charset=utf-8"
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_ASKED_FOR: Final = {401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": "GET, HEAD"}}
"""What an answer has to say of what would be answered (RFC 9110 sections 15.5.2 and 15.5.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    method: str
    path: str
    """Without what follows a question mark."""
    query: str = ""
    authorization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, complete."""

    code: int
    body: bytes
    content_type: str = TEXT
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that /livez or /readyz looks at."""

    name: str
    problem: str = ""
    """Why it fails, in a sentence; empty: it does not."""


class BadRequestError(Exception):
    """These bytes are no request that is answered here; *code* says why."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def parse(head: bytes) -> Request:
    """Return the request in *head*, which ends with an empty line; else `BadRequestError`."""
    if len(head) > MAX_HEAD or not head.endswith(END):
        raise BadRequestError(431, f"the head of a request has at most {MAX_HEAD} bytes")
    line, *fields = head.removesuffix(END).decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400, "the first line must be `GET PATH HTTP/1.1`")
    method, target, _ = parts
    if method not in {"GET", "HEAD"}:
        raise BadRequestError(405, "only GET and HEAD are answered")
    if not target.startswith("/"):
        raise BadRequestError(400, "the path must begin with /")
    if len(fields) > MAX_FIELDS:
        raise BadRequestError(431, f"more than {MAX_FIELDS} header fields")
    path, _, query = target.partition("?")
    return Request(method=method, path=path, query=query, authorization=_authorization(fields))


def _authorization(fields: Iterable[str]) -> str:
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon:
            raise BadRequestError(400, "a header field has no colon")
        if name.lower() == "authorization":
            return value.strip()
    return ""


def permitted(request: Request, token: str) -> bool:
    """Return whether *request* bears *token* (RFC 6750); no token is everybody's."""
    if not token:
        return True
    scheme, _, given = request.authorization.partition(" ")
    # The comparison takes as long for a wrong guess that begins well as for any other.
    same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.encode())
    return same and scheme.lower() == "bearer"


def checked(checks: Iterable[Check], *, what: str, verbose: bool) -> Response:
    """Return the answer of /livez or /readyz (*what*): 200 if every one of *checks* passes.

    As Kubernetes' own components print them; what fails is named in any case.
    """
    everything = tuple(checks)
    failed = [one for one in everything if one.problem]
    lines = [
        f"[-]{one.name} failed: {one.problem}" if one.problem else f"[+]{one.name} ok"
        for one in everything
        if one.problem or verbose
    ]
    if failed:
        lines.append(f"{what} check failed")
    elif verbose:
        lines.append(f"{what} check passed")
    else:
        lines.append("ok")
    text = "\n".join(lines) + ("\n" if verbose or failed else "")
    return Response(code=503 if failed else 200, body=text.encode("utf-8", "replace"))


def refused(code: int, sentence: str) -> Response:
    """Return the answer to what is not answered."""
    return Response(code=code, body=f"{sentence}\n".encode(), fields=_ASKED_FOR.get(code))


def encode(response: Response, *, head_only: bool = False) -> bytes:
    """Return *response* as it goes over the wire, after which the connection ends."""
    fields = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **(response.fields or {}),
    }
    head = f"HTTP/1.1 {response.code} {_PHRASES.get(response.code, '')}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return head.encode("latin-1") + (b"" if head_only else response.body)
