"""A drain as people meet it: asked for, refused, taken back, and how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase, DrainStatus
from bgpd.speaker.cadence import Cadence
from bgpd.speaker.drain import Fate
from bgpd.speaker.effect import SaveDrain
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.situation import Situation
from bgpd.speaker.timeline import Timeline

SHOWN: Final = 5
"""How many prefixes a refusal names."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was begun: these prefixes would be advertised by nobody."""

    alone: tuple[Prefix, ...]

    @property
    def sentence(self) -> str:
        """What a person is told."""
        more = f" and {len(self.alone) - SHOWN} more" if len(self.alone) > SHOWN else ""
        return (
            f"no other live, undrained node carries {', '.join(self.alone[:SHOWN])}{more}:"
            " wait until one does (--patient), or withdraw them all the same (--force)"
        )


class Draining:
    """Takes requests, and has routes follow the drain when time or others change it."""

    def __init__(
        self,
        *,
        situation: Situation,
        offer: Offer,
        timeline: Timeline,
        outbox: Outbox,
        cadence: Cadence,
        wall: Callable[[float], float],
    ) -> None:
        self._situation = situation
        self._offer = offer
        self._timeline = timeline
        self._outbox = outbox
        self._cadence = cadence
        self._wall = wall
        self._causes: tuple[str, ...] = ()
        self._phase = DrainPhase.NOT_DRAINING

    def ask(self, request: DrainRequest, now: float) -> Refused | None:
        """Begin what *request* wants; return why not, where only we carry something."""
        situation, before = self._situation, self._situation.request
        alone = self.alone(now)
        if alone and not request.forced and not request.patient and before is None:
            return Refused(alone)
        if before is not None:
            request = request.after(before)
        situation.request = request
        self._outbox.put(SaveDrain(request))
        self.changed(now)
        return None

    def take_back(self, now: float) -> None:
        """Forget what was asked for: routes return unless there is another cause."""
        if self._situation.request is not None:
            self._situation.request = None
            self._outbox.put(SaveDrain(None))
            self.changed(now)

    def alone(self, now: float) -> tuple[Prefix, ...]:
        """Return what is on the wire and carried by no other live, undrained member."""
        desired = self._offer.desired
        if desired is None:
            return ()
        carried = desired.carried_elsewhere(self._situation.staying(now))
        there = {p for routes in self._offer.rib.actual.values() for p in routes}
        return tuple(sorted(p for p, also in carried.items() if not also and p in there))

    def changed(self, now: float) -> None:
        """Act on what became of the causes."""
        situation = self._situation
        causes, before = situation.drain_causes, self._causes
        if causes != before:
            self._causes = causes
            event = "drain_ended" if not causes else "drain_changed" if before else "drain_began"
            self._outbox.note("info", event, cause="; ".join(causes or before))
            if bool(causes) is not bool(before) and not situation.ending.active:
                kind, what = ("drain", causes) if causes else ("return", before)
                over = "" if causes else "drained no longer: "
                self._open_timeline(kind, over + "; ".join(what), now)
        situation.tell_mesh(now)
        self._offer.restance(now)
        self._timeline.settle()
        self.follow(now)

    def _open_timeline(self, kind: str, cause: str, now: float) -> None:
        self._timeline.begin(
            kind=kind,
            cause=cause,
            cause_at=now,
            decided_at=now,
            generation=self._situation.generation,
        )

    def handle_timer(self, now: float) -> None:
        """Go on with what time has changed."""
        if self._situation.drain.due(now):
            drain = self._situation.drain
            gone = drain.of(Fate.WITHDRAWN)
            self._offer.review_drain(now)
            goes = drain.of(Fate.WITHDRAWN) - gone
            kind, what = ("withdraw", "drained") if goes else ("drain", "waited long enough")
            self._open_timeline(kind, f"{what}: {'; '.join(self._causes)}", now)
            self._offer.restance(now)
            self._timeline.settle()
        # Whoever else reconciles at this moment has reviewed the drain already.
        self.follow(now)

    def follow(self, now: float) -> None:
        """Tell of a new phase, if there is one."""
        phase = self._situation.drain.phase
        if phase is not self._phase:
            self._phase = phase
            self._outbox.note("info", "drain_phase", phase=phase.value)
            self._cadence.report_soon(now)

    def status(self, now: float) -> DrainStatus:
        """Return the drain as people see it."""
        situation, drain = self._situation, self._situation.drain
        causes = situation.drain_causes
        if not causes:
            return DrainStatus()
        phase = drain.phase
        if phase is DrainPhase.DRAINED and not self._offer.settled:
            phase = DrainPhase.DEMOTED
        if situation.ending.active:
            phase = DrainPhase.LEAVING
        since = now if drain.since is None else drain.since
        return DrainStatus(
            phase=phase,
            cause="; ".join(causes),
            since=self._wall(since),
            alone=tuple(sorted(drain.of(Fate.ALONE))),
            busy=tuple(sorted(drain.of(Fate.AS_IS))),
        )
