"""What we chose where upstream leaves it open: one table for the runner and for the reference.

A choice is found by what a case speaks of, never by its id. Where none fits, we do as upstream.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.conformance.case import Case, Map
from tests.conformance.room import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing that upstream leaves open."""

    topic: str
    sign: str
    """How a case says that it is about this."""
    words: str
    """What bgpd does."""
    holds: Callable[[Case], bool]
    expect: dict[str, Any] = field(default_factory=dict)
    """What stands in place of the case's own expectations."""
    without: frozenset[str] = frozenset()
    """Keys of `expect.peer` that bgpd does not keep."""


def _peers(case: Case) -> Iterator[Map]:
    peers = case.given.get("peers")
    found = list(peers.values()) if isinstance(peers, Mapping) else listed(peers)
    found += [*listed(case.given.get("peers_list")), case.given.get("peer")]
    return (one for one in found if isinstance(one, Mapping))


def _says(field_: str, instead: str = "") -> Callable[[Case], bool]:
    """Return whether a peer has *field_* and nothing *instead* of it."""
    return lambda case: any(one.get(field_) and not one.get(instead) for one in _peers(case))


def _edits_restart(case: Case) -> bool:
    return any(
        step.get("op") == "update" and "enableGracefulRestart" in step for step in case.steps
    )


CHOICES: Final = (
    Choice(
        topic="a peer with `disableMP`",
        sign="a peer has `disableMP: true`",
        words="accepted; the field has no effect and is named with the condition `FieldIgnored`",
        holds=_says("disableMP"),
        expect={"result": "ok", "ignored": ["disableMP"]},
        without=frozenset({"disableMP"}),
    ),
    Choice(
        topic="a peer with `dynamicASN`",
        sign="a peer has `dynamicASN` and no `peerASN`",
        words="accepted; there is no session, and the condition `NotSupported` names the field",
        holds=_says("dynamicASN", "peerASN"),
        expect={"result": "ok", "not_supported": ["dynamicASN"], "sessions": []},
    ),
    Choice(
        topic="a peer with `interface`",
        sign="a peer has `interface` and no `peerAddress`",
        words="accepted; there is no session, and the condition `NotSupported` names the field",
        holds=_says("interface", "peerAddress"),
        expect={"result": "ok", "not_supported": ["interface"], "sessions": []},
    ),
    Choice(
        topic="a peer with `vrf`",
        sign="a peer has `vrf`",
        words="accepted beside a peer of the same address without `vrf`; there is no session in a "
        "VRF, and the condition `NotSupported` names the field",
        holds=_says("vrf"),
        expect={"result": "ok", "not_supported": ["vrf"]},
    ),
    Choice(
        topic="two peers at one address while no Node is known",
        sign="`given.nodes` is an empty list",
        words="accepted: each node judges for itself, and those that select no common node hold",
        holds=lambda case: case.given.get("nodes") == [],
        expect={"result": "ok"},
    ),
    Choice(
        topic="an edit of `enableGracefulRestart`",
        sign="an `update` changes `enableGracefulRestart`",
        words="accepted; the session is set up anew, because the peer has to hear of it",
        holds=_edits_restart,
        expect={"result": "ok", "session_restarted": True},
    ),
)

AS_UPSTREAM: Final = (
    (
        "`RequireDualStack` where every pool has one family",
        "pending, with an Event: both addresses of a Service are of one pool",
    ),
    (
        "blanks around a block in `addresses`",
        "refused; around the dash of a range they are taken",
    ),
    (
        "two advertisements that differ in their names alone",
        "both hold, and their routes are the same",
    ),
    (
        "an endpoint that terminates and still serves",
        "counts: a node is advertised while an old Pod drains its connections",
    ),
)
"""What upstream leaves open and bgpd does alike: topic and words."""


def choice_of(case: Case) -> Choice | None:
    """Return the choice that *case* is about, if bgpd does something else than upstream."""
    return next((one for one in CHOICES if one.holds(case)), None)


def chosen(case: Case) -> Map:
    """Return what *case* expects of us: what upstream does, but for what our choice says."""
    choice = choice_of(case)
    if choice is None:
        return case.expect
    kept: dict[str, Any] = {
        key: value for key, value in case.expect.items() if key not in choice.expect
    }
    if isinstance(kept.get("peer"), Mapping):
        kept["peer"] = {k: v for k, v in kept["peer"].items() if k not in choice.without}
    if choice.expect.get("result") != case.expect.get("result"):
        kept = {}
    return kept | choice.expect
