"""Why our routes rank behind all others, and since when: for the log and the timeline.

Three may say so: the agent, of the node; our own clock, of an agent that is away; and the other
members, who hold us in quarantine. What it means for routes is `situation`'s to know.
"""

from bgpd.ipc.message import Standing
from bgpd.mesh.events import MeshEvent, QuarantineEnded, QuarantineStarted
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline


class Doubts:
    """Notes each beginning and each end."""

    def __init__(self, *, situation: Situation, timeline: Timeline, outbox: Outbox) -> None:
        self._situation = situation
        self._timeline = timeline
        self._outbox = outbox
        self._absent = False

    def stand(self, standing: Standing, now: float, *, advertising: bool) -> None:
        """Take over how the agent sees the node; what is not *advertising* moves nothing."""
        before = self._situation.standing
        self._situation.stand(standing, now)
        if standing.doubt == before.doubt:
            return
        begins, reason = bool(standing.doubt), "; ".join(standing.doubt or before.doubt)
        event = "doubt_began" if begins else "doubt_ended"
        self._outbox.note("warning" if begins else "info", event, reason=reason)
        if begins is not bool(before.doubt) and advertising:
            self._note(reason, now, begins=begins)

    def look(self, now: float, *, advertising: bool) -> None:
        """See whether the agent is away for too long, or is back."""
        situation = self._situation
        absent = situation.agent.in_doubt(now, situation.policy.agent_grace_seconds)
        if absent is not self._absent:
            self._absent = absent
            if advertising:
                self._note("the agent is away", now, begins=absent)

    def hear(self, event: MeshEvent, now: float, *, advertising: bool) -> None:
        """Take in what the others hold of us, if *event* is about that."""
        if not isinstance(event, QuarantineStarted | QuarantineEnded):
            return
        if event.member == self._situation.node and advertising:
            begins = isinstance(event, QuarantineStarted)
            self._note("the others hold us in quarantine", now, begins=begins)

    def _note(self, reason: str, now: float, *, begins: bool) -> None:
        self._timeline.begin(
            kind="doubt" if begins else "return",
            cause=reason if begins else f"in doubt no longer: {reason}",
            cause_at=now,
            decided_at=now,
            generation=self._situation.generation,
        )
