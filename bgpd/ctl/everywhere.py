"""`bgpd host cleanup --all-nodes`: have every agent leave its node, and wait until each has.

The agents do it: they alone have the right to. Each hears the request in an annotation of its
node's BGPNodeStatus, and says in the condition `Cleaned` there how far it is. The request is taken
back at the end; agents that left stay so until they are started anew.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from bgpd.kube.nodestatus import LEAVE_ANNOTATION, PLURAL
from bgpd.kube.objects import OUR_GROUP
from bgpd.model.errors import BgpdError, TransientError

STATUSES: Final = f"/apis/{OUR_GROUP}/{PLURAL}"
CLEANED: Final = "Cleaned"
_APART: Final = 1.0
_GRACE_SECONDS: Final = 60.0
"""For how long a request outlives us, if we cannot take it back."""

Document = Mapping[str, Any]


class Api(Protocol):
    """The API server (`bgpd.ctl.cluster.Cluster`)."""

    def every(self, path: str) -> list[dict[str, Any]]:
        """Return all objects of a collection."""

    def merge(self, path: str, patch: Document) -> Document | None:
        """Change one object; None where it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What became of a request to all nodes."""

    cleaned: tuple[str, ...] = ()
    unclean: Mapping[str, str]
    """Node -> why it is not, in a sentence."""


def leave(
    api: Api,
    *,
    seconds: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Left:
    """Ask all agents to leave, wait at most *seconds*; *say* hears of each node that has."""
    until = datetime.fromtimestamp(wall() + seconds + _GRACE_SECONDS, UTC)
    request = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    end, asked = clock() + seconds, set[str]()
    cleaned: list[str] = []
    try:
        while True:
            try:
                statuses, ready = _ask(api, request, asked)
            except TransientError:
                # A pod's network may come a moment after its program, and an API server may go.
                if clock() >= end:
                    raise
                sleep(_APART)
                continue
            waiting = sorted(statuses.keys() - set(cleaned))
            new = [name for name in waiting if _is_clean(statuses[name])]
            cleaned += new
            for name in new:
                say(f"{name}: clean")
            unclean = {
                name: _why(statuses[name], ready.get(name))
                for name in sorted(statuses.keys() - set(cleaned))
            }
            if not unclean or clock() >= end:
                return Left(cleaned=tuple(cleaned), unclean=unclean)
            sleep(_APART)
    finally:
        _take_back(api, asked)


def _ask(
    api: Api, request: str, asked: set[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, bool]]:
    """Ask who was not *asked* yet; return what each says, and which Nodes work."""
    statuses = {one["metadata"]["name"]: one for one in api.every(STATUSES)}
    for name in sorted(statuses.keys() - asked):
        _annotate(api, name, request)
        asked.add(name)
    return statuses, _ready(api)


def _annotate(api: Api, name: str, value: str | None) -> None:
    api.merge(f"{STATUSES}/{name}", {"metadata": {"annotations": {LEAVE_ANNOTATION: value}}})


def _take_back(api: Api, asked: set[str]) -> None:
    """Take the request back; where that fails it ends by itself."""
    for name in sorted(asked):
        try:
            _annotate(api, name, None)
        except BgpdError:
            continue


def _ready(api: Api) -> dict[str, bool]:
    """Return which Nodes there are, and whether kubelet says that they work."""
    found = {}
    for node in api.every("/api/v1/nodes"):
        conditions = (node.get("status") or {}).get("conditions") or ()
        found[node["metadata"]["name"]] = any(
            one.get("type") == "Ready" and one.get("status") == "True" for one in conditions
        )
    return found


def _condition(status: Document) -> Document:
    conditions = (status.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == CLEANED), {})


def _is_clean(status: Document) -> bool:
    # An agent that is started anew does not say so any more, so this is never an old story.
    return _condition(status).get("status") == "True"


def _why(status: Document, ready: bool | None) -> str:
    if ready is None:
        return "there is no such Node any more; if the machine lives: bgpd host cleanup on it"
    said = str(_condition(status).get("message") or "its agent says nothing")
    if not ready:
        return f"{said}; the Node is not ready"
    if not _condition(status):
        name = status["metadata"]["name"]
        said += "; where none is to run: bgpd host cleanup on the node, then kubectl delete"
        said += f" bgpnodestatus {name}"
    return said
