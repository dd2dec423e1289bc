"""Leaving: what is done when a phase of the drain begins; `drain` says when that is."""

from bgpd.exabgp.command import Close, Exit
from bgpd.exabgp.message import Done
from bgpd.speaker.drain import AFTERMATH_SECONDS, Phase
from bgpd.speaker.effect import Quit
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline

GOODBYE_SECONDS = 30.0
"""How long the mesh may expect us to be away after a planned exit."""


class Leaving:
    """Takes this node's routes back once traffic has moved, then its sessions."""

    def __init__(
        self, *, situation: Situation, offer: Offer, timeline: Timeline, outbox: Outbox
    ) -> None:
        self._situation = situation
        self._offer = offer
        self._timeline = timeline
        self._outbox = outbox
        self._closing: int | None = None

    def begin(self, now: float, *, wall: float, within: float | None = None) -> None:
        """Demote our routes: SIGTERM arrived; a second one changes nothing.

        After *within* seconds, where they are known, ExaBGP closes the sessions by itself, and
        the routes with them: by then ours must have gone in their order.
        """
        situation = self._situation
        if situation.drain.active:
            return
        # Waiting is for routers that move traffic; with nobody to move it to, nobody waits.
        desired = self._offer.desired
        moves = desired is not None and desired.carried_by(situation.staying(now))
        wished = situation.policy.drain_milliseconds / 1000 if moves else 0
        wait = wished if within is None else min(wished, max(0, within - AFTERMATH_SECONDS))
        if wait < wished:
            self._outbox.note("warning", "drain_cut_short", wished=wished, seconds=wait)
        situation.drain.begin(now, wait)
        self._outbox.note("info", "draining", seconds=wait)
        self._timeline.begin(
            kind="drain",
            cause="told to terminate",
            cause_at=now,
            decided_at=now,
            wall=wall,
            generation=situation.generation,
        )
        situation.tell_mesh(now)
        self._offer.reconcile(now)
        self._timeline.settle()

    def done(self, done: Done, now: float) -> None:
        """Go on when that was what the phase waits for."""
        phase = self._situation.drain.phase
        withdrawn = phase is Phase.WITHDRAWING and self._offer.settled
        closed = phase is Phase.CLOSING and done.id == self._closing
        if withdrawn or closed:
            self._advance(now)

    def handle_timer(self, now: float) -> None:
        """Go on when the phase has lasted as long as it may."""
        if self._situation.drain.due(now):
            self._advance(now)

    def _advance(self, now: float) -> None:
        match self._situation.drain.advance(now):
            case Phase.WITHDRAWING:
                self._offer.withdraw_all(now)
                if self._offer.settled:
                    self._advance(now)
            case Phase.CLOSING:
                if self._situation.mesh is not None:
                    self._situation.mesh.say_goodbye(GOODBYE_SECONDS, now)
                self._closing = self._outbox.number()
                self._outbox.send(Close(id=self._closing))
            case Phase.DONE:
                self._outbox.send(Exit(id=self._outbox.number()))
                self._outbox.put(Quit())
            case Phase.NOT_DRAINING | Phase.DEMOTED | Phase.SETTLING:
                pass
