"""A router's own table of what it heard, as it prints it: BIRD's text, FRR's and GoBGP's JSON.

BGP has no way to ask a peer what it did with a route; its own command line has. What a router does
not print is unknown, not empty: FRR's list leaves communities out, BIRD's prints all.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bgpd.model.errors import BgpdError, ConfigError
from bgpd.model.prefix import Address, Family, Prefix, family_of, parse_address, parse_prefix

_JSON: Final = ("{", "[")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPath:
    """One path that a router has; None is what it does not say."""

    prefix: Prefix
    next_hop: Address
    """By which we know whose it is."""
    med: int | None = None
    local_pref: int | None = None
    as_path: tuple[int, ...] | None = None
    origin: str | None = None
    communities: tuple[str, ...] | None = None
    large_communities: tuple[str, ...] | None = None
    best: bool | None = None


def families_of(text: str, paths: Iterable[RouterPath]) -> frozenset[Family]:
    """Return of which address families the table *text*, which holds *paths*, tells.

    FRR and GoBGP print one at a time, BIRD all of them. An empty table may be either's.
    """
    found = frozenset(family_of(one.prefix) for one in paths)
    return found if found and text.lstrip().startswith(_JSON) else frozenset(Family)


def parse(text: str) -> tuple[RouterPath, ...]:
    """Return the paths in *text*; raise `ConfigError` where it is no table that we know."""
    stripped = text.lstrip()
    if stripped.startswith(_JSON):
        try:
            content = json.loads(stripped)
        except ValueError as error:
            raise ConfigError(f"the router's table is no JSON: {error}") from None
        try:
            return tuple(_of_json(content))
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"the router's table is not understood: {error!r}") from None
    if re.search(r"^(BIRD |Table )|^\tBGP\.", text, re.MULTILINE):
        return tuple(_of_bird(text))
    raise ConfigError(
        "the router's table is not understood; give what `birdc show route all`, "
        "`vtysh -c 'show bgp ipv4 unicast json'` or `gobgp global rib -j` prints"
    )


_ROUTE: Final = re.compile(r"^(?P<prefix>[0-9a-fA-F.:]+/\d+)?\s+(?:\w+ )?\[[^]]*\](?P<rest>.*)$")
_ATTRIBUTE: Final = re.compile(r"^\tBGP\.(?P<name>\w+): ?(?P<value>.*)$")
_TUPLE: Final = re.compile(r"\(([0-9, ]+)\)")


def _of_bird(text: str) -> Iterator[RouterPath]:
    """Yield the paths of `birdc show route all`: a line for each, its attributes below."""
    prefix, best, attributes = "", False, dict[str, str]()
    for line in text.splitlines():
        route, attribute = _ROUTE.match(line), _ATTRIBUTE.match(line)
        if route is not None:
            yield from _bird_path(prefix, attributes, best=best)
            prefix, best = route["prefix"] or prefix, " * " in f"{route['rest']} "
            attributes = {}
        elif attribute is not None:
            attributes[attribute["name"]] = attribute["value"].strip()
    yield from _bird_path(prefix, attributes, best=best)


def _bird_path(prefix: str, said: Mapping[str, str], *, best: bool) -> Iterator[RouterPath]:
    hop = said.get("next_hop", "").partition(" ")[0]
    path = _path(prefix, hop)
    if path is not None:
        yield replace(
            path,
            med=_number(said.get("med")),
            local_pref=_number(said.get("local_pref")),
            as_path=_asns(said.get("as_path", "")),
            origin=said.get("origin", "").upper() or None,
            communities=_tuples(said.get("community", "")),
            large_communities=_tuples(said.get("large_community", "")),
            best=best,
        )


def _of_json(content: object) -> Iterator[RouterPath]:
    match content:
        case {"routes": dict(routes)}:
            for prefix, paths in routes.items():
                yield from _frr(prefix, paths if isinstance(paths, list) else [paths])
        case {"prefix": str(prefix), "paths": list(paths)}:
            yield from _frr(prefix, paths)
        case dict() if all(isinstance(paths, list) for paths in content.values()):
            for prefix, paths in content.items():
                yield from _gobgp(str(prefix), paths)
        case _:
            raise ConfigError("the router's table has no routes that we know how to read")


def _frr(prefix: str, paths: list[Any]) -> Iterator[RouterPath]:
    for one in paths:
        hops = one.get("nexthops") or [{"ip": one.get("nextHop") or ""}]
        path = _path(prefix, next((hop["ip"] for hop in hops if hop.get("ip")), ""))
        if path is None:
            continue
        aspath = one.get("aspath") or {}
        best = one.get("bestpath")
        yield replace(
            path,
            med=_number(one.get("med", one.get("metric"))),
            local_pref=_number(one.get("locPrf", one.get("localpref"))),
            as_path=_asns(str(one.get("path", aspath.get("string", "")))),
            origin=str(one.get("origin") or "").upper() or None,
            communities=_words(one.get("community")),
            large_communities=_words(one.get("largeCommunity")),
            best=bool(best.get("overall")) if isinstance(best, dict) else bool(best),
        )


_ORIGINS: Final = ("IGP", "EGP", "INCOMPLETE")


def _gobgp(prefix: str, paths: list[Any]) -> Iterator[RouterPath]:
    for index, one in enumerate(paths):
        said = {attr.get("type"): attr for attr in one.get("attrs") or ()}
        hop = said.get(14, said.get(3, {})).get("nexthop") or ""
        path = _path(prefix, str(hop))
        if path is None:
            continue
        asns = [asn for part in said.get(2, {}).get("as_paths") or () for asn in part["asns"]]
        numbers = said.get(8, {}).get("communities") or ()
        large = said.get(32, {}).get("value") or ()
        origin = said.get(1, {}).get("value")
        yield replace(
            path,
            med=_number(said.get(4, {}).get("metric")),
            local_pref=_number(said.get(5, {}).get("value")),
            as_path=tuple(asns),
            origin=_ORIGINS[origin] if origin in {0, 1, 2} else None,
            communities=tuple(sorted(f"{one >> 16}:{one & 0xFFFF}" for one in numbers)),
            large_communities=tuple(
                sorted(f"{v['ASN']}:{v['LocalData1']}:{v['LocalData2']}" for v in large)
            ),
            best=index == 0,
        )


def _path(prefix: str, hop: str) -> RouterPath | None:
    """Return a path with nothing but its key; None for what is no route of a peer's."""
    try:
        return RouterPath(prefix=parse_prefix(prefix), next_hop=parse_address(hop))
    except BgpdError:
        return None


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() else None


def _asns(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in re.findall(r"\d+", text))


def _tuples(text: str) -> tuple[str, ...]:
    return tuple(
        sorted(found.replace(", ", ",").replace(",", ":") for found in _TUPLE.findall(text))
    )


def _words(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    text = value.get("string", "") if isinstance(value, dict) else str(value)
    return tuple(sorted(text.split()))
