"""From objects in force to what the speaker is told: everything once, then only what changed.

A Service or one of its EndpointSlices costs one decision. A change of configuration or of a
Node costs a decision for every Service, and a whole `Desired` where the speaker's own facts
(peers, pools, members, policy) changed with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bgpd.ipc.message import Delta, Desired
from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.member import NodeName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.status import Condition
from bgpd.policy.context import Context
from bgpd.policy.merge import Merged, RouteKey
from bgpd.policy.service import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a batch of changes touched, by key; None stands for an object that is gone."""

    services: Mapping[str, Service | None]
    """By `namespace/name`."""
    slices: Mapping[str, EndpointSlice | None]
    """By `namespace/name` of the slice."""


class Planner:
    """The desired state of one node, kept current."""

    def __init__(self, node: NodeName, cluster_uid: str) -> None:
        self.node = node
        self.context: Context | None = None
        """None until the configuration was understood once; nothing is desired before that."""
        self._cluster_uid = cluster_uid
        self._services: dict[str, Service] = {}
        self._slices: dict[str, dict[str, EndpointSlice]] = {}
        self._service_of: dict[str, str] = {}
        self._merged = Merged()
        self._sequence = 0

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What is not advertised, and why."""
        return self._merged.withheld

    @property
    def services(self) -> dict[Prefix, tuple[str, ...]]:
        """Which Services each desired prefix stands for."""
        return self._merged.services

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know about the configuration in force."""
        own = () if self.context is None else self.context.conditions
        return (*own, *self._merged.conditions)

    def replace_context(self, context: Context) -> Desired | Delta | None:
        """Put *context* in force and return what the speaker must be told, if anything."""
        before, self.context = self.context, context
        changed = self._decide(tuple(self._services))
        if before is None or _speaker_facts(before) != _speaker_facts(context):
            return self.desired()
        return self._delta(changed)

    def touch(self, touched: Touched) -> Delta | None:
        """Take in changed Services and EndpointSlices; return what the speaker must be told."""
        dirty = set(touched.services)
        for key, service in touched.services.items():
            if service is None:
                self._services.pop(key, None)
            else:
                self._services[key] = service
        for key, piece in touched.slices.items():
            dirty |= self._replace_slice(key, piece)
        return self._delta(self._decide(sorted(dirty)))

    def desired(self) -> Desired | None:
        """Return the whole desired state, or None while it is unknown."""
        context = self.context
        if context is None:
            return None
        self._sequence += 1
        return Desired(
            sequence=self._sequence,
            node=self.node,
            cluster_uid=self._cluster_uid,
            members=context.members,
            peers=context.peers,
            pools=context.pools,
            advertisements=tuple(self._merged.advertisements.values()),
            policy=context.policy,
            mesh_address=context.mesh_address,
        )

    def _replace_slice(self, key: str, piece: EndpointSlice | None) -> set[str]:
        """Move one slice to the Service it names now; return the Services concerned."""
        dirty: set[str] = set()
        before = self._service_of.pop(key, None)
        if before is not None:
            self._slices[before].pop(key, None)
            dirty.add(before)
        if piece is not None and piece.service:
            self._service_of[key] = piece.service
            self._slices.setdefault(piece.service, {})[key] = piece
            dirty.add(piece.service)
        return dirty

    def _decide(self, keys: Iterable[str]) -> frozenset[RouteKey]:
        """Decide anew on the Services *keys*; return the routes that changed."""
        if self.context is None:
            return frozenset()
        changed: set[RouteKey] = set()
        for key in keys:
            service = self._services.get(key)
            slices = self._slices.get(key, {}).values()
            decision = None if service is None else decide(service, slices, self.context)
            changed |= self._merged.replace(key, decision)
        return frozenset(changed)

    def _delta(self, changed: frozenset[RouteKey]) -> Delta | None:
        if not changed:
            return None
        wanted = self._merged.advertisements
        self._sequence += 1
        return Delta(
            sequence=self._sequence,
            advertise=tuple(wanted[key] for key in sorted(changed) if key in wanted),
            withdraw=tuple(key for key in sorted(changed) if key not in wanted),
        )


def _speaker_facts(context: Context) -> tuple[object, ...]:
    """Return what a `Desired` carries beside routes."""
    return (
        context.peers,
        context.pools,
        context.members,
        context.mesh_address,
        context.policy,
    )
