"""What the agent orders: a whole state, then changes of it, and how the node stands.

Between two agents, and after a restart of ours, what was ordered last stays in force. An order
that means nothing is refused whole, and its agent says everything again.
"""

from typing import Protocol

from bgpd.ipc.message import AnyMessage, Beat, Delta, Desired, Standing, Why
from bgpd.mesh.machine import Mesh
from bgpd.model.errors import BgpdError
from bgpd.speaker.bfd import BFDSessions
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.doubts import Doubts
from bgpd.speaker.draining import Draining
from bgpd.speaker.effect import DropAgent, SaveDesired, SaveMesh
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.situation import Situation, mesh_settings
from bgpd.speaker.timeline import Timeline


class MakeMesh(Protocol):
    """Builds the mesh once it is known what cluster and policy it belongs to."""

    def __call__(self, desired: DesiredState, now: float) -> Mesh:
        """Return a mesh that starts from what the disk remembers."""


class Orders:
    """Hears the agent, and hands on what it says to whom it concerns."""

    def __init__(  # noqa: PLR0913 - an order concerns everybody
        self,
        *,
        make_mesh: MakeMesh,
        situation: Situation,
        offer: Offer,
        doubts: Doubts,
        draining: Draining,
        bfd: BFDSessions,
        timeline: Timeline,
        outbox: Outbox,
        cadence: Cadence,
    ) -> None:
        self._make_mesh = make_mesh
        self._situation = situation
        self._offer = offer
        self._doubts = doubts
        self._draining = draining
        self._bfd = bfd
        self._timeline = timeline
        self._outbox = outbox
        self._cadence = cadence
        self._awaits_state = False
        """A new agent's deltas follow a state of its own, not the one that we have."""

    def remember(self, saved: Desired, now: float) -> None:
        """Go on with what was ordered before we were started."""
        self._take(saved, now, remembered=True)

    def connected(self, now: float) -> None:
        """Note that an agent connected; it will send the whole state."""
        self._situation.agent.greeted()
        self._awaits_state = True
        self._doubts.look(now, advertising=self._offer.advertising)
        self._outbox.note("info", "agent_connected")
        self._cadence.report_soon(now)

    def lost(self, reason: str, now: float) -> None:
        """Note that the agent's connection is gone: what it wanted stays in force."""
        self._situation.agent.lost()
        self._outbox.note("warning", "agent_lost", reason=reason)
        self._cadence.report_soon(now)

    def take(self, message: AnyMessage, now: float) -> None:
        """Take in what the agent says."""
        self._situation.agent.seen(now)
        if self._awaits_state:
            # Its first words end what was held of its absence, before they move any route.
            self._doubts.look(now, advertising=self._offer.advertising)
        match message:
            case Desired():
                if self._take(message, now):
                    # At once: what comes after it is worth little without it.
                    self._outbox.put(SaveDesired())
            case Delta() if self._awaits_state:
                self._outbox.put(DropAgent("a delta came before the state that it changes"))
            case Delta():
                self._offer.change(message, now)
            case Standing():
                self._stand(message, now)
            case Why():
                generation = self._situation.generation
                for sequence, cause in message.causes:
                    self._timeline.why(sequence, cause, generation=generation, now=now)
            case Beat():
                pass
            case _:
                self._outbox.count("agent_messages_unexpected")

    def _take(self, message: Desired, now: float, *, remembered: bool = False) -> bool:
        """Take over a whole state; return False for one that means nothing and changes nothing."""
        try:
            desired = DesiredState.of(message)
            settings = mesh_settings(self._situation.node, desired)
        except BgpdError as error:
            self._outbox.count("states_refused")
            self._outbox.note("error", "desired_refused", reason=str(error))
            self._outbox.put(DropAgent(f"the desired state is refused: {error}"))
            return False
        self._awaits_state = False
        self._situation.policy = desired.policy
        self._situation.peers = desired.peers
        self._doubts.stand(message.standing, now, advertising=self._offer.advertising)
        if self._situation.mesh is None:
            self._situation.mesh = self._make_mesh(desired, now)
        else:
            self._situation.mesh.configure(settings=settings, members=desired.members, now=now)
        self._outbox.put(SaveMesh())
        self._outbox.note("info", "desired", sequence=message.sequence, peers=len(desired.peers))
        self._draining.changed(now)
        if remembered:
            self._offer.remember(desired, now)
        else:
            self._timeline.traces.begin(message.sequence, now)
            self._offer.want(desired, now)
            self._timeline.traces.end()
        self._bfd.want(desired.peers.values(), now)
        return True

    def _stand(self, standing: Standing, now: float) -> None:
        """Take over how the agent sees the node as a whole."""
        if standing != self._situation.standing:
            self._cadence.save_soon(now)
            self._cadence.report_soon(now)
        self._doubts.stand(standing, now, advertising=self._offer.advertising)
        self._draining.changed(now)
