"""Leaving: what is done when a phase of the end begins; `ending` says when that is."""

from typing import Final

from bgpd.exabgp.command import Close, Exit
from bgpd.exabgp.message import Done
from bgpd.model.status import DrainPhase
from bgpd.speaker import stance
from bgpd.speaker.drain import Fate, waits
from bgpd.speaker.effect import Quit
from bgpd.speaker.ending import AFTERMATH_SECONDS, Phase
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline

GOODBYE_SECONDS: Final = 30.0
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
        self._kept: int | None = None
        """For how many seconds routers keep our routes, as we said when we said goodbye."""

    def begin(self, now: float, *, within: float | None = None) -> None:
        """Demote our routes: SIGTERM arrived; a second one changes nothing.

        After *within* seconds, where they are known, ExaBGP closes the sessions by itself, and
        the routes with them: by then ours must have gone in their order.
        """
        situation = self._situation
        if situation.ending.active:
            return
        if situation.every_router_keeps and not situation.drain_causes:
            self._outbox.note("info", "restarting", kept_seconds=situation.kept_seconds)
            self._enter(situation.ending.begin_kept(now), now)
            return
        wished = self._wished(now)
        wait = wished if within is None else min(wished, max(0, within - AFTERMATH_SECONDS))
        if wait < wished:
            self._outbox.note("warning", "drain_cut_short", wished=wished, seconds=wait)
        situation.ending.begin(now, wait)
        self._outbox.note("info", "draining", seconds=wait)
        self._timeline.begin(
            kind="drain",
            cause="told to terminate",
            cause_at=now,
            decided_at=now,
            generation=situation.generation,
        )
        situation.tell_mesh(now)
        self._offer.reconcile(now)
        self._timeline.settle()

    def _wished(self, now: float) -> float:
        """Return how long the drain should take: with nobody to move traffic to, no time.

        A node that is drained, too, counts: it takes its routes up again when it hears of us.
        """
        situation, desired = self._situation, self._offer.desired
        if desired is None:
            return 0.0
        patience, wait = waits(situation.policy, ends=True)
        others = stance.living(situation.mesh_status(now).members, situation.node)
        gone = situation.drain.of(Fate.WITHDRAWN)
        carried = {
            p: also for p, also in desired.carried_elsewhere(others).items() if p not in gone
        }
        busy = not carried.keys().isdisjoint(situation.standing.busy)
        return (patience if busy else 0.0) + (wait if any(carried.values()) else 0.0)

    def done(self, done: Done, now: float) -> None:
        """Go on when that was what the phase waits for."""
        phase = self._situation.ending.phase
        withdrawn = phase is Phase.WITHDRAWING and self._offer.settled
        closed = phase is Phase.CLOSING and done.id == self._closing
        if withdrawn or closed:
            self._advance(now)

    def handle_timer(self, now: float) -> None:
        """Go on when the phase has lasted as long as it may, or has nothing left to do."""
        situation = self._situation
        led_away = (
            situation.ending.phase is Phase.DEMOTED
            and situation.drain.phase is DrainPhase.DRAINED
            and self._offer.settled
        )
        if led_away or situation.ending.due(now):
            self._advance(now)

    def say_goodbye(self, now: float) -> None:
        """Tell the mesh that we end, and whether routers keep our routes."""
        situation = self._situation
        if situation.mesh is not None:
            # It is said again when ExaBGP has ended: sessions that we closed keep nothing by then.
            if self._kept is None:
                self._kept = situation.kept_seconds
            kept = self._kept
            situation.mesh.say_goodbye(kept or GOODBYE_SECONDS, now, kept=kept > 0)

    def _advance(self, now: float) -> None:
        self._enter(self._situation.ending.advance(now), now)

    def _enter(self, phase: Phase, now: float) -> None:
        match phase:
            case Phase.WITHDRAWING:
                self._timeline.begin(
                    kind="withdraw",
                    cause="the drain is over, the speaker ends",
                    cause_at=now,
                    decided_at=now,
                    generation=self._situation.generation,
                )
                self._offer.withdraw_all(now)
                self._timeline.settle()
                if self._offer.settled:
                    self._advance(now)
            case Phase.CLOSING:
                self.say_goodbye(now)
                self._closing = self._outbox.number()
                kept = self._situation.ending.kept
                self._outbox.send(Close(id=self._closing, final=not kept))
            case Phase.DONE:
                self._outbox.send(Exit(id=self._outbox.number()))
                self._outbox.put(Quit())
            case Phase.STAYING | Phase.DEMOTED | Phase.SETTLING:
                pass
