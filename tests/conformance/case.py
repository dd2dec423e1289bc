"""From a file to cases: the schema, what a case expects of us, and what is wrong with the file.

What a case expects is `expect` where its parity is `match`. Where it is `diverge`, `want` stands
above it; where it is `choose`, what our reference says does (`tests.conformance.choice`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from bgpd.kube.text import documents_in

Map: TypeAlias = Mapping[str, Any]

COMMENTARY: Final = frozenset({"note", "why", "option"})
"""Keys of `expect` and `want` that are for people."""
SUPERSEDED: Final[Mapping[str, frozenset[str]]] = {
    "all_errors_at_once": frozenset({"first_error_reported_each_time"}),
    "rule": frozenset({"localPref_of_route"}),
    "strict_mode": frozenset({"result"}),
}
"""Keys of `expect` that a key of `want` stands for under another name."""
READINGS: Final[Mapping[str, str]] = {
    "all_errors_at_once": "every mistake that there is stands in the node's status, at every "
    "moment",
    "attribute": "the route's UPDATE has a path attribute of this type",
    "configurable_reuse_delay": "the same steps in a pool with `spec.reuseDelay` give the released "
    "address to nobody, and give it once the delay is over; without the delay, as upstream",
    "events": "how many Events of each reason the steps cause",
    "include": "each peer that hears of the Service has a session with a state and a time since "
    "when in the node's status",
    "result": "`ok` or `error`; where it is another one than upstream's, whatever else upstream "
    "shows is not expected",
    "rule": "a condition or a reason `ConflictingAdvertisements` is told (text that asks to detect "
    "and report a clash)",
    "session_restarted": "the session's part of ExaBGP's configuration changes; `only when a "
    "session parameter changed`: exactly if the edit names another field than `nodeSelectors`",
    "split": "everything is withdrawn, and no UPDATE is longer than so many bytes",
    "strict_mode": "an aggregate is refused, or no route made of it reaches beyond its pool",
    "total": "a number, or `saturates whatever the order`: 2^63 - 1 for every order of the blocks",
}
"""How each key of `want` is read; any other key of `expect` may stand there, too."""
USUAL: Final[Mapping[str, Map]] = {
    "service": {
        "type": "LoadBalancer",
        "namespace": "default",
        "clusterIPs": ["10.96.0.1"],
        "externalTrafficPolicy": "Cluster",
        "ports": ["tcp/8080"],
        "ipFamilyPolicy": "SingleStack",
    }
}
"""What holds where `meta.defaults` of a file says nothing: a Service that can have an address."""
_PARITIES: Final = ("match", "choose", "diverge")
_FIELDS: Final = frozenset({"id", "area", "given", "action", "expect", "parity", "want"})


class UnreadableError(Exception):
    """A file that is none of this schema, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case."""

    id: str
    area: str
    given: Map
    action: Map
    expect: Map
    """What is expected of us, without commentary."""
    upstream: Map
    """What upstream does, as the file has it."""
    want: Map = field(default_factory=dict)
    parity: str = "match"
    defaults: Map = field(default_factory=dict)
    """`meta.defaults` of the file: by kind, what holds where a case says nothing."""

    @property
    def steps(self) -> tuple[Map, ...]:
        """The actions in their order."""
        steps = self.action.get("steps")
        return (self.action,) if steps is None else tuple(steps)


def cases_in(path: Path) -> list[Case]:
    """Return the cases of the file at *path*, or raise `UnreadableError`."""
    try:
        (raw, *others) = documents_in(path.read_bytes(), json=path.suffix == ".json")
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UnreadableError(f"{path}: is empty") from None
    faults = (raw.error, *raw.faults, *(["holds several documents"] if others else []))
    for fault in filter(None, faults):
        raise UnreadableError(f"{path}: {fault}")
    content = raw.content
    cases = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(cases, list):
        raise UnreadableError(f"{path}: has no list `cases`")
    defaults = _defaults(path, content.get("meta"))
    found = [_case(one, f"{path}: case {place}", defaults) for place, one in enumerate(cases, 1)]
    _refuse_twins(path, found)
    return found


def _defaults(path: Path, meta: Any) -> Map:
    match meta:
        case None | {"defaults": None}:
            given: Mapping[Any, Any] = {}
        case {"defaults": {**found}}:
            given = found
        case {**others} if "defaults" not in others:
            given = {}
        case _:
            raise UnreadableError(f"{path}: meta.defaults: must be a map")
    if not all(isinstance(one, dict | None) for one in given.values()):
        raise UnreadableError(f"{path}: meta.defaults: must be a map of maps")
    named = {kind: {**USUAL.get(kind, {}), **(one or {})} for kind, one in given.items()}
    return {**USUAL, **named}


def effective(expect: Map, want: Map, parity: str) -> Map:
    """Return what is expected of us, of `expect` and `want`.

    Where *want* asks for another result, what else upstream shows in its place means nothing.
    """
    base = {key: value for key, value in expect.items() if key not in COMMENTARY}
    wish = {key: value for key, value in want.items() if key not in COMMENTARY}
    if parity != "diverge":
        return base
    if "result" in wish and wish["result"] != base.get("result"):
        return wish
    gone = {key for one in wish for key in SUPERSEDED.get(one, ())}
    return {key: value for key, value in base.items() if key not in gone} | wish


def _case(raw: object, place: str, defaults: Map) -> Case:
    if not isinstance(raw, dict):
        raise UnreadableError(f"{place}: is not a map")
    place = f"{place} ({raw.get('id', 'without id')})"
    missing = [key for key in ("id", "area", "action", "expect") if not raw.get(key)]
    if missing:
        raise UnreadableError(f"{place}: {', '.join(missing)} is missing or empty")
    unknown = sorted(map(str, raw.keys() - _FIELDS))
    if unknown:
        raise UnreadableError(f"{place}: {', '.join(unknown)} is no field of the schema")
    parity = raw.get("parity", "match")
    if parity not in _PARITIES:
        raise UnreadableError(f"{place}: parity: {parity!r} must be one of {', '.join(_PARITIES)}")
    parts = {key: raw.get(key) or {} for key in ("given", "action", "expect", "want")}
    for key, value in parts.items():
        if not isinstance(value, dict):
            raise UnreadableError(f"{place}: {key}: must be a map")
    steps = parts["action"].get("steps", [{}])
    if not isinstance(steps, list) or not all(isinstance(one, dict) for one in steps) or not steps:
        raise UnreadableError(f"{place}: action.steps: must be a list of maps")
    return Case(
        id=str(raw["id"]),
        area=str(raw["area"]),
        given=parts["given"],
        action=parts["action"],
        expect=effective(parts["expect"], parts["want"], parity),
        upstream=parts["expect"],
        want=parts["want"],
        parity=parity,
        defaults=defaults,
    )


def _refuse_twins(path: Path, cases: Sequence[Case]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise UnreadableError(f"{path}: two cases are called {case.id}")
        seen.add(case.id)
