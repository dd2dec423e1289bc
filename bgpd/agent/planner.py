"""From objects in force to what the speaker is told: everything once, then only what changed.

A Service or one of its EndpointSlices costs one decision. A change of configuration or of a
Node costs a decision for every Service, and a whole `Desired` where the speaker's own facts
(peers, pools, members, policy) changed with it. Those decisions may be made piece by piece
(`begin`, `go_on`): until the last one, what was in force stays in force and is kept current.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from bgpd.agent.blaming import Turn, turned
from bgpd.agent.draft import Draft, difference
from bgpd.agent.judging import Judge
from bgpd.ipc.message import Delta, Desired, Standing
from bgpd.kube.documents import Key, Object
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects
from bgpd.model.errors import ConfigError
from bgpd.model.member import NodeName, SpeakerPolicy
from bgpd.model.prefix import Address, Prefix
from bgpd.model.provider import Discovery
from bgpd.model.reason import Withheld
from bgpd.model.route import Advertisement
from bgpd.model.status import Condition
from bgpd.policy.context import Context
from bgpd.policy.merge import Decision, Merged, RouteKey
from bgpd.policy.peers import SourceFor
from bgpd.policy.provided import may_matter
from bgpd.policy.selector import matches_any


class Planner:
    """The desired state of one node, kept current."""

    def __init__(
        self,
        *,
        node: NodeName,
        cluster_uid: str,
        load_balancer_class: str | None = None,
        ignore_exclude_label: bool = False,
        judge: Judge | None = None,
        boot: str = "",
    ) -> None:
        self.node = node
        self.judge = judge or Judge(node)
        self.standing = Standing()
        """How the node is as a whole, as far as it is watched; `standing_now` is what is told."""
        self._boot = boot
        self.context: Context | None = None
        """None until the configuration was understood once; nothing is desired before that."""
        self.problem = ""
        """Why the configuration could not be understood; the last good one stays in force."""
        self.discovered: Mapping[str, Discovery] = {}
        """What each BGPPeer's provider said, by name: replace it whole, then `configure`."""
        self.addresses: frozenset[Address] | None = None
        """All addresses of this host; None while they are not known. As *discovered*."""
        self.source_for: SourceFor | None = None
        """From which of them an address is reached over a gateway."""
        self.awaits = False
        """Whether routes that are desired wait for their addresses (`bgpd.agent.landing`)."""
        self._cluster_uid = cluster_uid
        self._load_balancer_class = load_balancer_class
        self._ignore_exclude_label = ignore_exclude_label
        self._merged = Merged()
        self._draft: Draft | None = None
        self._replaced: Merged | None = None
        self._sequence = 0
        self.turns: list[Turn] = []
        """What was decided last otherwise than before; of everything, one that is to blame."""
        self._primed: Context | None = None
        """What was accepted before we started: it stays where the newest cannot hold."""

    def moved(self, addresses: frozenset[Address] | None) -> bool:
        """Take in that the host has *addresses*; return whether `configure` may find a difference.

        Addresses of pods and elastic IPs come and go all day, and mean nothing to a session.
        """
        before, self.addresses = self.addresses, addresses
        peers = () if self.context is None else self.context.peers
        sources = {one.local_address for one in peers}
        if before is None and addresses is not None and any(one.gateway for one in peers):
            return True  # decided on before anybody knew the way to the gateway
        return may_matter(before, addresses, self.discovered.values(), sources)

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What is not advertised, and why."""
        return self._merged.withheld

    @property
    def standing_now(self) -> Standing:
        """How the node is as a whole, and whether it withholds what others take it to carry.

        A pause of a restless Service counts from end to end: its endpoint may come and go ten
        times a second, and a drained node must not take its routes back and forth with it.
        """
        withholds = self._merged.withholds or self.judge.flapping.pausing or self.awaits
        standing = self.standing
        if standing.partial or not withholds:
            return standing
        return msgspec.structs.replace(standing, partial=True)

    @property
    def unwell(self) -> Mapping[str, Withheld]:
        """The Services that health alone withholds here, with the first answer."""
        return self._merged.unwell

    def advertises(self, service: str) -> bool:
        """Return whether *service* wants any route."""
        return self._merged.advertises(service)

    def knows(self, service: str) -> bool:
        """Return whether there is a *service*."""
        return self._merged.knows(service)

    def decision_on(self, service: str) -> Decision | None:
        """Return what was decided on *service*; None: there is no such Service."""
        return self._merged.decision_on(service)

    @property
    def advertisements(self) -> Mapping[RouteKey, Advertisement]:
        """What is wanted of each peer now; only read it."""
        return self._merged.advertisements

    @property
    def replaced(self) -> Mapping[RouteKey, Advertisement]:
        """What was wanted before everything was decided on last, until it is let go of."""
        return {} if self._replaced is None else self._replaced.advertisements

    def tell_again(self, keys: Iterable[RouteKey]) -> Delta | None:
        """Return what tells the speaker of the routes *keys* as they are wanted now."""
        return self._delta(frozenset(keys))

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
        # While decisions are under way, nobody can say that a HealthCheck chooses none.
        unused = () if self.busy else tuple(self.judge.unused())
        return (*refused, *own, *self._merged.conditions, *unused)

    def prime(self, objects: Objects, passwords: Mapping[str, str]) -> bool:
        """Take *objects* for what was accepted last; return whether they make a configuration."""
        try:
            self._primed = self._build(objects, passwords)
        except ConfigError:
            return False
        return True

    @property
    def patience(self) -> float:
        """How many seconds a node that booted waits for what was there before."""
        context = self.context or self._primed
        policy = SpeakerPolicy() if context is None else context.policy
        return policy.startup.patience_seconds

    def accepted(self, objects: Objects) -> dict[Key, Object] | None:
        """Return *objects* as far as, and in the version that, they hold; None while unclear."""
        node = objects.node(self.node)
        if self.context is None or self.problem or node is None:
            return None
        in_force = self.context.in_force
        holding: dict[str, Mapping[str, Object]] = {
            "IPAddressPool": in_force.pools,
            "BGPAdvertisement": in_force.advertisements,
            "Community": in_force.communities,
            "BGPPeer": in_force.peers.documents,
        }
        found = objects.copy(without=holding)
        for kind, by_name in holding.items():
            found |= {Key(kind, "", name): value for name, value in by_name.items()}
        for peer in objects.peers:
            if not matches_any(peer.node_selectors, node.labels):
                found[Key("BGPPeer", "", peer.name)] = peer
        return found

    @property
    def busy(self) -> bool:
        """Whether decisions on a new configuration are under way: `go_on` is to be called."""
        return self._draft is not None

    def configure(
        self, changes: Changes, objects: Objects, passwords: Mapping[str, str]
    ) -> Desired | Delta | None:
        """Take in the whole configuration in one go; return what the speaker must be told.

        *changes* came with it; *passwords* holds the password files that could be read, by path.
        """
        message = self.begin(changes, objects, passwords)
        while self.busy:
            message = self.go_on(objects, len(objects))
        return message

    def begin(
        self, changes: Changes, objects: Objects, passwords: Mapping[str, str]
    ) -> Desired | Delta | None:
        """Take in the configuration; return what the speaker must be told, unless that is `busy`.

        While it is busy, changes of Services go to `update`, and no other configuration begins.
        """
        before, context = self.context, self._understand(objects, passwords)
        if context is None or (self.problem and before is not None):
            return self.update(changes, objects)
        self.judge.configure(context)
        if before is None or not _only_members(changes, before, context):
            self._draft = Draft(context, self._merged, self.judge)
            return None
        self.context = context
        changed = self._decide(sorted(changes.services), objects)
        return self.desired() if self._facts_differ(before) else self._delta(changed)

    def go_on(self, objects: Objects, most: int) -> Desired | Delta | None:
        """Decide on *most* more Services; with none left, return what the speaker is told."""
        draft = self._draft
        if draft is None:
            return None
        if not draft.complete:
            # Also after the last piece: to tell ten thousand routes takes a turn of its own.
            draft.go_on(objects, most)
            return None
        before, self.context = self.context, draft.context
        self._replaced, self._merged = self._merged, draft.merged
        self._draft = None
        self.turns = turned(self._replaced, self._merged)
        if self._facts_differ(before):
            return self.desired()
        changed = difference(self._replaced, self._merged)
        return self.desired() if len(changed) > _MANY else self._delta(changed)

    def forget(self) -> None:
        """Let go of what was in force before; ten thousand routes take a moment to be freed."""
        self._replaced = None

    def _facts_differ(self, before: Context | None) -> bool:
        """Return whether the speaker must hear more than routes since the context *before*."""
        context = self.context
        if before is None or context is None:
            return True
        return _speaker_facts(before) != _speaker_facts(context)

    def _understand(self, objects: Objects, passwords: Mapping[str, str]) -> Context | None:
        """Return the context to go on with, None while there is none."""
        self.problem = ""
        try:
            return self._build(objects, passwords)
        except ConfigError as error:
            self.problem = str(error)
            return self.context or self._primed

    def update(self, changes: Changes, objects: Objects) -> Delta | None:
        """Take in changed Services and EndpointSlices; return what the speaker must be told."""
        services = sorted(changes.services)
        changed = self._decide(services, objects)
        if self._draft is not None:
            self._draft.again(services, objects)
        return self._delta(changed)

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
            aggregates=context.aggregates,
            advertisements=tuple(self._merged.advertisements.values()),
            policy=context.policy,
            mesh_address=context.mesh_address,
            standing=self.standing_now,
            boot=self._boot,
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
            communities=objects.communities,
            bfd_profiles=objects.bfd_profiles,
            health_checks=objects.health_checks,
            load_balancer_class=self._load_balancer_class,
            ignore_exclude_label=self._ignore_exclude_label,
            password_of=passwords,
            discovered=self.discovered,
            addresses=self.addresses,
            source_for=self.source_for,
            previous=self.context or self._primed,
        )

    def _decide(self, keys: Iterable[str], objects: Objects) -> frozenset[RouteKey]:
        """Decide anew on the Services *keys*; return the routes that changed."""
        self.turns = []
        if self.context is None:
            return frozenset()
        touched: set[RouteKey] = set()
        for key in keys:
            service = objects.service(key)
            decision, before = None, self._merged.decision(key)
            if service is None:
                self.judge.forget(key)
            else:
                decision = self.judge.follow(
                    service,
                    objects.slices(key),
                    self.context,
                    had=() if before is None else before.advertisements,
                )
            self.turns.append(Turn(key, before, decision))
            touched.update(self._merged.put(key, decision))
        return self._merged.settle(touched)

    def _delta(self, changed: frozenset[RouteKey]) -> Delta | None:
        if not changed:
            return None
        wanted = self._merged.advertisements
        self._sequence += 1
        keys = sorted(changed)
        return Delta(
            sequence=self._sequence,
            advertise=tuple([wanted[key] for key in keys if key in wanted]),
            withdraw=tuple([key for key in keys if key not in wanted]),
        )


def _only_members(changes: Changes, before: Context, context: Context) -> bool:
    """Return whether nothing changed that a decision depends on: a thousand nodes may join."""
    if context.ordered and before.members != context.members:
        return False
    return (
        bool(changes.keys)
        and all(key.kind in _MEMBERS for key in changes.keys)
        and (before.peers, before.in_force) == (context.peers, context.in_force)
    )


_MANY: Final = 1_000
"""Changed routes from which on the whole state is told: it needs no sorting."""
_MEMBERS: Final = frozenset({"BGPNodeStatus", "Service", "EndpointSlice"})


def _speaker_facts(context: Context) -> tuple[object, ...]:
    """Return what a `Desired` carries beside routes."""
    return (
        context.peers,
        context.pools,
        context.aggregates,
        context.members,
        context.mesh_address,
        context.policy,
    )
