"""Where a cluster stands: the steps of the walk, and what is so on each node."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bgpd.migrate.found import (
    Found,
    ingress_of,
    key_of,
    labels_of,
    listed,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from bgpd.migrate.installation import served
from bgpd.migrate.workload import SPEAKER_LABEL, speaking

HELD: Final = "TakeoverHeld"
"""Type of the agents' condition while the mark is there."""
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


class Step(StrEnum):
    """The steps of the walk, in order."""

    NOTHING = "nothing"
    """There is no MetalLB here."""
    INSTALL = "install"
    COPY = "copy"
    GIVE_WAY = "giveWay"
    MOVE = "move"
    WAIT = "wait"
    STOP_CONTROLLER = "stopController"
    FINISH = "finish"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStand:
    """One node: who speaks on it, and how well."""

    name: str
    metallb: bool
    """Whether a pod of MetalLB's speaker is there."""
    labelled: bool
    """Whether it has the label that moves it."""
    sessions: int = 0
    established: int = 0
    """Of bgpd."""
    reported: bool = False
    """Whether bgpd's agent there says anything."""
    held: bool = False
    """Whether its agent says that no peer shall have a lever."""
    levers: frozenset[str] = frozenset()
    """The levers that its routes carry."""
    generation: int | None = None
    only_carrier_of: tuple[str, ...] = ()
    """Services whose endpoints are all on this node, and that no other node may advertise."""

    @property
    def leverless(self) -> bool:
        """Whether a route of its has no lever yet, or none any more."""
        return self.held or "none" in self.levers

    @property
    def moved(self) -> bool:
        """Whether bgpd carries its traffic."""
        return not self.metallb and 0 < self.sessions == self.established


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a cluster stands."""

    step: Step
    nodes: tuple[NodeStand, ...] = ()
    held: bool = False
    """Whether the mark is there."""
    uncopied: tuple[str, ...] = ()
    """MetalLB's objects whose copy is not there, or says something else."""
    why: str = ""
    """Where the cluster stands, in a sentence."""
    commands: tuple[str, ...] = ()
    """What to type next."""
    back: tuple[str, ...] = ()
    """What takes the last step back."""
    warnings: tuple[str, ...] = ()


def nodes_of(found: Found) -> Iterator[NodeStand]:
    """Yield what is so on each Node."""
    theirs = speaking(found)
    reports = {name_of(one): status_of(one) for one in found.ours("BGPNodeStatus")}
    carriers, without = _only_carriers(found), _without_lever(found)
    for node in found.nodes:
        name = name_of(node)
        report = reports.get(name, {})
        sessions = [one for one in listed(report.get("sessions")) if isinstance(one, Mapping)]
        generation = report.get("takeoverGeneration")
        yield NodeStand(
            name=name,
            metallb=name in theirs,
            labelled=SPEAKER_LABEL in labels_of(node),
            sessions=len(sessions),
            established=sum(one.get("state") == "Established" for one in sessions),
            reported=bool(report),
            held=_says_held(report),
            levers=frozenset(
                str(one.get("lever")) for one in sessions if one.get("peer") not in without
            ),
            generation=generation if isinstance(generation, int) else None,
            only_carrier_of=carriers.get(name, ()),
        )


def _says_held(report: Mapping[str, Any]) -> bool:
    conditions = [one for one in listed(report.get("conditions")) if isinstance(one, Mapping)]
    return any(one.get("type") == HELD and one.get("status") == "True" for one in conditions)


def _without_lever(found: Found) -> frozenset[str]:
    """Return the peers that a person wants without a lever, walk or no walk."""
    names = set()
    for one in found.ours("BGPPeer"):
        takeover = spec_of(one).get("takeover")
        if isinstance(takeover, Mapping) and takeover.get("lever") == "none":
            names.add(name_of(one))
    return frozenset(names)


def _only_carriers(found: Found) -> dict[str, tuple[str, ...]]:
    """Return the Services that one node alone carries: Local, and all endpoints there."""
    nodes: dict[str, set[str]] = {}
    for one in found.of("EndpointSlice", "discovery.k8s.io"):
        service = f"{namespace_of(one)}/{labels_of(one).get(_SERVICE_LABEL, '')}"
        for endpoint in listed(one.get("endpoints")):
            if isinstance(endpoint, Mapping) and endpoint.get("nodeName"):
                nodes.setdefault(service, set()).add(str(endpoint["nodeName"]))
    alone: dict[str, list[str]] = {}
    for one in served(found):
        places = nodes.get(key_of(one), set())
        local = spec_of(one).get("externalTrafficPolicy") == "Local"
        if len(places) == 1 and local and ingress_of(one):
            alone.setdefault(places.pop(), []).append(key_of(one))
    return {name: tuple(services) for name, services in alone.items()}
