"""A cluster's objects for a command that runs once: read whole, written one by one."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from bgpd.kube.access import Access, InCluster, mounted
from bgpd.kube.call import APPLY, MERGE, Call, Caller
from bgpd.kube.reply import Reply, Unanswered
from bgpd.model.errors import ConfigError, TransientError

_PAGE: Final = 250
"""Objects of one page: an answer has an end, and Services can be long."""
_GONE: Final = 404
_CONFLICT: Final = 409
_NO_RIGHT: Final = frozenset({401, 403})
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})

Document = dict[str, Any]


class ConflictError(TransientError):
    """Somebody else wrote the object since it was read."""


class NoRightError(ConfigError):
    """The account that asks may not read or write that."""


class ConversionError(TransientError):
    """Objects cannot be read because who converts between their versions is away."""


class Cluster:
    """One API server, asked by a person. Use it as a context: it holds a connection."""

    def __init__(self, access: Access, *, within: float | None = None) -> None:
        """Ask the server of *access*; *within* bounds the seconds of each answer.

        None: they are what a server that works may need.
        """
        self._within = within
        self._caller = Caller(access, agent="bgpctl")
        self._runner = asyncio.Runner()
        self._where = access.where

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def get(self, path: str) -> Document | None:
        """Return the object at *path*, or None where there is none."""
        reply = self._ask(Call(method="GET", target=quote(path)))
        return None if reply.code == _GONE else self._good(path, reply).document

    def every(self, path: str) -> list[Document]:
        """Return all objects of the collection at *path*; none where it does not exist."""
        return list(self._pages(path))

    def apply(self, document: Mapping[str, Any], path: str, manager: str) -> Document:
        """Write *document* at *path* by server-side apply; what it names becomes *manager*'s."""
        target = f"{quote(path)}?fieldManager={manager}&force=true"
        call = Call(method="PATCH", target=target, document=dict(document), content_type=APPLY)
        return self._good(path, self._ask(call)).document

    def merge(self, path: str, patch: Mapping[str, Any]) -> Document | None:
        """Change what *patch* says at *path*; None where the object is gone."""
        call = Call(method="PATCH", target=quote(path), document=dict(patch), content_type=MERGE)
        reply = self._ask(call)
        return None if reply.code == _GONE else self._good(path, reply).document

    def _pages(self, path: str) -> Iterator[Document]:
        rest: str | None = ""
        while rest is not None:
            more = f"&continue={quote(rest, safe='')}" if rest else ""
            reply = self._ask(Call(method="GET", target=f"{quote(path)}?limit={_PAGE}{more}"))
            if reply.code == _GONE:
                return
            page = self._good(path, reply).document
            kind = str(page.get("kind") or "").removesuffix("List")
            for item in page.get("items") or ():
                # The items of a list of Kubernetes' own kinds do not say what they are.
                yield {"apiVersion": page.get("apiVersion"), "kind": kind, **item}
            rest = (page.get("metadata") or {}).get("continue") or None

    async def _close(self) -> None:
        self._caller.close()
        await asyncio.sleep(0)  # a transport closes in the loop's next turn

    def _ask(self, call: Call) -> Reply:
        outcome = self._runner.run(self._asked(call))
        if isinstance(outcome, Unanswered):
            if outcome.untrusted:
                raise ConfigError(f"{self._where}: {outcome.why}")
            raise TransientError(f"{self._where}: {outcome.why}")
        return outcome

    async def _asked(self, call: Call) -> Reply | Unanswered:
        try:
            async with asyncio.timeout(self._within):
                return await self._caller.ask(call)
        except TimeoutError:
            return Unanswered(f"no answer within {self._within:g} s")

    def _good(self, path: str, reply: Reply) -> Reply:
        if reply.good:
            return reply
        sentence = f"{self._where}: {path}: {reply.words}"
        if "conversion webhook" in reply.words:
            raise ConversionError(sentence)
        if reply.code == _CONFLICT:
            raise ConflictError(sentence)
        if reply.code in _LATER:
            raise TransientError(sentence)
        if reply.code in _NO_RIGHT:
            raise NoRightError(f"{sentence}; use an account that may do this")
        raise ConfigError(sentence)


def has_access(kubeconfig: Path | None) -> bool:
    """Return whether anything here names a cluster, be it within reach or not."""
    named = kubeconfig is not None or bool(os.environ.get("KUBECONFIG"))
    return named or mounted() or os.path.exists(_default())  # noqa: PTH110 - never an error


def access_of(kubeconfig: Path | None, context: str = "") -> Access:
    """Return the way in: a kubeconfig that was named, $KUBECONFIG, the pod's account, or ~/.kube.

    *context* is one of the kubeconfig's; a pod's account has none. Raises `ConfigError` where none
    of them works.
    """
    from bgpd.kube.kubeconfig import Kubeconfig  # noqa: PLC0415 - see its docstring

    if kubeconfig is not None:
        return Kubeconfig(kubeconfig, context=context)
    if named := os.environ.get("KUBECONFIG", ""):
        return Kubeconfig(Path(named.split(os.pathsep)[0]), context=context)
    if mounted() and not context:
        return InCluster(os.environ)
    try:
        return Kubeconfig(Path(_default()), context=context)
    except ConfigError as error:
        hint = "name another with --kubeconfig PATH or $KUBECONFIG"
        raise ConfigError(f"{error}; {hint}") from None


def _default() -> str:
    """Return where kubectl looks, too; a user without a home has none, and that is no error."""
    return os.path.expanduser("~/.kube/config")  # noqa: PTH111 - `Path` raises without a home
