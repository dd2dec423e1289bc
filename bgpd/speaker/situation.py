"""Where this node stands: its mesh, its agent, and whether it leaves.

From these follows what is said with every route; which routes there are is decided elsewhere.
"""

from typing import Final

from bgpd.ipc.message import Standing
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import MeshSettings
from bgpd.model.member import NodeName, SpeakerPolicy
from bgpd.model.status import MeshStatus
from bgpd.policy import lever
from bgpd.policy.lever import Stance
from bgpd.speaker import stance
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.drain import Drain
from bgpd.speaker.presence import AgentPresence
from bgpd.speaker.sessions import Sessions

FOREWARNING: Final = 3.0
"""Seconds before our doubt at which others hear of it: who stood by must be there when we go."""


class Situation:
    """The facts about this node that all its routes share."""

    def __init__(self, node: NodeName, sessions: Sessions, now: float) -> None:
        self.node = node
        self.mesh: Mesh | None = None
        self.agent = AgentPresence(now)
        self.drain = Drain()
        self.policy = SpeakerPolicy()
        self.standing = Standing()
        """What the agent says of the node as a whole, or said last."""
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

    def staying(self, now: float) -> frozenset[str]:
        """Return the other live members that stay when we leave."""
        return stance.staying(self.mesh_status(now).members, self.node)

    def base_stance(self, now: float) -> Stance:
        """Return what we say with every route right now."""
        members = self.mesh_status(now).members
        in_doubt = self._in_doubt(now, self.policy.agent_grace_seconds)
        quarantined = self.mesh is not None and self.mesh.quarantined
        draining = self.drain.active
        return Stance(
            generation=self.generation,
            floor=stance.floor(draining=draining, in_doubt=in_doubt or quarantined),
            others=stance.staying(members, self.node) if draining else frozenset(),
            withdraw_unranked=draining or not stance.half_are_in_doubt(members, we_are=in_doubt),
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
                draining=self.drain.active,
                doubtful=self._in_doubt(now, warned),
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
