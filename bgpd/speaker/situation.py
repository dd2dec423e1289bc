"""Where this node stands: its mesh, its agent, and whether it leaves.

From these follows what is said with every route; which routes there are is decided elsewhere.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from bgpd.ipc.message import Standing
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import MeshSettings
from bgpd.model.member import DrainTrigger, NodeName, SpeakerPolicy
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import Attributes
from bgpd.model.status import DrainPhase, MemberStatus, MeshStatus
from bgpd.policy import lever
from bgpd.policy.lever import Stance
from bgpd.speaker import stance
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.drain import ASK_SECONDS, Drain, Fate, Terms, waits
from bgpd.speaker.ending import Ending
from bgpd.speaker.presence import AgentPresence
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.sessions import Sessions

FOREWARNING: Final = 3.0
"""Seconds before our doubt at which others hear of it: who stood by must be there when we go."""


class Situation:
    """The facts about this node that all its routes share."""

    def __init__(self, node: NodeName, sessions: Sessions, now: float) -> None:
        self.node = node
        self.started = now
        self.mesh: Mesh | None = None
        self.agent = AgentPresence(now)
        self.drain = Drain()
        self.ending = Ending()
        self.request: DrainRequest | None = None
        """What a person asked for on this node."""
        self.policy = SpeakerPolicy()
        self.standing = Standing()
        """What the agent says of the node as a whole, or said last."""
        self.peers: Mapping[PeerName, Peer] = {}
        self.starting = True
        """Whether not all that is desired has been offered since we started."""
        self._stood_at = -math.inf
        self._reviewed: tuple[object, ...] = ()
        self._reviewed_of: DesiredState | None = None
        self._sessions = sessions

    @property
    def generation(self) -> int:
        """The generation that our routes carry; 0 while there is no mesh."""
        return 0 if self.mesh is None else self.mesh.generation

    def may_advertise(self, now: float) -> bool:
        """Return whether the generation is known well enough to advertise under it."""
        return self.mesh is not None and self.mesh.may_advertise(now)

    def mesh_status(self, now: float) -> MeshStatus:
        """Return the mesh as people see it; of a mesh that is not there yet, nothing."""
        if self.mesh is None:
            return MeshStatus(node=self.node, generation=0, armed=False, reachable=1, counted=1)
        return self.mesh.status(now)

    @property
    def mourns(self) -> bool:
        """Whether a raise covers a member that nobody has heard since."""
        return self.mesh is not None and self.mesh.mourns

    def staying(self, now: float) -> frozenset[str]:
        """Return the other live members that stay when we leave."""
        connected = bool(self._sessions.router_ids())
        return stance.staying(self.mesh_status(now).members, self.node, connected=connected)

    def base_stance(self, members: tuple[MemberStatus, ...], now: float) -> Stance:
        """Return what we say with every route right now; `review_drain` comes first."""
        in_doubt = self._in_doubt(now, self.policy.agent_grace_seconds)
        quarantined = self.mesh is not None and self.mesh.quarantined
        better = self._better(members) if in_doubt or quarantined else None
        drain = self.drain
        if not drain.active:
            return Stance(
                generation=self.generation,
                floor=stance.floor(draining=False, in_doubt=in_doubt or quarantined),
                better=better,
                withdraw_unranked=not stance.half_are_in_doubt(members, we_are=in_doubt),
            )
        return Stance(
            generation=self.generation,
            floor=stance.floor(draining=True, in_doubt=in_doubt),
            as_is=drain.of(Fate.AS_IS),
            as_is_floor=stance.floor(draining=False, in_doubt=in_doubt or quarantined),
            withdrawn=drain.of(Fate.WITHDRAWN),
            others=self.staying(now),
            better=better,
            # Where there are no ranks a drained route stays as it is, until it goes.
            withdraw_unranked=in_doubt and not stance.half_are_in_doubt(members, we_are=in_doubt),
        )

    def _better(self, members: tuple[MemberStatus, ...]) -> frozenset[str]:
        connected = bool(self._sessions.router_ids())
        return stance.better(members, self.node, connected=connected)

    # Graceful restart

    @property
    def kept_seconds(self) -> int:
        """For how long routers keep routes of ours when our process ends; 0: none does."""
        if self.ending.active and not self.ending.kept:
            return 0
        if self.drain.phase is DrainPhase.DRAINED:
            return 0
        times = self._sessions.kept_seconds(self.peers.values())
        return min(filter(None, times), default=0)

    @property
    def every_router_keeps(self) -> bool:
        """Whether no router would notice that our process is away for a moment."""
        times = self._sessions.kept_seconds(self.peers.values())
        return bool(times) and all(times)

    # Drain

    def stand(self, standing: Standing, now: float) -> None:
        """Take over what the agent says of the node as a whole."""
        self.standing = standing
        self._stood_at = now

    @property
    def drain_causes(self) -> tuple[str, ...]:
        """Why the node is drained, a sentence each; empty: it is not."""
        return tuple(self._causes())

    def _causes(self) -> Iterator[str]:
        if self.request is not None:
            yield "a person asked for it"
        if self.standing.drain:
            yield self.standing.drain
        if self.ending.active and not self.ending.kept:
            yield "the speaker ends"

    def review_drain(
        self,
        desired: DesiredState | None,
        actual: Mapping[PeerName, Mapping[Prefix, Attributes]],
        now: float,
    ) -> None:
        """Decide anew about each prefix, if anything that it depends on has changed."""
        if not self.drain_causes:
            self.drain.end()
            return
        self.drain.begin(now)
        others, terms = self.staying(now), self._terms(now)
        facts = (0 if desired is None else desired.sequence, others, terms)
        if facts == self._reviewed and desired is self._reviewed_of and not self.drain.due(now):
            return
        self._reviewed, self._reviewed_of = facts, desired
        carried = {} if desired is None else desired.carried_elsewhere(others)
        on_wire = frozenset(prefix for routes in actual.values() for prefix in routes)
        self.drain.review(carried, on_wire=on_wire, terms=terms, now=now)

    def _terms(self, now: float) -> Terms:
        patience, wait = waits(self.policy, ends=self.ending.active)
        since = now if self.drain.since is None else self.drain.since
        request = self.request
        busy: frozenset[Prefix] | None = frozenset(self.standing.busy)
        if (
            self.policy.drain is DrainTrigger.WAIT_FOR_CONNECTIONS
            and self.agent.absent_since(now) is None
            and self._stood_at < since
            and now < since + ASK_SECONDS
        ):
            # The agent has yet to hear of the drain, and to count.
            busy, patience = None, min(patience, ASK_SECONDS)
        busy_until = since + patience
        if self.ending.deadline is not None:
            # Then everything goes, and until then routers must have moved what is busy now.
            busy_until = min(busy_until, self.ending.deadline - wait)
        return Terms(
            forced=self.standing.forced or (request is not None and request.forced),
            busy=busy,
            busy_until=busy_until,
            wait=wait,
        )

    def _in_doubt(self, now: float, grace: float) -> bool:
        """Return whether the agent says so, or was away for *grace* seconds."""
        return bool(self.standing.doubt) or self.agent.in_doubt(now, grace)

    def tell_mesh(self, now: float) -> None:
        """Let our heartbeats say how we are."""
        if self.mesh is not None:
            warned = self.policy.agent_grace_seconds - FOREWARNING
            self.mesh.set_local(
                agent_alive=self.agent.absent_since(now) is None,
                draining=bool(self.drain_causes),
                doubtful=self._in_doubt(now, warned),
                partial=self.standing.partial or self.starting,
                kept_seconds=self.kept_seconds,
                peer_router_ids=self._sessions.router_ids(),
                now=now,
            )


def mesh_settings(node: NodeName, desired: DesiredState) -> MeshSettings:
    """Return what the mesh is told of *desired*."""
    levers = sorted({peer.lever.value for peer in desired.peers.values()})
    return MeshSettings(
        node=node,
        cluster_uid=desired.cluster_uid,
        policy=desired.policy.mesh,
        lever="+".join(levers) or "none",
        base=lever.BASE,
        stride=lever.STRIDE,
    )
