"""Answers people who ask why: what a decision on a Service rests on, and what is wanted of a peer.

Ten thousand Services are looked through once for a question that names an address; nothing is kept.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bgpd.agent.planner import Planner
from bgpd.kube.view import Objects
from bgpd.model.cluster import Service
from bgpd.model.grounds import AgentRoutes, Grounds
from bgpd.policy.grounds import grounds
from bgpd.policy.merge import NOTHING
from bgpd.policy.pools import parse_ingress

MOST: Final = 50
"""Services of one answer: a name may be that of one in every namespace."""


class Grounding:
    """Knows the decisions of one agent, and what they rest on."""

    def __init__(self, planner: Planner, objects: Callable[[], Objects]) -> None:
        """Ask *planner* what it decided on the *objects* in force."""
        self._planner = planner
        self._objects = objects

    def grounds(self, arguments: Mapping[str, str]) -> tuple[Grounds, ...]:
        """Return what decisions rest on about whatever *arguments* name: a Service, an address."""
        planner, objects = self._planner, self._objects()
        if planner.context is None:
            return ()
        services = planner.services
        return tuple(
            grounds(
                one,
                objects.slices(one.key),
                planner.context,
                planner.decision_on(one.key) or NOTHING,
                sharing=lambda prefix: services.get(prefix, ()),
            )
            for one in self._named(arguments.get("name", ""))
        )

    def routes(self, arguments: Mapping[str, str]) -> AgentRoutes:
        """Return what is wanted of the peer that *arguments* name, or of all."""
        peer, prefix = arguments.get("peer", ""), arguments.get("prefix", "")
        wanted = self._planner.advertisements
        return AgentRoutes(
            node=self._planner.node,
            advertisements=tuple(
                wanted[key] for key in wanted if peer in {"", key[0]} and prefix in {"", key[1]}
            ),
        )

    def _named(self, name: str) -> list[Service]:
        """Return the Services that a person may mean by *name*, the first `MOST` by name."""
        found = sorted(self._matching(name.lower()), key=lambda one: one.key)
        return found[:MOST]

    def _matching(self, name: str) -> Iterator[Service]:
        objects = self._objects()
        exact = objects.service(name)
        if exact is not None:
            yield exact
            return
        address = parse_ingress(name.partition("/")[0])
        for one in objects.services:
            if address is None:
                if name == one.name:
                    yield one
            elif any(parse_ingress(text) == address for text in one.ingress):
                yield one
