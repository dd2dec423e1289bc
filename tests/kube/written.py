"""What an agent writes of a node, for those who look at a part of it."""

from dataclasses import replace
from typing import Any

from bgpd.kube.nodestatus import document
from bgpd.kube.problem import Problem
from bgpd.model.status import NodeStatus
from tests.ctl.samples import NODE, NOW, SPEAKER


def status(node: NodeStatus, **more: Any) -> dict[str, Any]:
    """Return the status that is written for *node*."""
    found: dict[str, Any] = document(node, now=NOW, **more)["status"]
    return found


def with_speaker(**changes: Any) -> NodeStatus:
    """Return a node whose speaker differs by *changes*."""
    return replace(NODE, speaker=replace(SPEAKER, **changes))


def problem(message: str = "is wrong", **changes: Any) -> Problem:
    """Return a problem with a document."""
    fields = {"source": "bgpd-system/tor-a", "kind": "BGPPeer", "name": "tor-a", **changes}
    return Problem(message=message, **fields)
