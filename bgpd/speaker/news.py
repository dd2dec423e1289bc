"""What becomes of what the mesh tells: a failover begins, doubts move, and the log says it once.

What routes then say is not decided here: the stance of all of them follows from the mesh itself.
"""

from bgpd.mesh.events import ConditionChanged, GenerationChanged, Kind, MeshEvent
from bgpd.speaker import comparable, journal
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.doubts import Doubts
from bgpd.speaker.effect import SaveMesh
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.repeats import Repeats
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline


class News:
    """Takes the mesh's events one by one, before anything is sent for them."""

    def __init__(  # noqa: PLR0913 - each hears of an event
        self,
        *,
        situation: Situation,
        sessions: Sessions,
        offer: Offer,
        doubts: Doubts,
        timeline: Timeline,
        outbox: Outbox,
        cadence: Cadence,
    ) -> None:
        self._situation = situation
        self._sessions = sessions
        self._offer = offer
        self._doubts = doubts
        self._timeline = timeline
        self._outbox = outbox
        self._cadence = cadence
        self._repeats = Repeats()

    def take(self, event: MeshEvent, now: float) -> None:
        """Take in one event of the mesh."""
        if isinstance(event, GenerationChanged):
            self._generation_changed(event)
        self._doubts.hear(event, now, advertising=self._offer.advertising)
        if not self._irrelevant(event, now) and self._repeats.is_news(event, now):
            self._outbox.put(journal.line(event))
        self._cadence.report_soon(now)

    def tick(self, now: float) -> None:
        """Tell of what repeated itself, when it is time."""
        for note in self._repeats.due(now):
            self._outbox.put(note)

    def _irrelevant(self, event: MeshEvent, now: float) -> bool:
        """Return whether *event* is about routers that no prefix of ours depends on."""
        if not isinstance(event, ConditionChanged) or event.condition.type != comparable.TYPE:
            return False
        members = self._situation.mesh_status(now).members
        ours = self._sessions.router_ids()
        found = comparable.condition(
            self._offer.desired, members, ours=ours, node=self._situation.node
        )
        return event.condition.status and not found.status

    def _generation_changed(self, event: GenerationChanged) -> None:
        if self._offer.advertising:
            self._timeline.begin(
                kind="raise" if event.kind in {Kind.RAISED, Kind.PLANNED} else "adopt",
                cause=event.cause,
                cause_at=event.cause_at,
                decided_at=event.decided_at,
                generation=event.new,
                members=event.members,
                due_at=event.due_at,
            )
        self._outbox.put(SaveMesh())
