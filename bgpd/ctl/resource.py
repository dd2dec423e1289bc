"""The nouns of `bgpctl get` and `bgpctl describe`: one table of what can be listed, and how."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from bgpd.ctl import items, listing
from bgpd.ctl import listtable as tables
from bgpd.ctl.listcolumns import Column, Shape, render
from bgpd.ctl.scene import Scene
from bgpd.model.errors import BgpdError
from bgpd.model.prefix import host_prefix, parse_address, parse_prefix


class UnknownNounError(BgpdError):
    """A person asked for something that there is no list of."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One kind of thing that can be listed."""

    plural: str
    singular: str
    kind: str
    """In documents; their list is of the kind `KIND`List."""
    about: str
    """What one is, for `--help`."""
    item: type[Any]
    items: Callable[[Scene], tuple[Any, ...]]
    columns: Sequence[Column[Any]]
    inventory: bool = False
    """Whether only the agent knows them all: its inventory is asked for."""
    routes: bool = False
    """Whether the speaker's routes are asked for."""
    fleet: bool = True
    """Whether what agents write for the cluster says something of them."""
    partly: str = ""
    """Which of them agents leave out there, in a sentence; empty: none."""
    paths: tuple[str, ...] = ()
    """What of the API says more of them than the agents do."""
    spaces: Callable[[Any], Iterable[str]] | None = None
    """The namespaces of an item; None: such things have none."""

    def table(self, found: Sequence[Any], *, now: float, shape: Shape) -> str:
        """Return *found* as a table; *now* is the wall clock."""
        return render(self.columns, found, now=now, shape=shape)


def _spaces_of_services(one: items.ElasticIP) -> Iterable[str]:
    return (name.partition("/")[0] for name in one.services or ())


def _spaces_of_check(one: items.CheckItem) -> Iterable[str]:
    return (one.name.partition("/")[0],)


NOUNS: Final[tuple[Noun, ...]] = (
    Noun(
        plural="elasticips",
        singular="elasticip",
        kind="ElasticIP",
        about="addresses of Services: who carries them, and why not",
        item=items.ElasticIP,
        items=listing.elastic_ips,
        columns=tables.ELASTIC_IPS,
        spaces=_spaces_of_services,
    ),
    Noun(
        plural="peers",
        singular="peer",
        kind="Peer",
        about="BGPPeers as they are written, and what came of them",
        item=items.Peer,
        items=listing.peers,
        columns=tables.PEERS,
        inventory=True,
        fleet=False,
    ),
    Noun(
        plural="sessions",
        singular="session",
        kind="Session",
        about="BGP sessions",
        item=items.Session,
        items=listing.sessions,
        columns=tables.SESSIONS,
    ),
    Noun(
        plural="routes",
        singular="route",
        kind="Route",
        about="what each peer is sent, with its attributes",
        item=items.Route,
        items=listing.routes,
        columns=tables.ROUTES,
        routes=True,
    ),
    Noun(
        plural="nodes",
        singular="node",
        kind="Node",
        about="nodes: this one, and what it hears of the others",
        item=items.NodeItem,
        items=listing.nodes,
        columns=tables.NODES,
    ),
    Noun(
        plural="members",
        singular="member",
        kind="Member",
        about="members of the mesh",
        item=items.Member,
        items=listing.members,
        columns=tables.MEMBERS,
    ),
    Noun(
        plural="pools",
        singular="pool",
        kind="Pool",
        about="IPAddressPools, and how full they are",
        item=items.Pool,
        items=listing.pools,
        columns=tables.POOLS,
        inventory=True,
        paths=(
            "/apis/bgpd.io/v1alpha1/ipaddresspools",
            "/apis/metallb.io/v1beta1/ipaddresspools",
            "/api/v1/services",
        ),
    ),
    Noun(
        plural="healthchecks",
        singular="healthcheck",
        kind="HealthCheck",
        about="health checks of Services on this node, with their last answers",
        item=items.CheckItem,
        items=listing.health_checks,
        columns=tables.HEALTH_CHECKS,
        inventory=True,
        partly="agents tell the cluster only of health checks that fail",
        spaces=_spaces_of_check,
    ),
)
HOST: Final = "host"
"""What was added to the host's network: a noun without a list (`bgpd.ctl.hostview`)."""
WORDS: Final = (*(noun.plural for noun in NOUNS), HOST)


def noun_of(word: str) -> Noun:
    """Return the noun that *word* names in singular or plural, in any case.

    Raise `UnknownNounError` with the nearest one.
    """
    wanted = word.lower()
    for noun in NOUNS:
        if wanted in {noun.singular, noun.plural}:
            return noun
    every = (*WORDS, *(noun.singular for noun in NOUNS))
    near = get_close_matches(wanted, every, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(WORDS)}"
    raise UnknownNounError(f"there is no list of {word!r}; {hint}")


def named(found: Iterable[Any], names: Sequence[str]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Return the items that have one of *names*, and the names that none has.

    Names with a namespace may be said without it, prefixes of one address without their length.
    """
    every = tuple(found)
    asked = {form for name in names for form in _forms(name)}
    chosen = tuple(one for one in every if not names or _names_of(one) & asked)
    known = {name for one in chosen for name in _names_of(one)}
    return chosen, tuple(name for name in names if not _forms(name) & known)


def _forms(name: str) -> set[str]:
    """Return *name* as it was typed, and as we write it: an IPv6 address has many forms."""
    try:
        return {name, parse_prefix(name) if "/" in name else host_prefix(parse_address(name))}
    except BgpdError:
        return {name}


def _names_of(one: Any) -> set[str]:
    name = str(one.name)
    address, _, length = name.partition("/")
    if length in {"32", "128"}:
        return {name, address}
    if isinstance(one, items.ElasticIP):
        return {name, str(one.prefix)}
    return {name, length} if length else {name}
