"""From objects in force to what the speaker is told: everything once, then only what changed.

A Service or one of its EndpointSlices costs one decision. A change of configuration or of a
Node costs a decision for every Service, and a whole `Desired` where the speaker's own facts
(peers, pools, members, policy) changed with it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from bgpd.ipc.message import Delta, Desired
from bgpd.kube.documents import Key, Object
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects
from bgpd.model.errors import ConfigError
from bgpd.model.member import NodeName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.status import Condition
from bgpd.policy.context import Context
from bgpd.policy.merge import Merged, RouteKey
from bgpd.policy.selector import matches_any
from bgpd.policy.service import decide


class Planner:
    """The desired state of one node, kept current."""

    def __init__(
        self, *, node: NodeName, cluster_uid: str, load_balancer_class: str | None = None
    ) -> None:
        self.node = node
        self.context: Context | None = None
        """None until the configuration was understood once; nothing is desired before that."""
        self.problem = ""
        """Why the configuration could not be understood; the last good one stays in force."""
        self._cluster_uid = cluster_uid
        self._load_balancer_class = load_balancer_class
        self._merged = Merged()
        self._sequence = 0
        self._primed: Context | None = None
        """What was accepted before we started: it stays where the newest cannot hold."""

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
        refused: tuple[Condition, ...] = ()
        if self.problem:
            refused = (
                Condition(
                    type="ConfigurationRefused",
                    status=True,
                    reason="NodeRefused",
                    message=self.problem,
                ),
            )
        return (*refused, *own, *self._merged.conditions)

    def prime(self, objects: Objects, passwords: Mapping[str, str]) -> bool:
        """Take *objects* for what was accepted last; return whether they make a configuration."""
        try:
            self._primed = self._build(objects, passwords)
        except ConfigError:
            return False
        return True

    def accepted(self, objects: Objects) -> dict[Key, Object] | None:
        """Return *objects* as far as, and in the version that, they hold; None while unclear."""
        node = objects.node(self.node)
        if self.context is None or self.problem or node is None:
            return None
        in_force = self.context.in_force
        holding: dict[str, Mapping[str, Object]] = {
            "IPAddressPool": in_force.pools,
            "BGPAdvertisement": in_force.advertisements,
            "BGPPeer": in_force.peers.documents,
        }
        found = {key: objects[key] for key in objects if key.kind not in holding}
        for kind, by_name in holding.items():
            found |= {Key(kind, "", name): value for name, value in by_name.items()}
        for peer in objects.peers:
            if not matches_any(peer.node_selectors, node.labels):
                found[Key("BGPPeer", "", peer.name)] = peer
        return found

    def configure(
        self, changes: Changes, objects: Objects, passwords: Mapping[str, str]
    ) -> Desired | Delta | None:
        """Take in the whole configuration; return what the speaker must be told, if anything.

        *changes* came with it; *passwords* holds the password files that could be read, by path.
        """
        before = self.context
        self.understand(objects, passwords)
        context = self.context
        if context is None or (self.problem and before is not None):
            return self.update(changes, objects)
        keys = set(changes.services)
        if before is None or not _only_members(changes, before, context):
            keys |= {service.key for service in objects.services}
        changed = self._decide(sorted(keys), objects)
        if before is None or _speaker_facts(before) != _speaker_facts(context):
            return self.desired()
        return self._delta(changed)

    def understand(self, objects: Objects, passwords: Mapping[str, str]) -> None:
        """Take in the configuration alone; decisions on Services and `desired` must follow."""
        self.problem = ""
        try:
            self.context = self._build(objects, passwords)
        except ConfigError as error:
            self.problem = str(error)
            self.context = self.context or self._primed

    def decide(self, services: Iterable[str], objects: Objects) -> None:
        """Decide on some *services*, for a first look that is too much for one go."""
        self._decide(services, objects)

    def update(self, changes: Changes, objects: Objects) -> Delta | None:
        """Take in changed Services and EndpointSlices; return what the speaker must be told."""
        return self._delta(self._decide(sorted(changes.services), objects))

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

    def _build(self, objects: Objects, passwords: Mapping[str, str]) -> Context:
        return Context.build(
            node=objects.node(self.node),
            node_name=self.node,
            pools=objects.pools,
            advertisements=objects.advertisements,
            peers=objects.peers,
            policies=objects.policies,
            nodes=objects.nodes,
            reports=objects.reports,
            load_balancer_class=self._load_balancer_class,
            password_of=passwords,
            previous=self.context or self._primed,
        )

    def _decide(self, keys: Iterable[str], objects: Objects) -> frozenset[RouteKey]:
        """Decide anew on the Services *keys*; return the routes that changed."""
        if self.context is None:
            return frozenset()
        changed: set[RouteKey] = set()
        for key in keys:
            service = objects.service(key)
            decision = None
            if service is not None:
                decision = decide(service, objects.slices(key), self.context)
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


def _only_members(changes: Changes, before: Context, context: Context) -> bool:
    """Return whether nothing changed that a decision depends on: a thousand nodes may join."""
    return (
        bool(changes.keys)
        and all(key.kind in _MEMBERS for key in changes.keys)
        and (before.peers, before.in_force) == (context.peers, context.in_force)
    )


_MEMBERS: Final = frozenset({"BGPNodeStatus", "Service", "EndpointSlice"})


def _speaker_facts(context: Context) -> tuple[object, ...]:
    """Return what a `Desired` carries beside routes."""
    return (
        context.peers,
        context.pools,
        context.members,
        context.mesh_address,
        context.policy,
    )
