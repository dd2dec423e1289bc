"""What is wanted, what was sent, and what the router has: prefix by prefix, where they differ.

Three words are compared: the agent's, the speaker's with what it told ExaBGP, and, where somebody
gives it, the router's own table. A word that is missing is unknown; it is not a difference.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bgpd.ctl.explainrank import attributes
from bgpd.ctl.routertable import RouterPath
from bgpd.model.grounds import AgentRoutes, PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Family, Prefix, family_of
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement, Attributes


class Verdict(StrEnum):
    """What is to be said of one route."""

    SAME = "same"
    WITHHELD = "withheld"
    """Wanted and not sent, for a reason that is told."""
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One prefix at one peer."""

    peer: str
    prefix: str
    verdict: Verdict
    wanted: bool | None
    """By the agent; None: it does not answer."""
    sent: str
    """The attributes that ExaBGP was told; empty: nothing."""
    received: str
    """What the router has; empty: nothing, or nobody asked it."""
    sentences: tuple[str, ...] = ()
    """What differs, or why it is withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All routes, and what was not compared."""

    node: str
    rows: tuple[Row, ...]
    unknown: tuple[str, ...] = ()
    """What could not be compared, a sentence each."""

    @property
    def differs(self) -> bool:
        """Whether a person has something to look at."""
        return any(one.verdict is Verdict.DIFFERS for one in self.rows)


ACCEPTED: Final = frozenset({Reason.STANDBY, Reason.DRAINED})
"""Reasons for which a route that is wanted is rightly not sent."""


def difference(
    speaker: SpeakerRoutes,
    agent: AgentRoutes | str,
    router: Sequence[RouterPath] | None,
    *,
    own: Iterable[Address] = (),
    families: Collection[Family] = tuple(Family),
) -> Difference:
    """Return how *speaker*, *agent* (or why it does not answer) and *router* differ.

    The router's paths are ours by their next hop: those that we sent, and *own* addresses. Its
    table tells of *families*; what it has of another one is unknown.
    """
    wanted: dict[tuple[PeerName, Prefix], Advertisement] = {}
    unknown = []
    if isinstance(agent, str):
        unknown.append(f"what the agent wants now: {agent}")
    else:
        wanted = {(one.peer, one.prefix): one for one in agent.advertisements}
    if router is None:
        unknown.append("what the router has: name its table with --router or --router-exec")
    if not speaker.settled:
        unknown.append("ExaBGP has not confirmed everything yet: look again in a moment")
    sent = {family_of(one.prefix) for one in speaker.routes if one.told is not None}
    if router is not None:
        unknown += [_untold(one) for one in sorted(sent - set(families))]
    rows = list(_rows(speaker, wanted, router, families, silent=isinstance(agent, str)))
    rows += _strangers(speaker, router or (), own)
    return Difference(
        node=speaker.node,
        rows=tuple(sorted(rows, key=lambda one: (one.peer, one.prefix))),
        unknown=tuple(unknown),
    )


def _rows(
    speaker: SpeakerRoutes,
    wanted: Mapping[tuple[PeerName, Prefix], Advertisement],
    router: Sequence[RouterPath] | None,
    families: Collection[Family],
    *,
    silent: bool,
) -> Iterator[Row]:
    known = {(one.peer, one.prefix): one for one in speaker.routes}
    heard = {(one.prefix, one.next_hop): one for one in router or ()}
    for key in sorted(known.keys() | wanted.keys()):
        peer, prefix = key
        row = known.get(key) or PeerRoute(peer=peer, prefix=prefix)
        agent = wanted.get(key)
        found = [*_unlike_agent(row, agent, silent=silent)]
        if row.told is not None and peer not in speaker.established:
            found.append("the session is down: the router hears nothing of it")
        path = heard.get((prefix, row.told.next_hop)) if row.told is not None else None
        told_of = router is not None and family_of(prefix) in families
        if told_of and row.told is not None and peer in speaker.established:
            found += _unlike_router(row.told, path)
        excused = row.withheld is not None and row.withheld.reason in ACCEPTED
        said = () if row.withheld is None else (f"{row.withheld.reason}: {row.withheld.message}",)
        verdict = Verdict.DIFFERS if found else Verdict.WITHHELD if excused else Verdict.SAME
        if row.withheld is not None and not excused:
            verdict = Verdict.DIFFERS
        yield Row(
            peer=peer,
            prefix=prefix,
            verdict=verdict,
            wanted=None if silent else agent is not None,
            sent="" if row.told is None else attributes(row.told),
            received="" if path is None else path_text(path),
            sentences=(*said, *found),
        )


