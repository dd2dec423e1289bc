"""What a BIRD says of its routes and of its session, as values. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a router heard of one prefix."""

    path: tuple[int, ...]
    next_hop: str
    med: int | None
    """Where a takeover says its generation."""
    communities: frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session, as its router sees it."""

    state: str
    asns: tuple[int, int]
    """The router's own, and that of the node."""
    neighbor: str
    hold: int
    """Seconds that both ends agreed on."""


def routes_of(text: str) -> Mapping[str, Route]:
    """Return prefix -> route, of what `show route all` says."""
    found: dict[str, Route] = {}
    for block in re.split(r"^(?=[0-9a-f.:]+/\d+)", text, flags=re.MULTILINE)[1:]:
        said = dict(re.findall(r"^\s+BGP\.(\w+): (.*)$", block, re.MULTILINE))
        pairs = re.findall(r"\(([\d,]+)\)", said.get("community", ""))
        found[block.split()[0]] = Route(
            path=tuple(map(int, said.get("as_path", "").split())),
            next_hop=said.get("next_hop", "").partition(" ")[0],
            med=int(said["med"]) if "med" in said else None,
            communities=frozenset(tuple(map(int, pair.split(","))) for pair in pairs),
        )
    return found


def session_of(text: str) -> Session | None:
    """Return what `show protocols all` says of a session; None: it is not there."""
    said = dict(re.findall(r"^\s+([A-Z][\w ]+?):\s+(.*)$", text, re.MULTILINE))
    if "Hold timer" not in said:
        return None
    return Session(
        state=said["BGP state"],
        asns=(int(said["Local AS"]), int(said["Neighbor AS"])),
        neighbor=said["Neighbor address"],
        hold=int(said["Hold timer"].partition("/")[2]),
    )