def _untold(family: Family) -> str:
    return f"what the router has of {family.value}: its table has nothing of that, name that one"


def _unlike_agent(row: PeerRoute, agent: Advertisement | None, *, silent: bool) -> Iterator[str]:
    if not silent and (row.wanted is None) is not (agent is None):
        yield (
            "the agent wants it, and the speaker has not heard so"
            if agent is not None
            else "the agent does not want it any more, and the speaker has not heard so"
        )
    elif not silent and row.wanted != agent:
        yield "the agent wants it otherwise than the speaker knows"
    if row.withheld is not None:
        return
    if row.refused:
        yield "ExaBGP would not take it"
    elif row.wanted is not None and row.told is None:
        yield "it is wanted, and ExaBGP was not told of it"
    elif row.wanted is None and row.told is not None:
        yield "nobody wants it, and it was not taken back"


def _unlike_router(told: Attributes, path: RouterPath | None) -> Iterator[str]:
    """Yield what the router has otherwise than it was sent; what it does not print is the same."""
    if path is None:
        yield (
            "the router does not have it: it refused it (filter, prefix limit), or keeps another "
            "next hop"
        )
        return
    for what, sent, has in (
        ("MED", told.med, path.med),
        ("local preference", told.local_pref, path.local_pref),
    ):
        if sent is not None and has is not None and sent != has:
            yield f"{what}: sent {sent}, the router has {has}"
    for what, mine, theirs in (
        ("communities", told.communities, path.communities),
        ("large communities", told.large_communities, path.large_communities),
    ):
        lost = () if theirs is None else sorted(set(mine) - set(theirs))
        if lost:
            yield f"{what}: {' '.join(lost)} did not arrive"
    if path.as_path is not None and len(path.as_path) < told.as_path_prepend:
        yield (
            f"AS path: {told.as_path_prepend} copies were prepended, and the router's path has "
            f"{len(path.as_path)} ASNs"
        )


def _strangers(
    speaker: SpeakerRoutes, router: Iterable[RouterPath], own: Iterable[Address]
) -> Iterator[Row]:
    """Yield what a router has by one of our next hops, and we did not send."""
    sent = {(one.prefix, one.told.next_hop) for one in speaker.routes if one.told is not None}
    hops = {hop for _, hop in sent} | set(own)
    for path in router:
        if path.next_hop in hops and (path.prefix, path.next_hop) not in sent:
            yield Row(
                peer=f"(by {path.next_hop})",
                prefix=path.prefix,
                verdict=Verdict.DIFFERS,
                wanted=False,
                sent="",
                received=path_text(path),
                sentences=("the router has it, and we did not send it",),
            )


def path_text(path: RouterPath) -> str:
    """Return what the router has, in the words of what we send."""
    parts = [f"next hop {path.next_hop}"]
    if path.med is not None:
        parts.append(f"MED {path.med}")
    if path.local_pref is not None:
        parts.append(f"local preference {path.local_pref}")
    if path.as_path:
        parts.append(f"AS path {' '.join(map(str, path.as_path))}")
    if path.communities:
        parts.append(f"communities {' '.join(path.communities)}")
    if path.large_communities:
        parts.append(f"large communities {' '.join(path.large_communities)}")
    if path.best is not None:
        parts.append("best" if path.best else "not the first")
    return ", ".join(parts)
